"""What later stages know of a dataset: everything of `Samples` but the payloads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.data.samples import Samples
from scar.store import read_json, write_json

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """Ids, labels, splits and groups of one dataset, aligned by position with its embeddings.

    Attributes:
        ids: [N] unique strings.
        labels: [N] class indices in 0..K-1; None for pairs that nobody has labelled.
        splits: [N] ``"train"`` or ``"test"``.
        class_names: [K] names; none where there are no labels.
        groups: columns of [N] group names.
        notes: what a reader should know about how the samples came to be.
    """

    ids: NDArray[np.str_]
    labels: Ints | None
    splits: NDArray[np.str_]
    class_names: tuple[str, ...]
    groups: dict[str, NDArray[np.str_]]
    notes: tuple[str, ...]

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


def save_catalogue(folder: Path, samples: Samples, notes: tuple[str, ...] = ()) -> None:
    """Write what `load_catalogue` reads."""
    groups = {f"group:{name}": values for name, values in samples.groups.items()}
    arrays: dict[str, NDArray[Any]] = {"ids": samples.ids, "splits": samples.splits, **groups}
    if samples.labels is not None:
        arrays["labels"] = samples.labels
    np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
    write_json(folder / "dataset.json", {"class_names": samples.class_names, "notes": [*samples.notes, *notes]})


def load_catalogue(folder: Path) -> Catalogue:
    """Read a dataset artefact."""
    about = read_json(folder / "dataset.json")
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    groups = {name.removeprefix("group:"): values for name, values in arrays.items() if name.startswith("group:")}
    return Catalogue(
        ids=arrays["ids"],
        labels=arrays.get("labels"),
        splits=arrays["splits"],
        class_names=tuple(about["class_names"]),
        groups=groups,
        notes=tuple(about["notes"]),
    )
