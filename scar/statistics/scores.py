"""Metrics as weighted means over test items, so that one machinery gives all of them their intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

METRICS = ("accuracy", "balanced_accuracy")
"""Metrics that a matrix of right answers determines; macro-F1 takes the predictions, see `f1_scores`."""


def item_weights(labels: ArrayLike, metric: str) -> Floats:
    """Weights `[n]`, summing to 1, under which the weighted mean of right answers is the metric.

    Balanced accuracy is the mean over classes of the recall: weight ``1 / (K n_k)`` for an item of class k.
    """
    y = np.asarray(labels)
    if metric == "accuracy":
        return np.full(len(y), 1.0 / len(y))
    if metric == "balanced_accuracy":
        _, inverse, counts = np.unique(y, return_inverse=True, return_counts=True)
        return np.asarray(1.0 / (len(counts) * counts[inverse]), dtype=np.float64)
    raise ValueError(f"metric={metric!r}: choose one of {', '.join(METRICS)}")


def f1_scores(predictions: ArrayLike, labels: ArrayLike) -> Floats:
    """Scores `[S, n]` of the items whose mean over items is the macro-F1 of each seed.

    With ``F_k = 2 TP_k / (T_k + P_k)`` over the K classes of the test items, item i counts
    ``F + n/K · Σ_k (2·1[y = k = p] − F_k (1[y = k] + 1[p = k])) / (T_k + P_k)``: macro-F1 plus n times the item's
    influence on it (infinitesimal jackknife). Intervals made from these scores are right to first order in 1/n.

    Args:
        predictions: `[S, n]` predicted classes.
        labels: `[n]` classes of the test items.
    """
    p, y = np.asarray(predictions), np.asarray(labels)
    if p.ndim != 2 or p.shape[1] != len(y):
        raise ValueError(f"predictions has shape {p.shape}: expected [S, {len(y)}]")
    size, n = int(max(p.max(), y.max())) + 1, len(y)
    actual = np.bincount(y, minlength=size)
    present = actual > 0
    out = np.empty(p.shape)
    for row, predicted in zip(out, p, strict=True):
        right = predicted == y
        both = actual + np.bincount(predicted, minlength=size)
        f1 = np.where(present, 2.0 * np.bincount(y[right], minlength=size) / np.maximum(both, 1), 0.0)
        loss = np.where(present, f1 / np.maximum(both, 1), 0.0)
        gain = np.where(right, 2.0 / both[y], 0.0)
        row[:] = (f1.sum() + n * (gain - loss[y] - loss[predicted])) / np.count_nonzero(present)
    return out


def answers_one_class(correct: ArrayLike, labels: ArrayLike) -> bool:
    """Whether an arm is right on every item of one class and on no other: a constant answer."""
    y, right = np.asarray(labels), np.asarray(correct, dtype=bool)
    found = np.unique(y[right])
    return len(found) == 1 and bool(np.all(right[y == found[0]]))
