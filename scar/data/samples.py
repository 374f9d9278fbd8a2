"""What every data source yields: ids, payloads per modality, labels, splits and a fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.mapped import taken

TRAIN, TEST, POOL = "train", "test", "pool"
UNLABELLED = -1
"""Class index of the samples of the part `POOL`, which nobody has labelled and which are to be had."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one dataset, aligned by position; all ids of the source, train and test together.

    Attributes:
        ids: [N] unique strings, stable between runs.
        payloads: one lazily readable sequence of length N per modality (``"image"``, ``"text"``, …). Its
            items are what the encoders of that modality take: a PIL image or a uint8 array for images, a string
            for text, a tuple of strings for several captions, a handle of `scar.data.media` for audio and video.
        labels: [N] class indices in 0..K-1; None for pairs that nobody has labelled. Zeros and ones [N, K] where a sample
            may carry several labels, or none.
        class_names: [K] names, in the order of the indices; none where there are no labels.
        splits: [N] strings, ``"train"`` or ``"test"``; given by the data or drawn from ``dataset.seed``. ``"pool"`` are
            samples without a label, of class `UNLABELLED`, from which a plan chooses those to label.
        groups: columns of [N] group names that must stay on one side of a split, by column name.
        absent: names of classes that no training sample has and that are classes all the same: known, and empty.
        notes: what a reader should know about how the samples came to be (dropped rows, duplicates …).
    """

    ids: NDArray[np.str_]
    payloads: Mapping[str, Sequence[Any]]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    splits: NDArray[np.str_]
    groups: Mapping[str, NDArray[np.str_]]
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Samples:
        """Return the samples of some rows, in their order."""
        return replace(
            self,
            ids=taken(self.ids, rows),
            payloads={name: take_items(payload, rows) for name, payload in self.payloads.items()},
            labels=None if self.labels is None else self.labels[rows],
            splits=taken(self.splits, rows),
            groups={name: taken(column, rows) for name, column in self.groups.items()},
        )


def take_items(items: Any, rows: NDArray[np.int64]) -> Any:
    """Return some items of a payload, an array or a sequence, without reading the others."""
    return taken(items, rows) if isinstance(items, np.ndarray) else PickedItems(items, rows)


@dataclass(frozen=True, eq=False)
class PickedItems(Sequence[Any]):
    """Items of a sequence by position; each is read when it is asked for."""

    items: Sequence[Any]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.items[int(row)] for row in self.rows[index]]
        return self.items[int(self.rows[index])]
