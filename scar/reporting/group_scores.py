"""Test scores of the arms of one group and their differences, paired over seeds and test items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from scar.common.types import Floats
from scar.evaluation.intervals import (
    JOINT_SEEDS,
    LEAST_SEEDS,
    MeanEstimate,
    at_level,
    crossed_interval,
    seed_interval,
    single_level,
)
from scar.evaluation.item_intervals import score_interval
from scar.evaluation.label_scores import EVERY_SCORE, label_item_scores
from scar.evaluation.scores import LEADING, raw_and_decision
from scar.evaluation.weighted_metrics import answers_one_class, item_scores
from scar.job.metrics import Metric
from scar.reporting.axes import mean, numbers, pick
from scar.reporting.study_job import Outcomes

STRATEGIES = ("scar", "random", "class_average")
"""The strategies of the paper."""
BASELINES = ("random", "class_average")
"""What every planner is measured against."""
ALONE = {"low_simultaneous": np.nan, "high_simultaneous": np.nan}
"""Simultaneous interval of what belongs to no family."""
Arm = tuple[str, float | None]
"""Subject and fraction; the fraction of an arm without a budget is None."""


def strategy_order(name: str) -> tuple[int, str]:
    """Sort key: primary, total, the strategies of the paper, then the others by name."""
    known = ("primary", "total", *STRATEGIES)
    return (known.index(name) if name in known else len(known), name)


class GroupScores:
    """All arms of one group (dataset × encoder × regime × …)."""

    def __init__(self, rows: pd.DataFrame, outcomes: Outcomes, *, level: float) -> None:
        own = pick(rows, ["subject", "fraction", "metric", "seed", "value", "n", "flag"], stage="evaluation")
        self._scored = {name: own[name].tolist() for name in ("seed", "value", "flag")}
        self._scored["n"] = own["n"].to_numpy(dtype=float, na_value=np.nan).tolist()
        self.outcomes, self.level = outcomes, level
        self._by_arm: dict[tuple[str, float | None, str], list[int]] = {}
        arms = zip(own.subject.tolist(), own.fraction.tolist(), own.metric.tolist(), strict=True)
        for place, (subject, fraction, metric) in enumerate(arms):
            known = None if math.isnan(fraction) else fraction
            self._by_arm.setdefault((subject, known, metric), []).append(place)
        self._about: dict[Arm, dict[str, Any]] = {}
        there = {metric for _, _, metric in self._by_arm}
        self.metrics = tuple(metric for metric in EVERY_SCORE if metric in there)
        self._every_arm = Metric.ACCURACY if Metric.ACCURACY in self.metrics else LEADING
        self.keys: list[Arm] = sorted(
            ((subject, fraction) for subject, fraction, metric in self._by_arm if metric == self._every_arm),
            key=lambda k: (-1.0 if k[1] is None else k[1], strategy_order(k[0])),
        )
        self.n_primary = mean(numbers(rows, stage="dataset", metric=Metric.N_PRIMARY))

    def per_seed(self, subject: str, fraction: float | None, metric: str) -> pd.Series:
        """Value of a metric by seed, from the rows."""
        seeds, values = (self._of(subject, fraction, metric, column) for column in ("seed", "value"))
        return pd.Series(values, index=pd.Index(seeds, dtype=np.int64), dtype=float).sort_index()

    def _of(self, subject: str, fraction: float | None, metric: str, column: str) -> list[Any]:
        return [self._scored[column][place] for place in self._by_arm.get((subject, fraction, metric), ())]

    def gain_rows(self) -> list[dict[str, Any]]:
        """Rows of `Comparison.gains`: what every strategy gained over the primary set by the leading score."""
        scores = _MetricScores(self, LEADING)
        arms = [arm for arm in self.keys if arm[1] is not None]
        return scores.difference_to(("primary", None), arms)

    def all_rows(self, reference: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of `Comparison.arms`, `Comparison.differences` and `Comparison.planners`, metric by metric."""
        found: tuple[list[dict[str, Any]], ...] = ([], [], [])
        for metric in self.metrics:
            scores = _MetricScores(self, metric)
            for rows, own in zip(
                found, (scores.arm_rows(), scores.difference_rows(reference), scores.planner_rows()), strict=True
            ):
                rows += own
        return found[0], found[1], found[2]

    def about(self, arm: Arm) -> dict[str, Any]:
        """What `Comparison.arms` says of an arm besides its score, whatever the metric."""
        if arm not in self._about:
            self._about[arm] = {"added": self._added(*arm), "majority": self._majority(*arm)}
        return self._about[arm]

    def _added(self, subject: str, fraction: float | None) -> float:
        if fraction is None:
            return 0.0
        return mean(np.array(self._of(subject, fraction, self._every_arm, "n"))) - self._base()

    def _base(self) -> float:
        """Mean size of the primary set."""
        own = self._of("primary", None, self._every_arm, "n")
        return mean(np.array(own)) if own else self.n_primary

    def _majority(self, subject: str, fraction: float | None) -> int:
        if (seeds := self.outcomes.seeds(subject, fraction)) and not self.outcomes.several:
            labels = self.outcomes.labels
            rate = np.bincount(labels).max() / len(labels)
            right = self.outcomes.matrix(subject, fraction, seeds)
            return sum(bool(r.mean() <= rate) or answers_one_class(r, labels) for r in right)
        return sum("majority" in flag for flag in self._of(subject, fraction, self._every_arm, "flag"))


