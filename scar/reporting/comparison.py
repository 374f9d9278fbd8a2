"""Did the plan help? Test scores of every arm and their differences, paired over seeds and test items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scar.reporting.study import Outcomes, Study
from scar.statistics import (
    METRICS,
    Estimate,
    Floats,
    answers_one_class,
    bootstrap_interval,
    corrected_interval,
    holm,
    replicate_metric,
)

if TYPE_CHECKING:
    import pandas as pd

STRATEGIES = ("scar", "random", "class_average")
"""The strategies of the paper; a study that lacks one shows it as missing."""
ALL_METRICS = (*METRICS, "macro_f1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Scores and differences of all groups.

    Attributes:
        arms: one row per group × subject × fraction × metric: value, low, high, spread, seeds, added (samples; mean
            over seeds), majority (seeds whose arm answers one class only, or no better than the most frequent class).
        differences: one row per group × (first, second) × fraction × metric: value, low, high, p_value,
            p_holm (within the metric, over all strategy comparisons of the study), seeds, spread, flag, method.
        level: of all intervals.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    level: float


def compare(study: Study, *, reference: str = "scar", level: float = 0.95, resamples: int = 2000) -> Comparison:
    """Score every arm and compare `reference` with every other strategy, and with the primary set, at equal size.

    Accuracy and balanced accuracy get the two-way bootstrap over seeds × test items. Macro-F1, and jobs that kept no
    outcomes by item, get the Nadeau-Bengio interval over seeds, which is wider; column ``method`` says which.
    """
    import pandas as pd

    arms: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    for group in study.groups():
        scores = _GroupScores(study.of(group), study.outcomes(group), level=level, resamples=resamples)
        arms += [{**group, **row} for row in scores.arm_rows()]
        differences += [{**group, **row} for row in scores.difference_rows(reference)]
    axes = list(study.axes)
    frame = pd.DataFrame(differences, columns=[*axes, *_DIFFERENCE_COLUMNS])
    frame["p_holm"] = np.nan
    for metric in frame.metric.unique():
        family = (frame.metric == metric) & (frame.second != "primary")
        frame.loc[family, "p_holm"] = holm(frame.loc[family, "p_value"].to_numpy(dtype=float))
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
    return Comparison(arms=pd.DataFrame(arms, columns=columns), differences=frame, level=level)


_DIFFERENCE_COLUMNS = (
    *("first", "second", "fraction", "metric", "value", "low", "high", "p_value"),
    *("p_holm", "seeds", "spread", "flag", "method"),
)


class _GroupScores:
    """All arms of one group (dataset × encoder × regime × …)."""

    def __init__(self, rows: pd.DataFrame, outcomes: Outcomes, *, level: float, resamples: int) -> None:
        self.rows = rows[rows.stage == "evaluation"]
        self.outcomes, self.level, self.resamples = outcomes, level, resamples
        keys = self.rows[self.rows.metric == "accuracy"][["subject", "fraction"]].drop_duplicates()
        self.keys = sorted(
            ((s, None if np.isnan(f) else float(f)) for s, f in keys.itertuples(index=False)),
            key=lambda k: (-1.0 if k[1] is None else k[1], strategy_order(k[0])),
        )
        sizes = {m: rows.loc[(rows.stage == "dataset") & (rows.metric == m), "value"] for m in ("n_test", "n_primary")}
        self.n_test, self.n_primary = (float(v.mean()) if len(v) else float("nan") for v in sizes.values())
        self._replicates: dict[tuple[str, str, float | None], Floats] = {}

    def per_seed(self, subject: str, fraction: float | None, metric: str) -> pd.Series[float]:
        """Value of a metric by seed, from the rows."""
        rows = self.rows[(self.rows.subject == subject) & (self.rows.metric == metric)]
        rows = rows[rows.fraction.isna()] if fraction is None else rows[np.isclose(rows.fraction, fraction)]
        return rows.set_index("seed")["value"].sort_index()

    def arm_rows(self) -> list[dict[str, Any]]:
        """Rows of `Comparison.arms`."""
        rows = []
        for subject, fraction in self.keys:
            for metric in ALL_METRICS:
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
        rows = []
        subjects = [s for s, f in self.keys if f is not None and s != reference]
        for fraction in [f for s, f in self.keys if s == reference and f is not None]:
            for second in (*dict.fromkeys(subjects), "primary"):
                own = None if second == "primary" else fraction
                for metric in ALL_METRICS:
                    result = self._difference((reference, fraction), (second, own), metric)
                    if result is not None:
                        estimate, method = result
                        head = {"first": reference, "second": second, "fraction": fraction, "metric": metric}
                        extra = {"p_value": estimate.p_value, "flag": estimate.flag, "method": method}
                        rows.append({**head, **_interval(estimate), **extra})
        return rows

    def _arm(self, subject: str, fraction: float | None, metric: str) -> Estimate | None:
        values = self.per_seed(subject, fraction, metric)
        seeds = self.outcomes.seeds(subject, fraction)
        if metric in METRICS and seeds:
            scores = self.outcomes.matrix(subject, fraction, seeds)
            replicates = self._item_replicates(subject, fraction, metric)
            return bootstrap_interval(
                scores, self.outcomes.labels, metric=metric, level=self.level, replicates=replicates, bounds=(0.0, 1.0)
            )
        if values.empty:
            return None
        return corrected_interval(values.to_numpy(dtype=float), test_share=self._test_share(), level=self.level)

    def _difference(
        self, first: tuple[str, float | None], second: tuple[str, float | None], metric: str
    ) -> tuple[Estimate, str] | None:
        seeds = sorted(set(self.outcomes.seeds(*first)) & set(self.outcomes.seeds(*second)))
        if metric in METRICS and seeds:
            a, b = (self.outcomes.matrix(*arm, seeds).astype(np.int8) for arm in (first, second))
            ra, rb = (self._item_replicates(*arm, metric) for arm in (first, second))
            ia, ib = ([self.outcomes.seeds(*arm).index(s) for s in seeds] for arm in (first, second))
            replicates = ra[:, ia] - rb[:, ib]
            labels = self.outcomes.labels
            estimate = bootstrap_interval(a - b, labels, metric=metric, level=self.level, replicates=replicates)
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
            blocks = [self.outcomes.matrix(*k, self.outcomes.seeds(*k)) for k in arms]
            found = replicate_metric(
                np.concatenate(blocks), self.outcomes.labels, metric=metric, resamples=self.resamples
            )
            ends = np.cumsum([len(block) for block in blocks])[:-1]
            for arm, part in zip(arms, np.split(found, ends, axis=1), strict=True):
                self._replicates[(metric, *arm)] = part
        return self._replicates[key]

    def _test_share(self) -> float:
        """Test samples over training samples; 0 where the rows do not say."""
        share = self.n_test / self.n_primary
        return 0.0 if np.isnan(share) else share

    def _added(self, subject: str, fraction: float | None) -> float:
        if fraction is None:
            return 0.0
        rows = self.rows[(self.rows.subject == subject) & (self.rows.metric == "accuracy")]
        return float((rows[np.isclose(rows.fraction, fraction)].n.astype(float)).mean() - self._base())

    def _base(self) -> float:
        """Mean size of the primary set."""
        own = self.rows[(self.rows.subject == "primary") & (self.rows.metric == "accuracy")].n.astype(float)
        return float(own.mean()) if len(own) else self.n_primary

    def _majority(self, subject: str, fraction: float | None) -> int:
        if seeds := self.outcomes.seeds(subject, fraction):
            labels = self.outcomes.labels
            rate = np.bincount(labels).max() / len(labels)
            right = self.outcomes.matrix(subject, fraction, seeds)
            return sum(bool(r.mean() <= rate) or answers_one_class(r, labels) for r in right)
        rows = self.rows[(self.rows.subject == subject) & (self.rows.metric == "accuracy")]
        rows = rows[rows.fraction.isna()] if fraction is None else rows[np.isclose(rows.fraction, fraction)]
        return int(rows.flag.str.contains("majority").sum())


def strategy_order(name: str) -> tuple[int, str]:
    """Sort key: primary, total, the strategies of the paper, then the others by name."""
    known = ("primary", "total", *STRATEGIES)
    return (known.index(name) if name in known else len(known), name)


def _head(subject: str, fraction: float | None, metric: str) -> dict[str, Any]:
    return {"subject": subject, "fraction": np.nan if fraction is None else fraction, "metric": metric}


def _interval(estimate: Estimate) -> Mapping[str, Any]:
    return {name: getattr(estimate, name) for name in ("value", "low", "high", "spread", "seeds")}
