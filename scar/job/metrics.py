"""Every metric that the rows of a job may hold: what it is called, its unit, which way is better, how it is shown.

A metric equals its name, so that ``rows.metric == Metric.NEED`` selects rows and ``Rows.add`` takes either.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Self


class Number(Enum):
    """How a report shows a value; `scar.reporting.text.shown` does it."""

    COUNT = "whole number"
    SIZE = "whole number; 0 is met, infinity is unreachable"
    DECIMAL = "three decimals"
    RATIO = "one decimal, or ∞"
    PERCENT = "percent, the sign stands in the header"
    SHARE = "percent with its sign"


class Better(Enum):
    """Which way a value is better; most numbers describe and are neither."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


COUNT, SIZE, DECIMAL, RATIO, PERCENT, SHARE = Number
HIGHER, LOWER, NEITHER = Better


class Metric(StrEnum):
    """The metrics by their names in the column ``metric`` of the rows.

    Attributes:
        label: what sentences and axes call it.
        unit: of the value.
        better: which way.
        number: how it is shown.
        table: file stem of the first table of a report that shows it; empty if only figures or pages do.
    """

    label: str
    unit: str
    better: Better
    number: Number
    table: str

    N_TOTAL = "n_total", "train", "samples", NEITHER, COUNT, "table1"
    N_PRIMARY = "n_primary", "primary", "samples", NEITHER, COUNT, "table1"
    N_RESERVE = "n_reserve", "reserve", "samples", NEITHER, COUNT, "table1"
    N_VALIDATION = "n_validation", "validation", "samples", NEITHER, COUNT, ""
    N_HELDOUT = "n_heldout", "held-out", "samples", NEITHER, COUNT, ""
    N_TEST = "n_test", "test", "samples", NEITHER, COUNT, "table1"
    N_POOL = "n_pool", "without a label", "samples", NEITHER, COUNT, ""
    NUM_CLASSES = "num_classes", "classes", "classes", NEITHER, COUNT, "table1"
    MAJORITY_RATE = "majority_rate", "largest class", "fraction of the test items", NEITHER, SHARE, "table1"
    SAMPLES = "samples", "samples", "samples", NEITHER, COUNT, ""
    CLASS_SIZE = "class_size", "class size", "samples", NEITHER, COUNT, "plan"

    TRUNCATED = "truncated", "texts cut short", "fraction of the texts", LOWER, PERCENT, ""

    LABEL_SET_SIZE = "label_set_size", "classes", "classes", NEITHER, COUNT, "indicators"
    SMALLEST_CLASS = "smallest_class", "smallest", "samples", NEITHER, COUNT, "indicators"
    MEDIAN_CLASS = "median_class", "median", "samples", NEITHER, COUNT, "indicators"
    LARGEST_CLASS = "largest_class", "largest", "samples", NEITHER, COUNT, "indicators"
    LEFT_SKEW = "left_skew", "skew", "fraction of the assignments", NEITHER, SHARE, "indicators"
    LONG_TAIL = "long_tail", "tail", "fraction of the classes", NEITHER, SHARE, "indicators"
    IMBALANCE_RATIO = "imbalance_ratio", "ratio", "largest over smallest class", LOWER, RATIO, "indicators"
    NORMALISED_ENTROPY = "normalised_entropy", "entropy", "of its maximum", HIGHER, DECIMAL, "indicators"
    GINI = "gini", "Gini", "coefficient", LOWER, DECIMAL, "indicators"

    SCALE = "scale", "scale", "of 1", HIGHER, DECIMAL, "table2a"
    COVERAGE = "coverage", "coverage", "of 1", HIGHER, DECIMAL, "table2a"
    AUTHENTICITY = "authenticity", "authenticity", "of 1", HIGHER, DECIMAL, "table2a"
    RICHNESS = "richness", "richness", "of 1", HIGHER, DECIMAL, "table2a"
    TRUE_POSITIVES = "true_positives", "true positives", "samples", HIGHER, COUNT, ""
    GAP = "gap", "gap", "difference of two errors", LOWER, PERCENT, ""
    CONVERGED = "converged", "converged", "fraction of the probes", HIGHER, PERCENT, ""
    CONSTANT_FEATURES = "constant_features", "constant features", "features", LOWER, COUNT, ""
    FAR_ROWS = "far_rows", "far rows", "samples", LOWER, COUNT, ""

    FOUNDATION_SIZE = "foundation_size", "foundation size", "samples", LOWER, SIZE, "table2a"
    STEP_SIZE = "step_size", "step size", "samples of the whole set", LOWER, SIZE, "agreement"
    REACH = "reach", "P(enough)", "probability that the gap is within the tolerance", HIGHER, SHARE, ""
    GAP_AHEAD = "gap_ahead", "gap", "difference of two errors", LOWER, PERCENT, ""
    ACCURACY_AHEAD = "accuracy_ahead", "accuracy", "fraction of samples like those held out", HIGHER, PERCENT, ""
    NEED = "need", "need", "samples of the class", LOWER, SIZE, "plan"

    BUDGET = "budget", "budget", "samples", NEITHER, COUNT, ""
    EXTENSION_SIZE = "extension_size", "extended", "samples", NEITHER, COUNT, "table2a"
    COST = "cost", "cost", "unit of the budget", LOWER, DECIMAL, ""
    ADDED = "added", "added", "samples", NEITHER, COUNT, "plan"
    EXPECTED = "expected", "expected", "samples", NEITHER, COUNT, ""
    OBTAINED = "obtained", "obtained", "samples", NEITHER, COUNT, ""
    WHAT_IF_ADDED = "what_if_added", "added", "samples", NEITHER, COUNT, ""
    WHAT_IF_COST = "what_if_cost", "cost", "unit of the budget", LOWER, DECIMAL, ""
    EXPECTED_ACCURACY = "expected_accuracy", "accuracy", "fraction of the test items", HIGHER, PERCENT, ""
    EXPECTED_BALANCED_ACCURACY = "expected_balanced_accuracy", "balanced accuracy", "mean recall", HIGHER, PERCENT, ""
    EXPECTED_MATCHED_ACCURACY = (
        "expected_matched_accuracy", "matched accuracy", "fraction of the test items", HIGHER, PERCENT, "",
    )  # fmt: skip
    EXPECTED_MATCHED_BALANCED_ACCURACY = (
        "expected_matched_balanced_accuracy", "matched balanced accuracy", "mean recall", HIGHER, PERCENT, "",
    )  # fmt: skip
    EXPECTED_GAIN = "expected_gain", "accuracy", "difference of accuracies", HIGHER, PERCENT, "shopping"
    EXPECTED_BALANCED_GAIN = (
        "expected_balanced_gain", "balanced accuracy", "difference of mean recalls", HIGHER, PERCENT, "shopping",
    )  # fmt: skip
    EXPECTED_MATCHED_GAIN = (
        "expected_matched_gain", "matched accuracy", "difference of accuracies", HIGHER, PERCENT, "shopping",
    )  # fmt: skip
    EXPECTED_MATCHED_BALANCED_GAIN = (
        "expected_matched_balanced_gain", "matched balanced accuracy", "difference of mean recalls", HIGHER, PERCENT,
        "shopping",
    )  # fmt: skip
    RECALL_AHEAD = "recall_ahead", "recall with twice the data", "of equal classes", HIGHER, PERCENT, ""
    ROUND_ADDED = "round_added", "buy now", "samples", NEITHER, COUNT, ""
    ROUND_COST = "round_cost", "cost now", "unit of the budget", LOWER, DECIMAL, ""
    ROUND_GAIN = "round_gain", "gain now", "difference of scores", HIGHER, PERCENT, ""
    ROUND_CHANCE = (
        "round_chance",
        "P(reached now)",
        "probability that the target is reached after this round",
        HIGHER,
        SHARE,
        "",
    )
    HORIZON_CHANCE = (
        "horizon_chance", "P(reached by the last)", "probability that the target is reached by the last round", HIGHER, SHARE, "",
    )  # fmt: skip
    HORIZON_COST = "horizon_cost", "expected cost", "of all rounds, in the unit of the budget", LOWER, DECIMAL, ""
    TO_LABEL = "to_label", "to label", "samples", NEITHER, COUNT, ""
    TO_COLLECT = "to_collect", "collect", "samples", NEITHER, COUNT, "shopping"

    MATCHED_ACCURACY = (
        "matched_accuracy", "matched accuracy", "fraction of the test items", HIGHER, PERCENT, "table2b",
    )  # fmt: skip
    MATCHED_BALANCED_ACCURACY = (
        "matched_balanced_accuracy", "matched balanced accuracy", "mean recall", HIGHER, PERCENT, "table2b",
    )  # fmt: skip
    MATCHED_WORST_CLASS_ACCURACY = (
        "matched_worst_class_accuracy", "matched worst-class accuracy", "recall", HIGHER, PERCENT, "table2b",
    )  # fmt: skip
    MATCHED_MACRO_F1 = "matched_macro_f1", "matched macro-F1", "mean F1", HIGHER, PERCENT, "table2b"
    ACCURACY = "accuracy", "accuracy", "fraction of the test items", HIGHER, PERCENT, "table2b"
    BALANCED_ACCURACY = "balanced_accuracy", "balanced accuracy", "mean recall", HIGHER, PERCENT, "table2b"
    WORST_CLASS_ACCURACY = "worst_class_accuracy", "worst-class accuracy", "recall", HIGHER, PERCENT, "table2b"
    MACRO_F1 = "macro_f1", "macro-F1", "mean F1", HIGHER, PERCENT, "table2b"
    AVERAGE_PRECISION = "average_precision", "average precision", "mean over labels", HIGHER, PERCENT, "table2b"

    CLUSTERS = "clusters", "clusters", "clusters", NEITHER, COUNT, "alignment"
    CLUSTER_SIZE = "cluster_size", "sizes", "samples", NEITHER, COUNT, "alignment"
    INERTIA = "inertia", "inertia", "sum of squared distances", LOWER, DECIMAL, ""
    STABILITY_SEEDS = "stability_seeds", "stability", "adjusted Rand index", HIGHER, DECIMAL, "alignment"
    STABILITY_BOOTSTRAP = "stability_bootstrap", "stability", "adjusted Rand index", HIGHER, DECIMAL, "alignment"
    CAPTIONS = "captions", "captions", "captions of an item", NEITHER, DECIMAL, ""
    TIE_SHARE = "tie_share", "ties", "fraction of the items", LOWER, PERCENT, "alignment"
    CAPTION_AGREEMENT = "caption_agreement", "agreement", "fraction of the captions", HIGHER, PERCENT, "alignment"
    CLUSTER_SCORE = "cluster_score", "score", "score of a number of clusters", HIGHER, DECIMAL, ""
    CLUSTER_NMI = "cluster_nmi", "NMI", "normalised mutual information", HIGHER, DECIMAL, "alignment"
    CLUSTER_ARI = "cluster_ari", "ARI", "adjusted Rand index", HIGHER, DECIMAL, "alignment"
    RECALL_AT_1 = "recall_at_1", "R@1", "fraction of the queries", HIGHER, PERCENT, "alignment"
    RECALL_AT_5 = "recall_at_5", "R@5", "fraction of the queries", HIGHER, PERCENT, "alignment"
    RECALL_AT_10 = "recall_at_10", "R@10", "fraction of the queries", HIGHER, PERCENT, "alignment"
    MEDIAN_RANK = "median_rank", "median rank", "place among the candidates", LOWER, COUNT, "alignment"
    MAPPED_RECALL_AT_1 = "mapped_recall_at_1", "R@1", "fraction of the queries", HIGHER, PERCENT, "alignment"
    MAPPED_RECALL_AT_5 = "mapped_recall_at_5", "R@5", "fraction of the queries", HIGHER, PERCENT, "alignment"
    MAPPED_RECALL_AT_10 = "mapped_recall_at_10", "R@10", "fraction of the queries", HIGHER, PERCENT, "alignment"
    MAPPED_MEDIAN_RANK = "mapped_median_rank", "median rank", "place among the candidates", LOWER, COUNT, "alignment"
    PAIR_SCORE = "pair_score", "cosine", "cosine", NEITHER, DECIMAL, ""
    TEST_REPEATS_TRAIN = "test_repeats_train", "repeats", "fraction of the test items", LOWER, PERCENT, "alignment"

    def __new__(cls, name: str, label: str, unit: str, better: Better, number: Number, table: str) -> Self:
        """Make the string and hang what is known of it on it."""
        metric = str.__new__(cls, name)
        metric._value_ = name
        metric.label, metric.unit, metric.better, metric.number, metric.table = label, unit, better, number, table
        return metric

    @classmethod
    def of(cls, name: str) -> Metric:
        """Return the metric of a row; the parameter of an indicator (``"left_skew@5%"``) is no part of its name.

        Raises:
            ValueError: it is not registered.
        """
        known, at, _ = name.partition("@")
        metric = _BY_NAME.get(known)
        if metric is None or (at and metric not in (cls.LEFT_SKEW, cls.LONG_TAIL)):
            raise ValueError(
                f"metric={name!r} is not registered: declare it in scar.job.metrics.Metric; there are {', '.join(cls)}"
            )
        return metric

    @property
    def header(self) -> str:
        """The label with a capital first letter, as tables have it."""
        return self.label[:1].upper() + self.label[1:]

    @classmethod
    def of_table(cls, table: str) -> tuple[Self, ...]:
        """Return the metrics that a table of a report shows, in its order."""
        return tuple(metric for metric in cls if metric.table == table)


_BY_NAME = {str(metric): metric for metric in Metric}
