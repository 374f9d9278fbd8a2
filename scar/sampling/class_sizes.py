"""Sizes of classes, counted from labels at once or chunk by chunk.

A sample may carry one label or several. The size of a class is the number of samples that carry it, a repeated label
counting once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.types import Ints

LARGEST_ID = 1 << 28
"""Class ids lie below: one count per id is kept, so that ids have to be dense."""
EMPTY = "labels are empty: indicators need at least one labelled sample"
COLLECTIONS = (list, tuple, set, frozenset)


@dataclass(frozen=True, eq=False)
class ClassSizes:
    """What every indicator is computed from.

    Attributes:
        sizes: [K] samples that carry each class; 0 for a class of the label set that no sample carries.
        samples: number of samples, those without any label included.
    """

    sizes: Ints
    samples: int

    @property
    def assignments(self) -> int:
        """Sum of the class sizes; the number of samples where each carries one label."""
        return int(self.sizes.sum())

    def summary(self) -> dict[str, float]:
        """Return the smallest class size, quartiles, mean and the largest [samples]."""
        low, first, median, third, high = np.quantile(self.sizes, (0, 0.25, 0.5, 0.75, 1))
        return {
            "smallest": float(low),
            "lower_quartile": float(first),
            "median": float(median),
            "mean": float(self.sizes.mean()),
            "upper_quartile": float(third),
            "largest": float(high),
        }


class ClassCounter:
    """Counts class sizes chunk by chunk, in memory that depends on the number of classes only.

    Args:
        num_classes: K of a label set that is known; None grows with the largest id seen, and then every id that no
            sample carries counts as absent from the label set rather than as an empty class.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        if num_classes is not None and not 1 <= num_classes <= LARGEST_ID:
            raise ValueError(f"num_classes={num_classes} must lie in 1..{LARGEST_ID}, or be None")
        self.num_classes = num_classes
        self.samples = 0
        self._counts = np.zeros(num_classes or 0, np.int64)

    def update(self, labels: ArrayLike) -> ClassCounter:
        """Count a chunk of class ids [n], one per sample."""
        ids = self._checked(np.asarray(labels))
        self._count(ids)
        self.samples += len(ids)
        return self

    def update_sets(self, label_sets: Iterable[Iterable[int]]) -> ClassCounter:
        """Count a chunk of samples that carry any number of class ids each."""
        found = [np.unique(list(each)) for each in label_sets]
        labelled = [each for each in found if len(each)]
        if labelled:
            self._count(self._checked(np.concatenate(labelled)))
        self.samples += len(found)
        return self

    def merge(self, other: ClassCounter) -> ClassCounter:
        """Add what another counter has seen, e.g. in another process."""
        self._reserve(len(other._counts))
        self._counts[: len(other._counts)] += other._counts
        self.samples += other.samples
        return self

    def compute(self) -> ClassSizes:
        """Return the class sizes so far.

        Raises:
            ValueError: no label has been seen.
        """
        if not self._counts.any():
            raise ValueError(EMPTY)
        sizes = self._counts if self.num_classes is not None else self._counts[self._counts > 0]
        return ClassSizes(sizes.copy(), self.samples)

    def _checked(self, ids: NDArray[Any]) -> NDArray[Any]:
        if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "iu"):
            raise ValueError(f"labels of type {ids.dtype} and shape {ids.shape}: need class ids [n], whole numbers")
        if not len(ids):
            return ids.astype(np.int64)
        low, high = int(ids.min()), int(ids.max())
        if low < 0:
            raise ValueError(f"labels[{int(ids.argmin())}]={low} is negative: leave out samples without a label")
        limit = LARGEST_ID if self.num_classes is None else self.num_classes
        if high >= limit:
            where = "number the classes 0..K-1" if self.num_classes is None else f"num_classes={limit}"
            raise ValueError(f"labels[{int(ids.argmax())}]={high} lies outside 0..{limit - 1}; {where}")
        self._reserve(high + 1)
        return ids.astype(np.int64) if ids.dtype.kind == "u" else ids

    def _reserve(self, length: int) -> None:
        if self.num_classes is not None and length > self.num_classes:
            raise ValueError(f"num_classes={self.num_classes} is less than the {length} of the other counter")
        if length > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(length - len(self._counts), np.int64)])

    def _count(self, ids: NDArray[Any]) -> None:
        if 8 * len(ids) > len(self._counts):
            self._counts += np.bincount(ids, minlength=len(self._counts))
        else:  # few labels, many classes: touch only what is there
            distinct, counts = np.unique(ids, return_counts=True)
            self._counts[distinct] += counts


def class_sizes(labels: Any, *, num_classes: int | None = None) -> ClassSizes:
    """Count the samples of each class.

    Args:
        labels: [N] class ids; or [N] names; or [N, K] booleans or zeros and ones, a column per class (multi-label);
            or a sequence of N collections of ids or names (multi-label). `ClassSizes` are passed through.
        num_classes: K of the label set; None takes the classes that occur (the columns of a matrix).

    Raises:
        ValueError: for empty labels, negative ids, ids outside 0..K-1, or names together with `num_classes`.
    """
    if isinstance(labels, ClassSizes):
        return labels
    values = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
    if not len(values):
        raise ValueError(EMPTY)
    if isinstance(values[0], COLLECTIONS):
        return _sizes_of_sets(values, num_classes)
    column = np.asarray(values)
    if column.ndim == 2:
        return _sizes_of_matrix(column, num_classes)
    if column.dtype.kind in "OUST":
        if num_classes is not None:
            raise ValueError(f"num_classes={num_classes} belongs to class ids; names tell the classes themselves")
        column = np.unique(column.astype(str), return_inverse=True)[1]
    return ClassCounter(num_classes).update(column).compute()


def _sizes_of_sets(labels: Sequence[Any], num_classes: int | None) -> ClassSizes:
    first = next((each for carried in labels for each in carried), None)
    if isinstance(first, str):
        if num_classes is not None:
            raise ValueError(f"num_classes={num_classes} belongs to class ids; names tell the classes themselves")
        index = {name: i for i, name in enumerate(sorted({name for carried in labels for name in carried}))}
        labels = [[index[name] for name in carried] for carried in labels]
    return ClassCounter(num_classes).update_sets(labels).compute()


def _sizes_of_matrix(matrix: NDArray[Any], num_classes: int | None) -> ClassSizes:
    if matrix.dtype != np.bool_ and not np.isin(matrix, (0, 1)).all():
        raise ValueError("labels [N, K] must be booleans, or zeros and ones")
    if num_classes not in (None, matrix.shape[1]):
        raise ValueError(f"num_classes={num_classes} is not the {matrix.shape[1]} columns of labels")
    if not matrix.any():
        raise ValueError(EMPTY)
    return ClassSizes(np.count_nonzero(matrix, axis=0).astype(np.int64), len(matrix))
