"""What later stages know of a dataset: everything of `Samples` but the payloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.types import Ints
from scar.data.samples import Samples


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """Ids, labels, splits and groups of one dataset, aligned by position with its embeddings.

    Attributes:
        ids: [N] unique strings.
        labels: [N] class indices in 0..K-1, or zeros and ones [N, K] as in `Samples`; None for pairs that nobody has
            labelled.
        splits: [N] ``"train"`` or ``"test"``.
        class_names: [K] names; none where there are no labels.
        groups: columns of [N] group names.
        notes: what a reader should know about how the samples came to be.
        contents: modality → hash [N, 16] of every payload, of `scar.data.duplicates.content_hashes`.
    """

    ids: NDArray[np.str_]
    labels: Ints | None
    splits: NDArray[np.str_]
    class_names: tuple[str, ...]
    groups: dict[str, NDArray[np.str_]]
    notes: tuple[str, ...]
    contents: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    def rows(self, split: str) -> Ints:
        """Return the positions of the samples of a split."""
        return np.flatnonzero(self.splits == split)

    def group(self, column: str) -> NDArray[np.str_]:
        """Return a group column [N].

        Raises:
            ValueError: the dataset has no such column.
        """
        if column not in self.groups:
            known = ", ".join(self.groups) or "none"
            raise ValueError(f"split.group={column!r} is not a column of this dataset; it has: {known}")
        return self.groups[column]


def save_catalogue(
    folder: Path, samples: Samples, notes: tuple[str, ...] = (), contents: Mapping[str, NDArray[np.uint8]] | None = None
) -> None:
    """Write what `load_catalogue` reads."""
    more: dict[str, NDArray[Any]] = {f"group:{name}": values for name, values in samples.groups.items()}
    more |= {f"content:{name}": values for name, values in (contents or {}).items()}
    arrays = {"ids": samples.ids, "splits": samples.splits, **more}
    if samples.labels is not None:
        arrays["labels"] = samples.labels
    np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
    write_json(folder / "dataset.json", {"class_names": samples.class_names, "notes": [*samples.notes, *notes]})


def load_catalogue(folder: Path) -> Catalogue:
    """Read a dataset artefact."""
    about = read_json(folder / "dataset.json")
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    return Catalogue(
        ids=arrays["ids"],
        labels=arrays.get("labels"),
        splits=arrays["splits"],
        class_names=tuple(about["class_names"]),
        groups=_prefixed(arrays, "group:"),
        notes=tuple(about["notes"]),
        contents=_prefixed(arrays, "content:"),
    )


def _prefixed(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