class _MetricScores:
    """One metric of the arms of a group: every matrix of item scores is made once."""

    def __init__(self, group: GroupScores, metric: str) -> None:
        self.group, self.metric, self._level = group, metric, group.level
        self.score, self._decision = (metric, "raw") if metric == Metric.AVERAGE_PRECISION else raw_and_decision(metric)
        self._least = LEAST_SEEDS.get(self.score, 2)
        self._items: dict[Arm, Floats] = {}
        self._differences: dict[tuple[Arm, Arm], tuple[MeanEstimate, str] | None] = {}

    def arm_rows(self) -> list[dict[str, Any]]:
        estimates = {arm: found for arm in self.group.keys if (found := self._arm(arm)) is not None}
        together: dict[Arm, dict[str, float]] = {}
        for fraction in dict.fromkeys(fraction for _, fraction in estimates if fraction is not None):
            family = {arm: each for arm, each in estimates.items() if arm[1] == fraction}
            together |= self._simultaneous(family, [(arm, None) for arm in family], share=True)
        return [
            {**_head(*arm, self.metric), **_interval(found), **together.get(arm, ALONE), **self.group.about(arm)}
            for arm, found in estimates.items()
        ]

    def difference_rows(self, reference: str) -> list[dict[str, Any]]:
        subjects = [s for s, f in self.group.keys if f is not None and s != reference]
        pairs = [
            ((reference, fraction), (second, None if second == "primary" else fraction))
            for fraction in [f for s, f in self.group.keys if s == reference and f is not None]
            for second in (*dict.fromkeys(subjects), "primary")
        ]
        return [self._row(*pair, *found) for pair in pairs if (found := self._difference(*pair)) is not None]

    def difference_to(self, second: Arm, arms: Sequence[Arm]) -> list[dict[str, Any]]:
        """Every arm against one other."""
        found = {arm: each for arm in arms if (each := self._difference(arm, second)) is not None}
        return [self._row(arm, second, *each) for arm, each in found.items()]

    def planner_rows(self) -> list[dict[str, Any]]:
        """Every planner against each baseline; two baselines against each other once."""
        rows = []
        for fraction in dict.fromkeys(fraction for _, fraction in self.group.keys if fraction is not None):
            pairs = [
                ((first, fraction), (second, fraction))
                for first, own in self.group.keys
                for place, second in enumerate(BASELINES)
                if own == fraction and first not in BASELINES[: place + 1] and (second, fraction) in self.group.keys
            ]
            found = {pair: each for pair in pairs if (each := self._difference(*pair)) is not None}
            estimates = {pair: estimate for pair, (estimate, _) in found.items()}
            together = self._simultaneous(estimates, list(estimates))
            rows += [{**self._row(*pair, *each), **together[pair]} for pair, each in found.items()]
        return rows

    def _row(self, first: Arm, second: Arm, estimate: MeanEstimate, method: str) -> dict[str, Any]:
        head = {"first": first[0], "second": second[0], "fraction": first[1], "metric": self.metric}
        extra = {"p_value": estimate.p_value, "flag": estimate.flag, "method": method, "estimate": estimate}
        return {**head, **_interval(estimate), **extra}

    def _arm(self, arm: Arm) -> MeanEstimate | None:
        if seeds := self._seeds(arm):
            found = crossed_interval(self._scores(arm), level=self._level, share=True, least_seeds=self._least)
            return found if len(seeds) > 1 else self._of_items(found, arm, seeds)
        values = self.group.per_seed(*arm, self.metric).to_numpy(dtype=float)
        if not len(values):
            return None
        return seed_interval(values, level=self._level, share=True, least_seeds=self._least)

    def _of_items(self, found: MeanEstimate, arm: Arm, seeds: list[int]) -> MeanEstimate:
        """Return the score of a single seed with the interval that its test items leave."""
        outcomes = self.group.outcomes
        mix = outcomes.mix if self.metric == Metric.MATCHED_ACCURACY else None
        decided = outcomes.predicted(*arm, seeds, self._decision)[0]
        low, high = score_interval(decided, outcomes.labels, self.score, mix=mix, level=self._level)
        return replace(found, low=low, high=high)

    def _difference(self, first: Arm, second: Arm) -> tuple[MeanEstimate, str] | None:
        pair = first, second
        if pair not in self._differences:  # the planners of the paper stand in two tables
            self._differences[pair] = self._paired(first, second)
        return self._differences[pair]

    def _paired(self, first: Arm, second: Arm) -> tuple[MeanEstimate, str] | None:
        if seeds := self._common((first, second)):
            scores = self._scores(first, seeds) - self._scores(second, seeds)
            return crossed_interval(scores, level=self._level, least_seeds=self._least), "crossed"
        values = self.group.per_seed(*first, self.metric) - self.group.per_seed(*second, self.metric)
        known = values.dropna().to_numpy(dtype=float)
        if not len(known):
            return None
        estimate = seed_interval(known, level=self._level, least_seeds=self._least)
        return replace(estimate, flag=estimate.flag or "no_predictions"), "seeds"

    def _simultaneous(
        self, estimates: Mapping[Any, MeanEstimate], pairs: Sequence[tuple[Arm, Arm | None]], *, share: bool = False
    ) -> dict[Any, dict[str, float]]:
        """Intervals of a family of estimates that hold at once, so that the one of the best may be read."""
        defined = [pair for pair, each in zip(pairs, estimates.values(), strict=True) if each.error > 0]
        arms = {arm for pair in defined for arm in pair if arm is not None}
        seeds = self._common(tuple(arms)) if arms else []
        paired = all(self._seeds(arm) == seeds for arm in arms)
        scores = [self._minus(*pair) for pair in defined] if seeds and paired and len(seeds) >= JOINT_SEEDS else None
        single = single_level(scores, len(defined), level=self._level)
        wide = {key: at_level(each, single, share=share) for key, each in estimates.items()}
        return {key: dict(zip(ALONE, (each.low, each.high), strict=True)) for key, each in wide.items()}

    def _minus(self, first: Arm, second: Arm | None) -> Floats:
        return self._scores(first) if second is None else self._scores(first) - self._scores(second)

    def _common(self, arms: Sequence[Arm]) -> list[int]:
        """Seeds whose predictions all arms have."""
        return sorted(set.intersection(*(set(self._seeds(arm)) for arm in arms)))

    def _seeds(self, arm: Arm) -> list[int]:
        if self.metric == Metric.AVERAGE_PRECISION:  # of logits, which a job does not keep by item
            return []
        return self.group.outcomes.seeds(*arm, self._decision)

    def _scores(self, arm: Arm, seeds: list[int] | None = None) -> Floats:
        """Scores [S, n] of the test items whose mean is the metric, of all seeds of the arm or of some."""
        own = self._seeds(arm)
        if arm not in self._items:
            self._items[arm] = item_matrix(self.group.outcomes, arm, self.metric, own)
        return self._items[arm] if seeds in (None, own) else self._items[arm][[own.index(seed) for seed in seeds]]


def item_matrix(outcomes: Outcomes, arm: Arm, metric: str, seeds: Sequence[int]) -> Floats:
    """Scores [S, n] of the test items whose mean is a metric of an arm."""
    score, decision = raw_and_decision(metric)
    if outcomes.several:
        decided = outcomes.predicted(*arm, seeds, decision)
        return label_item_scores(decided > 0, outcomes.labels > 0, score)
    mix = outcomes.mix if metric == Metric.MATCHED_ACCURACY else None
    return item_scores(outcomes.predicted(*arm, seeds, decision), outcomes.labels, score, mix=mix)


def _head(subject: str, fraction: float | None, metric: str) -> dict[str, Any]:
    return {"subject": subject, "fraction": np.nan if fraction is None else fraction, "metric": metric}


def _interval(estimate: MeanEstimate) -> Mapping[str, Any]:
    return {name: getattr(estimate, name) for name in ("value", "low", "high", "spread", "seeds")}
