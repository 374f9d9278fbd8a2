"""Dataset-scale indicators: label-set size, class sizes, left-skew, long tails, imbalance (Feuer and Hegde 2023).

They follow from the labels alone, before any training. A sample may carry one label or several. The size of a class is
the number of samples that carry it, a repeated label counting once; shares are shares of the sum of all class sizes (the
*assignments*). With one label per sample an assignment is a sample. So a balanced label set has the same left-skew whether
its samples carry one label or many, and every indicator follows from the class sizes, chunk by chunk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

LARGEST_ID = 1 << 28
"""Class ids lie below: one count per id is kept, so that ids have to be dense."""
SKEW_PERCENT = 5.0
TAIL_SIZES = (500, 100)
"""Of the paper: the most common 5 % of the classes, and classes with fewer than 500 or 100 samples."""


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
        mean = float(self.sizes.mean())
        return {
            "smallest": float(low),
            "lower_quartile": float(first),
            "median": float(median),
            "mean": mean,
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
        found = [np.unique(np.fromiter(each, np.int64)) for each in label_sets]
        if found:
            flat = np.concatenate(found)
            self._count(self._checked(flat) if len(flat) else flat)
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
            raise ValueError("labels are empty: indicators need at least one labelled sample")
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
        return ids

    def _reserve(self, length: int) -> None:
        if self.num_classes is not None and length > self.num_classes:
            raise ValueError(f"num_classes={self.num_classes} is less than the {length} of the other counter")
        if length > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(length - len(self._counts), np.int64)])

    def _count(self, ids: NDArray[Any]) -> None:
        if 8 * len(ids) > len(self._counts):
            found = np.bincount(ids, minlength=len(self._counts))
            self._counts += found
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
    if not len(labels):
        raise ValueError("labels are empty: indicators need at least one labelled sample")
    if _holds_sets(labels):
        return _sizes_of_sets(labels, num_classes)
    column = np.asarray(labels)
    if column.ndim == 2:
        return _sizes_of_matrix(column, num_classes)
    if column.dtype.kind in "OUST":
        if num_classes is not None:
            raise ValueError(f"num_classes={num_classes} belongs to class ids; names tell the classes themselves")
        column = np.unique(column.astype(str), return_inverse=True)[1]
    return ClassCounter(num_classes).update(column).compute()


def _holds_sets(labels: Any) -> bool:
    return not isinstance(labels, np.ndarray) and isinstance(labels[0], list | tuple | set | frozenset)


def _sizes_of_sets(labels: Sequence[Any], num_classes: int | None) -> ClassSizes:
    names = {each for carried in labels for each in carried}
    if num_classes is None and any(isinstance(each, str) for each in names):
        index = {name: i for i, name in enumerate(sorted(map(str, names)))}
        labels = [[index[str(each)] for each in carried] for carried in labels]
    return ClassCounter(num_classes).update_sets(labels).compute()


def _sizes_of_matrix(matrix: NDArray[Any], num_classes: int | None) -> ClassSizes:
    if matrix.dtype != np.bool_ and not np.isin(matrix, (0, 1)).all():
        raise ValueError("labels [N, K] must be booleans, or zeros and ones")
    if num_classes not in (None, matrix.shape[1]):
        raise ValueError(f"num_classes={num_classes} is not the {matrix.shape[1]} columns of labels")
    if not matrix.any():
        raise ValueError("labels are empty: indicators need at least one labelled sample")
    return ClassSizes(np.count_nonzero(matrix, axis=0).astype(np.int64), len(matrix))


def label_set_size(labels: Any, *, num_classes: int | None = None) -> int:
    """Return the number K of classes, the indicator of horizontal scaling (§4.1.1)."""
    return len(class_sizes(labels, num_classes=num_classes).sizes)


def left_skew(
    labels: Any, *, percent: float = SKEW_PERCENT, classes: int | None = None, num_classes: int | None = None
) -> float:
    """Return the share of assignments in the most common classes (§4.2.1).

    Args:
        labels: see `class_sizes`.
        percent: k; the ⌈k/100 · K⌉ most common classes are taken.
        classes: their number itself, in place of a percentage.
        num_classes: see `class_sizes`.

    Raises:
        ValueError: unless 0 < percent ≤ 100 and 1 ≤ classes ≤ K.
    """
    sizes = class_sizes(labels, num_classes=num_classes).sizes
    if classes is None:
        if not 0 < percent <= 100:
            raise ValueError(f"percent={percent} must lie in (0, 100]")
        classes = math.ceil(Fraction(str(percent)) * len(sizes) / 100)  # exact: 0.07 · 100 is 7.000000000000001
    if not 1 <= classes <= len(sizes):
        raise ValueError(f"classes={classes} must lie in 1..{len(sizes)}, the label set")
    top = np.partition(sizes, len(sizes) - classes)[len(sizes) - classes :]
    return float(top.sum() / sizes.sum())


def long_tail(labels: Any, *, fewer_than: int = TAIL_SIZES[0], num_classes: int | None = None) -> float:
    """Return the share of classes with strictly fewer than k samples (§4.2.1); k is `fewer_than`, at least 1."""
    if fewer_than < 1:
        raise ValueError(f"fewer_than={fewer_than} must be at least 1 sample")
    sizes = class_sizes(labels, num_classes=num_classes).sizes
    return float(np.count_nonzero(sizes < fewer_than) / len(sizes))


def imbalance_ratio(labels: Any, *, num_classes: int | None = None) -> float:
    """Return largest over smallest class size; infinite where a class of the label set is empty."""
    sizes = class_sizes(labels, num_classes=num_classes).sizes
    return float(sizes.max() / sizes.min()) if sizes.min() else math.inf


def normalised_entropy(labels: Any, *, num_classes: int | None = None) -> float:
    """Return the entropy of the class shares over ln K: 1 for a balanced set, and for a single class."""
    sizes = class_sizes(labels, num_classes=num_classes).sizes
    if len(sizes) == 1:
        return 1.0
    shares = sizes[sizes > 0] / sizes.sum()
    return float(min(max(-(shares @ np.log(shares)) / math.log(len(sizes)), 0.0), 1.0))


def gini(labels: Any, *, num_classes: int | None = None) -> float:
    """Return the Gini coefficient of the class sizes: 0 for a balanced set, at most 1 - 1/K."""
    sizes = np.sort(class_sizes(labels, num_classes=num_classes).sizes)
    place = 2.0 * np.arange(1, len(sizes) + 1) - len(sizes) - 1
    return float(max(place @ sizes / (len(sizes) * sizes.sum()), 0.0))


def dataset_indicators(
    labels: Any,
    *,
    num_classes: int | None = None,
    percent: float = SKEW_PERCENT,
    tails: Sequence[int] = TAIL_SIZES,
) -> dict[str, float]:
    """Return every indicator by its name in tables, e.g. ``"left_skew@5%"`` and ``"long_tail@500"``.

    Args:
        labels: see `class_sizes`.
        num_classes: see `class_sizes`.
        percent: of the left-skew.
        tails: the k of the long tails.
    """
    counted = class_sizes(labels, num_classes=num_classes)
    return {
        "label_set_size": float(label_set_size(counted)),
        "smallest_class": float(counted.sizes.min()),
        "median_class": float(np.median(counted.sizes)),
        "largest_class": float(counted.sizes.max()),
        f"left_skew@{percent:g}%": left_skew(counted, percent=percent),
        **{f"long_tail@{k}": long_tail(counted, fewer_than=k) for k in tails},
        "imbalance_ratio": imbalance_ratio(counted),
        "normalised_entropy": normalised_entropy(counted),
        "gini": gini(counted),
    }
