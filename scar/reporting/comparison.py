"""Did the plan help? Test scores of every arm and their differences, paired over seeds and test items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scar.evaluation import SCORES
from scar.reporting.study import Outcomes, Study
from scar.statistics import (
    METRICS,
    Estimate,
    Floats,
    answers_one_class,
    bootstrap_interval,
    corrected_interval,
    f1_scores,
    holm,
    power,
    replicate_metric,
)

if TYPE_CHECKING:
    import pandas as pd

STRATEGIES = ("scar", "random", "class_average")
"""The strategies of the paper; a study that lacks one shows it as missing."""
BASELINES = ("random", "class_average")
"""What every planner is measured against."""
BY_ITEM = (*METRICS, "macro_f1")
"""Metrics with an interval over seeds × test items; the worst class is a minimum, which has none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Scores and differences of all groups.

    Attributes:
        arms: one row per group × subject × fraction × metric: value, low, high, spread, seeds, added (samples; mean
            over seeds), majority (seeds whose arm answers one class only, or no better than the most frequent class).
        differences: one row per group × (first, second) × fraction × metric: value, low, high, p_value,
            p_holm (within the metric, over all strategy comparisons of the study), power (to have found one point,
            at the level that the first step of Holm asks for), seeds, spread, flag, method.
        planners: like `differences`, every strategy against each of `BASELINES`; p_holm and power within the metric
            over all of them.
        level: of all intervals.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    planners: pd.DataFrame
    level: float


def compare(study: Study, *, reference: str = "scar", level: float = 0.95, resamples: int = 2000) -> Comparison:
    """Score every arm and compare `reference` with every other strategy, and with the primary set, at equal size.

    Accuracy, balanced accuracy and macro-F1 get the two-way bootstrap over seeds × test items. The worst class, and
    jobs that kept no predictions, get the Nadeau-Bengio interval over seeds, which is wider; column ``method`` says
    which.
    """
    import pandas as pd

    arms: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    planners: list[dict[str, Any]] = []
    for group in study.groups():
        scores = _GroupScores(study.of(group), study.outcomes(group), level=level, resamples=resamples)
        arms += [{**group, **row} for row in scores.arm_rows()]
        differences += [{**group, **row} for row in scores.difference_rows(reference)]
        planners += [{**group, **row} for row in scores.planner_rows()]
    axes = list(study.axes)
    paired = [
        _corrected(pd.DataFrame(found, columns=[*axes, *_DIFFERENCE_COLUMNS])) for found in (differences, planners)
    ]
    columns = [
        *axes,
        "subject",
        "fraction",
        "metric",
        "value",
        "low",
        "high",
        "spread",
        "seeds",
        "added",
        "majority",
    ]
    scored = pd.DataFrame(arms, columns=columns)
    return Comparison(arms=scored, differences=paired[0], planners=paired[1], level=level)


ONE_POINT = 0.01
"""The difference whose power is reported."""
_DIFFERENCE_COLUMNS = (
    *("first", "second", "fraction", "metric", "value", "low", "high", "p_value"),
    *("p_holm", "power", "seeds", "spread", "flag", "method", "estimate"),
)


def _corrected(frame: pd.DataFrame) -> pd.DataFrame:
    """Correct the p-values of each metric together, give the power, and drop the estimates behind them."""
    frame[["p_holm", "power"]] = np.nan
    for metric in frame.metric.unique():
        family = (frame.metric == metric) & (frame.second != "primary")
        p_values = frame.loc[family, "p_value"].to_numpy(dtype=float)
        tests = max(int(np.isfinite(p_values).sum()), 1)
        frame.loc[family, "p_holm"] = holm(p_values)
        frame.loc[family, "power"] = [power(each, ONE_POINT, tests=tests) for each in frame.loc[family, "estimate"]]
    return frame.drop(columns="estimate")


