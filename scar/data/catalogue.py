"""What later stages know of a dataset: everything of `Samples` but the payloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.mapped import read_array
from scar.common.types import Ints
from scar.data.samples import Samples

_FILE = "column-{}.npy"


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """Ids, labels, splits and groups of one dataset, aligned by position with its embeddings.

    What is large is mapped from the files of the artefact, but for the labels; it cannot be written to.

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
    """Write what `load_catalogue` reads: an array per column, and a file that names them."""
    more: dict[str, NDArray[Any]] = {f"group:{name}": values for name, values in samples.groups.items()}
    more |= {f"content:{name}": values for name, values in (contents or {}).items()}
    arrays: dict[str, NDArray[Any]] = {"ids": samples.ids, "splits": samples.splits, **more}
    if samples.labels is not None:
        arrays["labels"] = samples.labels
    for place, values in enumerate(arrays.values()):
        np.save(folder / _FILE.format(place), values, allow_pickle=False)
    about = {"class_names": samples.class_names, "notes": [*samples.notes, *notes], "columns": [*arrays]}
    write_json(folder / "dataset.json", about)


def load_catalogue(folder: Path) -> Catalogue:
    """Read a dataset artefact."""
    about = read_json(folder / "dataset.json")
    arrays = {name: read_array(folder / _FILE.format(place)) for place, name in enumerate(about["columns"])}
    labels = arrays.get("labels")
    return Catalogue(
        ids=arrays["ids"],
        labels=None if labels is None else np.array(labels),
        splits=arrays["splits"],
        class_names=tuple(about["class_names"]),
        groups=_prefixed(arrays, "group:"),
        notes=tuple(about["notes"]),
        contents=_prefixed(arrays, "content:"),
    )


def _prefixed(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
