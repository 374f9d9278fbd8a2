"""What every data source yields: ids, payloads per modality, labels, splits and a fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAIN, TEST = "train", "test"


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one dataset, aligned by position; all ids of the source, train and test together.

    Attributes:
        ids: [N] unique strings, stable between runs.
        payloads: one lazily readable sequence of length N per modality (``"image"``, ``"text"``, …). Its
            items are what the encoders of that modality take: a PIL image or a uint8 array for images, a string
            for text, a tuple of strings for several captions, a path for audio and video.
        labels: [N] class indices in 0..K-1.
        class_names: [K] names, in the order of the indices.
        splits: [N] strings, ``"train"`` or ``"test"``; given by the data or drawn from ``dataset.seed``.
        groups: columns of [N] group names that must stay on one side of a split, by column name.
        notes: what a reader should know about how the samples came to be (dropped rows, duplicates …).
    """

    ids: NDArray[np.str_]
    payloads: Mapping[str, Sequence[Any]]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    splits: NDArray[np.str_]
    groups: Mapping[str, NDArray[np.str_]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)
