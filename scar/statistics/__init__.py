"""Differences between arms that share seeds, pool and test set: intervals, tests, their correction and power."""

from scar.statistics.hypotheses import holm, power, sign_test, wilcoxon_test
from scar.statistics.intervals import (
    Estimate,
    bootstrap_interval,
    corrected_interval,
    crossed_variance,
    paired_difference,
    replicate_metric,
)
from scar.statistics.scores import METRICS, Floats, answers_one_class, f1_scores, item_weights

__all__ = [
    "METRICS",
    "Estimate",
    "Floats",
    "answers_one_class",
    "bootstrap_interval",
    "corrected_interval",
    "crossed_variance",
    "f1_scores",
    "holm",
    "item_weights",
    "paired_difference",
    "power",
    "replicate_metric",
    "sign_test",
    "wilcoxon_test",
]
