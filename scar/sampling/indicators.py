"""Dataset-scale indicators: label-set size, class sizes, left-skew, long tails, imbalance (Feuer and Hegde 2023).

They follow from the labels alone, before any training: every indicator is a function of the class sizes, so that labels
can be counted chunk by chunk (`scar.sampling.class_sizes.ClassCounter`). Where a sample carries several labels, its
class sizes add up to more than the number of samples; shares are shares of that sum, the *assignments*. With one label
per sample an assignment is a sample, and a balanced label set has the same left-skew whether its samples carry one label
or many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from scar.sampling.class_sizes import class_sizes

SKEW_PERCENT = 5.0
TAIL_SIZES = (500, 100)
"""Of the paper: the most common 5 % of the classes, and classes with fewer than 500 or 100 samples."""


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
    labels: Any, *, num_classes: int | None = None, percent: float = SKEW_PERCENT, tails: Sequence[int] = TAIL_SIZES
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
