"""Scores of single test items whose plain mean is a metric, so that one variance gives every metric its interval.

Accuracy is a mean over items. Of the other metrics, item i counts the metric plus n times the item's influence on it
(infinitesimal jackknife), so that the mean over items is the metric exactly and the variance of that mean is the metric's
to first order in 1/n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.types import Floats, Ints

METRICS = ("accuracy", "balanced_accuracy")
"""Metrics that right answers determine linearly; the others of `item_scores` take the predictions."""


def weighted_scores(scores: ArrayLike, labels: ArrayLike, metric: str, mix: Floats | None = None) -> Floats:
    """Scores whose mean over items is `metric` of the given right answers, or of differences of right answers.

    Balanced accuracy is the mean over the K classes of the recall r_k: an item of class k counts
    ``mean(r) + n/(K n_k) √(n_k/(n_k − 1)) (x − r_k)``; the root makes the variance within a class unbiased.

    Args:
        scores: [..., n], 1 where an item is classified rightly, or differences of that.
        labels: [n] classes of the test items.
        metric: one of `METRICS`.
        mix: [K] shares by which accuracy weights the recalls of the classes, in place of those of the test items.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if x.shape[-1:] != y.shape:
        raise ValueError(f"scores has shape {x.shape}: expected [..., {len(y)}]")
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r}: choose one of {', '.join(METRICS)}")
    if metric == "accuracy" and mix is None:
        return x
    classes, place, sizes = np.unique(y, return_inverse=True, return_counts=True)
    shares = np.full(len(sizes), 1 / len(sizes)) if metric == "balanced_accuracy" or mix is None else mix[classes]
    recalls = _class_means(x, place, sizes)
    gain = _influence(sizes) * shares
    return np.asarray((recalls @ shares)[..., None] + gain[place] * (x - recalls[..., place]))


def item_scores(predictions: ArrayLike, labels: ArrayLike, metric: str, *, mix: Floats | None = None) -> Floats:
    """Scores [..., n] of the test items whose mean over items is the metric of each row of predictions.

    With ``F_k = 2 TP_k / (T_k + P_k)`` over the K classes of the test items, macro-F1 counts item i as
    ``F + n/K · Σ_k (2·1[y = k = p] − F_k (1[y = k] + 1[p = k])) / (T_k + P_k)``. The smallest recall counts the items of the
    class that has it, as `weighted_scores` does, and no other.

    Args:
        predictions: [..., n] predicted classes.
        labels: [n] classes of the test items.
        metric: ``"accuracy"``, ``"balanced_accuracy"``, ``"worst_class_accuracy"`` or ``"macro_f1"``.
        mix: [K] as in `weighted_scores`.
    """
    p, y = np.asarray(predictions), np.asarray(labels)
    if p.shape[-1:] != y.shape:
        raise ValueError(f"predictions has shape {p.shape}: expected [..., {len(y)}]")
    if metric == "macro_f1":
        return _f1_scores(p.reshape(-1, len(y)), y).reshape(p.shape)
    if metric == "worst_class_accuracy":
        return _worst_scores((p == y).reshape(-1, len(y)), y).reshape(p.shape)
    return weighted_scores(p == y, y, metric, mix)


def _influence(sizes: Ints) -> Floats:
    """Influence of an item of each class on the recall of its class, times n; with the correction for small classes."""
    return np.asarray(sizes.sum() / sizes * np.sqrt(sizes / np.maximum(sizes - 1, 1)))


def _class_means(x: Floats, place: Ints, sizes: Ints) -> Floats:
    """Mean [..., K] of x [..., n] within each class; `place` [n] is the index of an item's class."""
    rows = x.reshape(-1, len(place))
    cells = np.arange(len(rows))[:, None] * len(sizes) + place
    sums = np.bincount(cells.ravel(), weights=rows.ravel(), minlength=len(rows) * len(sizes))
    return np.asarray(sums.reshape(*x.shape[:-1], len(sizes)) / sizes)


def _worst_scores(right: NDArray[np.bool_], labels: Ints) -> Floats:
    _, place, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    recalls = _class_means(right.astype(np.float64), place, sizes)
    worst = recalls.argmin(axis=1)[:, None]
    least = np.take_along_axis(recalls, worst, axis=1)
    return np.asarray(least + np.where(place == worst, _influence(sizes)[worst] * (right - least), 0.0))


def _f1_scores(predictions: Ints, labels: Ints) -> Floats:
    size, n = int(max(predictions.max(), labels.max())) + 1, len(labels)
    actual = np.bincount(labels, minlength=size)
    present = actual > 0
    out = np.empty(predictions.shape)
    for row, predicted in zip(out, predictions, strict=True):
        right = np.flatnonzero(predicted == labels)
        both = np.maximum(actual + np.bincount(predicted, minlength=size), 1)
        f1 = np.where(present, 2.0 * np.bincount(labels[right], minlength=size) / both, 0.0)
        loss = np.where(present, f1 / both, 0.0)
        np.subtract(f1.sum() / n, loss.take(labels), out=row)
        row -= loss.take(predicted)
        row[right] += (2.0 / both).take(labels[right])
    return out * (n / np.count_nonzero(present))


def answers_one_class(correct: ArrayLike, labels: ArrayLike) -> bool:
    """Whether an arm is right on every item of one class and on no other: a constant answer."""
    y, right = np.asarray(labels), np.asarray(correct, dtype=bool)
    found = np.unique(y[right])
    return len(found) == 1 and bool(np.all(right[y == found[0]]))
