"""Scores of decisions on samples that carry any number of labels: each label is a decision of its own.

Raw decisions follow the sign of each logit. Matched ones (`scar.probes.decisions`) suit the share of the samples that a score
assumes to carry the label: a half for balanced accuracy, the share where the probe is used for F1. Accuracy and the worst
class belong to classes that exclude one another and are not defined here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Bools, Floats, Floats32, Ints
from scar.evaluation.scores import SCORES, Scores
from scar.probes.decisions import decide_labels, matched_label_shift

LABEL_SCORES = ("matched_balanced_accuracy", "matched_macro_f1", "average_precision", "balanced_accuracy", "macro_f1")
"""Metrics of `LabelScores`, in the order in which they are reported."""

EVERY_SCORE = (*SCORES, *(metric for metric in LABEL_SCORES if metric not in SCORES))
"""Metrics of arms of either kind."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelPredictions:
    """What an arm decides for the test part.

    Attributes:
        raw: [n_test, K] decisions by the sign of the logits.
        deployment: [n_test, K] decisions matched to the shares where the probe is used.
        uniform: [n_test, K] decisions matched to a half.
        logits: [n_test, K]; −∞ for a label that no training sample carries.
        converged: whether the training of its probe ended by its own rule.
    """

    raw: Bools
    deployment: Bools
    uniform: Bools
    logits: Floats32
    converged: bool


def decide_each(
    logits: NDArray[np.floating], *, trained: Ints, total: int, shares: Floats, converged: bool
) -> LabelPredictions:
    """Decide raw and matched.

    Args:
        logits: [n_test, K].
        trained: [K] training samples that carry each label.
        total: training samples.
        shares: [K] shares of the samples that carry each label where the probe is used.
        converged: passed through.
    """
    known = np.where(np.asarray(trained) > 0, logits, -np.inf)
    return LabelPredictions(
        raw=decide_labels(known, 0.0),
        deployment=decide_labels(logits, matched_label_shift(trained, total, shares)),
        uniform=decide_labels(logits, matched_label_shift(trained, total, np.full(len(shares), 0.5))),
        logits=known.astype(np.float32),
        converged=converged,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelScores:
    """Test results of one arm.

    Attributes:
        predictions: what it decided.
        balanced_accuracy: mean over the labels of half the shares of those that carry it and of those that lack it and
            are decided rightly; labels that all or no test items carry do not count.
        macro_f1: mean F1 over the labels of the test part.
        matched_balanced_accuracy: of decisions matched to a half.
        matched_macro_f1: of decisions matched to the shares of deployment.
        average_precision: mean over the labels of the test part; matching does not change it.
        by_label: metric → [K]; NaN for a label that does not count.
        majority: whether the arm decides all items alike.
    """

    predictions: LabelPredictions
    balanced_accuracy: float
    macro_f1: float
    matched_balanced_accuracy: float
    matched_macro_f1: float
    average_precision: float
    by_label: Mapping[str, Floats]
    majority: bool


def scores_of(result: Scores | LabelScores) -> tuple[str, ...]:
    """Return the metrics of the results of an arm."""
    return LABEL_SCORES if isinstance(result, LabelScores) else SCORES


def score_labels(predictions: LabelPredictions, labels: Ints) -> LabelScores:
    """Compare what an arm decided with labels [n_test, K]."""
    truth = labels.astype(bool)
    by_label = {
        "matched_balanced_accuracy": balanced_accuracies(predictions.uniform, truth),
        "matched_macro_f1": f1_scores(predictions.deployment, truth),
        "average_precision": average_precisions(predictions.logits, truth),
        "balanced_accuracy": balanced_accuracies(predictions.raw, truth),
        "macro_f1": f1_scores(predictions.raw, truth),
    }
    means = {name: float(np.nanmean(each)) if np.isfinite(each).any() else np.nan for name, each in by_label.items()}
    alike = bool((predictions.uniform == predictions.uniform[:1]).all())
    return LabelScores(predictions=predictions, by_label=by_label, majority=alike, **means)


def balanced_accuracies(decided: Bools, truth: Bools) -> Floats:
    """Return [K] half the recall of each label plus half that of its absence; NaN where test items do not differ."""
    carried, size = truth.sum(axis=0), len(truth)
    right = (decided & truth).sum(axis=0) / np.maximum(carried, 1)
    lacked = (~decided & ~truth).sum(axis=0) / np.maximum(size - carried, 1)
    values: Floats = np.where((carried > 0) & (carried < size), 0.5 * (right + lacked), np.nan)
    return values


def f1_scores(decided: Bools, truth: Bools) -> Floats:
    """Return [K] the F1 of each label; NaN where no test item carries it."""
    carried = truth.sum(axis=0)
    values = 2 * (decided & truth).sum(axis=0) / np.maximum(carried + decided.sum(axis=0), 1)
    return np.where(carried > 0, values, np.nan)


def average_precisions(logits: Floats32, truth: Bools) -> Floats:
    """Return [K] the average precision of each label; NaN where no test item carries it."""
    from sklearn.metrics import average_precision_score

    carried = truth.any(axis=0)
    values = np.full(truth.shape[1], np.nan)
    ranked = np.nan_to_num(logits.astype(np.float64), neginf=-1e300)
    for label in np.flatnonzero(carried):
        values[label] = average_precision_score(truth[:, label], ranked[:, label])
    return values


def label_item_scores(decided: Bools, truth: Bools, metric: str) -> Floats:
    """Scores [..., n] of the test items whose mean over items is a metric of each set of decisions.

    As in `scar.evaluation.weighted_metrics`: the metric plus n times the influence of the item on it, so that the variance of
    the mean is that of the metric to first order in 1/n.

    Args:
        decided: [..., n, K].
        truth: [n, K].
        metric: ``"balanced_accuracy"`` or ``"macro_f1"``.
    """
    size, carried = len(truth), truth.sum(axis=0)
    right = decided == truth
    if metric == "balanced_accuracy":
        known = (carried > 0) & (carried < size)
        scores = np.zeros(decided.shape)
        for own, count in ((truth, carried), (~truth, size - carried)):
            rate = (right & own).sum(axis=-2, keepdims=True) / np.maximum(count, 1)
            unbiased = size / np.maximum(count, 1) * np.sqrt(count / np.maximum(count - 1, 1))
            scores += 0.5 * (rate + np.where(own, unbiased * (right - rate), 0.0))
    elif metric == "macro_f1":
        known = carried > 0
        both = np.maximum(carried + decided.sum(axis=-2, keepdims=True), 1)
        f1 = 2.0 * (decided & truth).sum(axis=-2, keepdims=True) / both
        scores = f1 + size / both * (2.0 * (decided & truth) - f1 * (truth.astype(float) + decided))
    else:
        raise ValueError(f"metric={metric!r} has no scores of single items; choose balanced_accuracy or macro_f1")
    mean: Floats = scores[..., known].mean(axis=-1)
    return mean
