"""Retrain on what a plan adds, and score: the proof of the plan (§5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


SCORES = ("accuracy", "balanced_accuracy", "worst_class_accuracy", "macro_f1")
"""Metrics of `Scores`, in the order in which they are reported."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """Test results of one arm.

    Attributes:
        predictions: [n_test] predicted classes.
        correct: [n_test] whether each test item is classified rightly.
        accuracy: share of test items classified rightly.
        balanced_accuracy: mean recall over the classes of the test part.
        worst_class_accuracy: smallest recall of a class of the test part.
        macro_f1: mean F1 over the classes of the test part.
        majority: whether the arm does no better than predicting the most frequent class.
    """

    predictions: Ints
    correct: NDArray[np.bool_]
    accuracy: float
    balanced_accuracy: float
    worst_class_accuracy: float
    macro_f1: float
    majority: bool


def score(predictions: Ints, labels: Ints) -> Scores:
    """Compare predictions [n_test] with labels [n_test]."""
    num_classes = int(max(predictions.max(), labels.max())) + 1
    confusion = np.bincount(labels * num_classes + predictions, minlength=num_classes**2).reshape(num_classes, -1)
    hits, actual, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = actual > 0
    recall = hits[present] / actual[present]
    accuracy = float(hits.sum() / len(labels))
    majority_rate = actual.max() / len(labels)
    return Scores(
        predictions=predictions,
        correct=predictions == labels,
        accuracy=accuracy,
        balanced_accuracy=float(recall.mean()),
        worst_class_accuracy=float(recall.min()),
        macro_f1=float(np.mean(2 * hits[present] / (actual + predicted)[present])),
        majority=bool(np.count_nonzero(predicted) == 1 or accuracy <= majority_rate),
    )
