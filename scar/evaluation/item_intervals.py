"""The interval that the items of one test part leave to a score that is a mean over them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from scar.common.types import Floats, Ints
from scar.evaluation.label_scores import label_item_scores
from scar.evaluation.weighted_metrics import METRICS, item_scores


def score_interval(
    decided: Ints, truth: Ints, score: str, *, mix: Floats | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval that the test items leave to a score of one probe; NaN of a score that is no mean of recalls.

    Another draw of the training samples is no part of it.

    Args:
        decided: [n] classes that the probe decides for, or [n, K] zeros and ones.
        truth: [n] classes, or [n, K] zeros and ones.
        score: a name of `item_scores`, or of `label_item_scores`.
        mix: [K] shares by which accuracy weights the recalls of classes, in place of those of the test items.
        level: of the interval.
    """
    if score not in METRICS:
        return math.nan, math.nan
    if truth.ndim == 2:
        items = label_item_scores(decided.astype(bool), truth.astype(bool), score)
    else:
        items = item_scores(decided, truth, score, mix=mix)
    value = float(items.mean())
    if mix is not None or score == "balanced_accuracy":
        return recall_interval(value, items, decided == truth, truth, mix=mix, level=level)
    return mean_interval(value, items, level=level)


def mean_interval(value: float, items: Floats, *, worth: float = math.inf, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a score, for as many items as its variance is worth.

    Args:
        value: the score, a share.
        items: [n] scores of the items, whose mean it is.
        worth: items of a plain share that it is worth at most.
        level: of the interval.
    """
    spread, plain = float(items.var(ddof=1)) if len(items) > 1 else 0.0, value * (1 - value)
    # as many items of a plain share; recalls of few items seem to vary less than they do
    count = len(items) * plain / spread if min(plain, spread) > 1e-9 else len(items)
    count, z = min(count, worth), float(ndtri(0.5 + level / 2))
    centre, scale = (value + z**2 / (2 * count)), 1 + z**2 / count
    half = z * math.sqrt(value * (1 - value) / count + (z / (2 * count)) ** 2)
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def recall_interval(
    value: float,
    items: Floats,
    right: NDArray[np.bool_],
    truth: Ints,
    *,
    mix: Floats | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the interval of a mean of recalls, which knows that a recall may rest on few items.

    Args:
        value: the mean of the recalls.
        items: [n] scores of the items, whose mean it is.
        right: [n] whether each item was decided rightly; [n, K] of each label.
        truth: [n] its class; [n, K] zeros and ones.
        mix: [K] weights of the recalls of classes; None: they are equal.
        level: of the interval.
    """
    return mean_interval(value, items, worth=_worth_of_recalls(right, truth, mix), level=level)


def _worth_of_recalls(right: NDArray[np.bool_], truth: Ints, mix: Floats | None) -> float:
    """Return how many items of a plain share are worth as much as recalls that rest on few items.

    The variance of the mean recall is that of independent recalls, each with two successes and two failures more
    (Agresti & Coull 1998), so that a recall of one item is not taken for certain.

    Args:
        right: [n] whether the item is decided rightly, or [n, K] for each label.
        truth: [n] classes, or [n, K] zeros and ones.
        mix: [K] weights of the classes, or None.
    """
    weights = None
    if truth.ndim == 1:
        members = [right[truth == each] for each in np.unique(truth)]
        weights = None if mix is None else mix[np.unique(truth)]
    else:
        both = [k for k in range(truth.shape[1]) if 0 < truth[:, k].sum() < len(truth)]
        members = [right[truth[:, k] == each, k] for k in both for each in (0, 1)]
    if not members:
        return math.inf
    counts = np.array([len(each) for each in members])
    recalls = (np.array([each.sum() for each in members]) + 2) / (counts + 4)
    weights = np.full(len(members), 1 / len(members)) if weights is None else weights / weights.sum()
    mean = float(weights @ recalls)
    return mean * (1 - mean) / float(weights**2 @ (recalls * (1 - recalls) / counts))