class _GroupScores:
    """All arms of one group (dataset × encoder × regime × …)."""

    def __init__(self, rows: pd.DataFrame, outcomes: Outcomes, *, level: float, resamples: int) -> None:
        self.rows = rows[rows.stage == "evaluation"]
        self.outcomes, self.level, self.resamples = outcomes, level, resamples
        named = ["subject", "fraction", "metric"]
        self._by_arm = {
            (str(s), None if np.isnan(f) else float(f), str(m)): own
            for (s, f, m), own in self.rows.groupby(named, dropna=False, sort=False)
        }
        keys = self.rows[self.rows.metric == "accuracy"][["subject", "fraction"]].drop_duplicates()
        self.keys = sorted(
            ((s, None if np.isnan(f) else float(f)) for s, f in keys.itertuples(index=False)),
            key=lambda k: (-1.0 if k[1] is None else k[1], strategy_order(k[0])),
        )
        sizes = {m: rows.loc[(rows.stage == "dataset") & (rows.metric == m), "value"] for m in ("n_test", "n_primary")}
        self.n_test, self.n_primary = (float(v.mean()) if len(v) else float("nan") for v in sizes.values())
        self._differences: dict[tuple[Any, ...], tuple[Estimate, str] | None] = {}
        self._replicates: dict[tuple[str, str, float | None], Floats] = {}

    def per_seed(self, subject: str, fraction: float | None, metric: str) -> pd.Series:
        """Value of a metric by seed, from the rows."""
        return self._of(subject, fraction, metric).set_index("seed")["value"].sort_index()

    def _of(self, subject: str, fraction: float | None, metric: str) -> pd.DataFrame:
        return self._by_arm.get((subject, fraction, metric), self.rows.iloc[:0])

    def arm_rows(self) -> list[dict[str, Any]]:
        """Rows of `Comparison.arms`."""
        rows = []
        for subject, fraction in self.keys:
            for metric in SCORES:
                estimate = self._arm(subject, fraction, metric)
                if estimate is not None:
                    common = {
                        "added": self._added(subject, fraction),
                        "majority": self._majority(subject, fraction),
                    }
                    rows.append({**_head(subject, fraction, metric), **_interval(estimate), **common})
        return rows

    def difference_rows(self, reference: str) -> list[dict[str, Any]]:
        """Rows of `Comparison.differences`."""
        subjects = [s for s, f in self.keys if f is not None and s != reference]
        return [
            row
            for fraction in [f for s, f in self.keys if s == reference and f is not None]
            for second in (*dict.fromkeys(subjects), "primary")
            for row in self._paired_rows(reference, second, fraction)
        ]

    def planner_rows(self) -> list[dict[str, Any]]:
        """Rows of `Comparison.planners`."""
        return [
            row
            for first, fraction in self.keys
            for second in BASELINES
            if fraction is not None and first != second and (second, fraction) in self.keys
            for row in self._paired_rows(first, second, fraction)
        ]

    def _paired_rows(self, first: str, second: str, fraction: float) -> list[dict[str, Any]]:
        """One row per metric for a strategy minus another one of the same size, or minus the primary set."""
        rows, own = [], None if second == "primary" else fraction
        for metric in SCORES:
            key = (first, fraction), (second, own), metric
            if key not in self._differences:  # the planners of the paper stand in two tables
                self._differences[key] = self._difference(*key)
            result = self._differences[key]
            if result is not None:
                estimate, method = result
                head = {"first": first, "second": second, "fraction": fraction, "metric": metric}
                extra = {"p_value": estimate.p_value, "flag": estimate.flag, "method": method, "estimate": estimate}
                rows.append({**head, **_interval(estimate), **extra})
        return rows

    def _arm(self, subject: str, fraction: float | None, metric: str) -> Estimate | None:
        values = self.per_seed(subject, fraction, metric)
        seeds = self.outcomes.seeds(subject, fraction)
        if metric in BY_ITEM and seeds:
            scores = self._item_scores(subject, fraction, seeds, metric)
            replicates = self._item_replicates(subject, fraction, metric)
            return bootstrap_interval(
                scores,
                self.outcomes.labels,
                metric=_weighting(metric),
                level=self.level,
                replicates=replicates,
                bounds=(0.0, 1.0),
            )
        if values.empty:
            return None
        return corrected_interval(values.to_numpy(dtype=float), test_share=self._test_share(), level=self.level)

    def _difference(
        self, first: tuple[str, float | None], second: tuple[str, float | None], metric: str
    ) -> tuple[Estimate, str] | None:
        seeds = sorted(set(self.outcomes.seeds(*first)) & set(self.outcomes.seeds(*second)))
        if metric in BY_ITEM and seeds:
            a, b = (self._item_scores(*arm, seeds, metric) for arm in (first, second))
            ra, rb = (self._item_replicates(*arm, metric) for arm in (first, second))
            ia, ib = ([self.outcomes.seeds(*arm).index(s) for s in seeds] for arm in (first, second))
            replicates = ra[:, ia] - rb[:, ib]
            estimate = bootstrap_interval(
                a - b, self.outcomes.labels, metric=_weighting(metric), level=self.level, replicates=replicates
            )
            return estimate, "bootstrap"
        values = (self.per_seed(*first, metric) - self.per_seed(*second, metric)).dropna().to_numpy(dtype=float)
        if not len(values):
            return None
        flag = "identical" if not np.any(values) else ""
        share = self._test_share()
        return corrected_interval(values, test_share=share, level=self.level, flag=flag), "nadeau-bengio"

    def _item_replicates(self, subject: str, fraction: float | None, metric: str) -> Floats:
        """Replicates `[resamples, S]` of an arm; every arm of the group sees the same resamples of the items."""
        key = (metric, subject, fraction)
        if key not in self._replicates:
            arms = [k for k in self.keys if self.outcomes.seeds(*k)]
            blocks = [self._item_scores(*k, self.outcomes.seeds(*k), metric) for k in arms]
            found = replicate_metric(
                np.concatenate(blocks), self.outcomes.labels, metric=_weighting(metric), resamples=self.resamples
            )
            ends = np.cumsum([len(block) for block in blocks])[:-1]
            for arm, part in zip(arms, np.split(found, ends, axis=1), strict=True):
                self._replicates[(metric, *arm)] = part
        return self._replicates[key]

    def _item_scores(self, subject: str, fraction: float | None, seeds: list[int], metric: str) -> Floats:
        """Scores `[S, n]` of the test items whose weighted mean is the metric."""
        if metric == "macro_f1":
            return f1_scores(self.outcomes.predicted(subject, fraction, seeds), self.outcomes.labels)
        return self.outcomes.matrix(subject, fraction, seeds).astype(np.float64)

    def _test_share(self) -> float:
        """Test samples over training samples; 0 where the rows do not say."""
        share = self.n_test / self.n_primary
        return 0.0 if np.isnan(share) else share

    def _added(self, subject: str, fraction: float | None) -> float:
        if fraction is None:
            return 0.0
        return float(self._of(subject, fraction, "accuracy").n.astype(float).mean() - self._base())

    def _base(self) -> float:
        """Mean size of the primary set."""
        own = self._of("primary", None, "accuracy").n.astype(float)
        return float(own.mean()) if len(own) else self.n_primary

    def _majority(self, subject: str, fraction: float | None) -> int:
        if seeds := self.outcomes.seeds(subject, fraction):
            labels = self.outcomes.labels
            rate = np.bincount(labels).max() / len(labels)
            right = self.outcomes.matrix(subject, fraction, seeds)
            return sum(bool(r.mean() <= rate) or answers_one_class(r, labels) for r in right)
        return int(self._of(subject, fraction, "accuracy").flag.str.contains("majority").sum())


def _weighting(metric: str) -> str:
    """The metric of `scar.statistics.METRICS` whose weights the scores of the items take."""
    return "accuracy" if metric == "macro_f1" else metric


def strategy_order(name: str) -> tuple[int, str]:
    """Sort key: primary, total, the strategies of the paper, then the others by name."""
    known = ("primary", "total", *STRATEGIES)
    return (known.index(name) if name in known else len(known), name)


def _head(subject: str, fraction: float | None, metric: str) -> dict[str, Any]:
    return {"subject": subject, "fraction": np.nan if fraction is None else fraction, "metric": metric}


def _interval(estimate: Estimate) -> Mapping[str, Any]:
    return {name: getattr(estimate, name) for name in ("value", "low", "high", "spread", "seeds")}
