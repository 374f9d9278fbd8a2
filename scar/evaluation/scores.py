"""Scores of what an arm decides for the test part: the proof of a plan (§5.2).

Raw decisions take the largest logit, as the published tables do. They favour the classes that were frequent in training,
so that a change of frequencies alone moves them. Matched decisions (`scar.probes.decisions`) suit the mix that a score
assumes, equal classes or the deployment mix, and show what the data are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.probes.decisions import decide, matched_shift

RAW = ("accuracy", "balanced_accuracy", "worst_class_accuracy", "macro_f1")
"""Scores of raw decisions."""
MATCHED = tuple(f"matched_{name}" for name in RAW)
"""The same scores of matched decisions."""
SCORES = (*MATCHED, *RAW)
"""Metrics of `Scores`, in the order in which they are reported."""
LEADING = "matched_balanced_accuracy"
"""The score that reports show first."""
_MIX_OF = dict(zip(RAW, ("deployment", "uniform", "uniform", "deployment"), strict=True))


def raw_and_matched(metric: str) -> tuple[str, str]:
    """Return the raw and the matched name of a score."""
    name = metric.removeprefix("matched_")
    return name, f"matched_{name}"


def raw_and_decision(metric: str) -> tuple[str, str]:
    """Return the raw name of a score and the decisions it is taken from: ``"matched_macro_f1"`` → macro-F1, deployment."""
    name, matched = raw_and_matched(metric)
    return name, _MIX_OF[name] if metric == matched else "raw"


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """What an arm decides for the test part.

    Attributes:
        raw: [n_test] classes of the largest logits.
        deployment: [n_test] classes matched to the deployment mix.
        uniform: [n_test] classes matched to equal frequencies.
        converged: whether the training of its probe ended by its own rule.
    """

    raw: Ints
    deployment: Ints
    uniform: Ints
    converged: bool


def decisions(logits: NDArray[np.floating], *, trained: Ints, mix: Floats, converged: bool) -> Predictions:
    """Decide raw and matched.

    Args:
        logits: [n_test, K].
        trained: [K] training samples of each class.
        mix: [K] the deployment mix.
        converged: passed through.
    """
    absent = np.where(np.asarray(trained) > 0, 0.0, -np.inf)
    return Predictions(
        raw=decide(logits, absent),
        deployment=decide(logits, matched_shift(trained, mix)),
        uniform=decide(logits, matched_shift(trained, np.ones(len(mix)))),
        converged=converged,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """Test results of one arm.

    Attributes:
        predictions: what it decided.
        accuracy: share of test items classified rightly.
        balanced_accuracy: mean recall over the classes of the test part.
        worst_class_accuracy: smallest recall of a class of the test part.
        macro_f1: mean F1 over the classes of the test part.
        matched_accuracy: of decisions matched to the deployment mix; under a declared mix π′ it is Σ_j π′_j recall_j.
        matched_balanced_accuracy, matched_worst_class_accuracy: of decisions matched to equal frequencies.
        matched_macro_f1: of decisions matched to the deployment mix.
        majority: whether the arm does no better than predicting the most frequent class.
    """

    predictions: Predictions
    accuracy: float
    balanced_accuracy: float
    worst_class_accuracy: float
    macro_f1: float
    matched_accuracy: float
    matched_balanced_accuracy: float
    matched_worst_class_accuracy: float
    matched_macro_f1: float
    majority: bool


def score_decisions(predictions: Predictions, labels: Ints, *, mix: Floats | None = None) -> Scores:
    """Compare what an arm decided with labels [n_test]; `mix` [K] is a declared deployment mix."""
    by_decision = {name: raw_scores(getattr(predictions, name), labels) for name in ("raw", "deployment", "uniform")}
    values = {}
    for metric in SCORES:
        name, decision = raw_and_decision(metric)
        values[metric] = by_decision[decision][name]
    if mix is not None:
        recall = recalls(predictions.deployment, labels, len(mix))
        values["matched_accuracy"] = float(np.sum(mix * np.nan_to_num(recall)))
    majority_rate = np.bincount(labels).max() / len(labels)
    one_class = len(np.unique(predictions.raw)) == 1
    return Scores(predictions=predictions, majority=bool(one_class or values["accuracy"] <= majority_rate), **values)


def raw_scores(predicted: Ints, labels: Ints) -> Mapping[str, float]:
    """Return the scores of `RAW` for predicted classes [n_test]."""
    num_classes = int(max(predicted.max(), labels.max())) + 1
    confusion = np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, -1)
    hits, actual, claimed = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = actual > 0
    recall = hits[present] / actual[present]
    return {
        "accuracy": float(hits.sum() / len(labels)),
        "balanced_accuracy": float(recall.mean()),
        "worst_class_accuracy": float(recall.min()),
        "macro_f1": float(np.mean(2 * hits[present] / (actual + claimed)[present])),
    }


def recalls(predicted: Ints, labels: Ints, num_classes: int) -> Floats:
    """Return the recall [K] of each class; NaN for a class without test items."""
    actual = np.bincount(labels, minlength=num_classes)
    hits = np.bincount(labels[predicted == labels], minlength=num_classes)
    found: Floats = np.where(actual > 0, hits / np.maximum(actual, 1), np.nan)
    return found
