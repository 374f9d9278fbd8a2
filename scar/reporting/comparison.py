"""Did the plan help? Test scores of every arm and their differences, paired over seeds and test items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.hypotheses import decide, equivalence, holm, power
from scar.evaluation.label_scores import EVERY_SCORE
from scar.evaluation.scores import LEADING, RAW, SCORES, raw_and_matched
from scar.evaluation.sequential import Looks
from scar.job.metrics import Metric
from scar.reporting.group_scores import ALONE, GroupScores
from scar.reporting.joined_rows import parts_of
from scar.reporting.settings import EQUIVALENCE_MARGIN
from scar.reporting.study_folder import Study

ONE_POINT = 0.01
"""The difference whose power is reported."""
PLAIN = ("primary", "re-weighted")
"""The primary set, its probe deciding raw and matched."""
ARM_COLUMNS = ("subject", "fraction", "metric", "value", "low", "high", *ALONE, "spread", "seeds", "added", "majority")
DIFFERENCE_COLUMNS = (
    *("first", "second", "fraction", "metric", "value", "low", "high", "p_value"),
    *("p_holm", "p_equivalence", "verdict", "power", "seeds", "spread", "flag", "method", "estimate"),
)
"""Columns of `Comparison` beside the axes of a study."""
FRAMES = ("arms", "differences", "planners", "gains")


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Scores and differences of all groups.

    Attributes:
        arms: one row per group × subject × fraction × metric: value, low, high, low_simultaneous and high_simultaneous
            (hold for all subjects of the fraction at once), spread, seeds, added (samples; mean over seeds), majority
            (seeds whose arm answers one class only, or no better than the most frequent class).
        differences: one row per group × (first, second) × fraction × metric: value, low, high, p_value,
            p_holm (within the metric, over all strategy comparisons of the study), p_equivalence (two one-sided tests
            within ± margin, uncorrected), verdict (of `scar.evaluation.hypotheses.decide`), power (to have found one
            point, at the level that the first step of Holm asks for), seeds, spread, flag, method.
        planners: like `differences`, every strategy against each of `BASELINES`; p_holm and power within the metric
            over all of them; low_simultaneous and high_simultaneous hold for all of a group and fraction at once.
        gains: by group × strategy (first) × fraction: what it gained over the primary set by the leading score, value, low,
            high, seeds; not tested.
        level: of all intervals.
        margin: largest difference that counts as none.
        looks: how often the sweep was to look while it added seeds; intervals and p-values count them all.
    """

    arms: pd.DataFrame
    differences: pd.DataFrame
    planners: pd.DataFrame
    gains: pd.DataFrame
    level: float
    margin: float
    looks: int = 1

    def of(self, group: Mapping[str, Any]) -> Comparison:
        """Return what is said of one group; to look for it among all groups for each table would take their square."""
        axes, key = tuple(group), tuple(group.values())
        if axes not in self._parts:
            self._parts[axes] = {name: parts_of(getattr(self, name), axes) for name in FRAMES}
        own = {name: self._parts[axes][name].get(key, getattr(self, name).iloc[:0]) for name in FRAMES}
        return replace(self, **own)

    @cached_property
    def _parts(self) -> dict[tuple[str, ...], dict[str, dict[tuple[Any, ...], pd.DataFrame]]]:
        return {}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The scores that arms have, in the order in which they are reported; those of classes where there is no arm."""
        there = set(self.arms.metric)
        return tuple(metric for metric in EVERY_SCORE if metric in there) or SCORES


def first_scores(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return which of some scores are shown first: accuracy where classes exclude one another."""
    several = (Metric.MATCHED_MACRO_F1, Metric.AVERAGE_PRECISION)
    return (LEADING, *((Metric.ACCURACY,) if Metric.ACCURACY in metrics else several))


def compare(
    study: Study, *, reference: str = "scar", level: float = 0.95, margin: float = EQUIVALENCE_MARGIN
) -> Comparison:
    """Score every arm and compare `reference` with every other strategy, and with the primary set, at equal size.

    Intervals count seeds and test items, `scar.evaluation.intervals.crossed_variance` (method ``crossed``). They are about
    the expected score over seeds and over test parts of this size; for the worst class that is the expected smallest
    recall, whichever class has it, from five seeds on. Jobs that kept no predictions have the seeds alone (``seeds``).
    """
    found: tuple[list[dict[str, Any]], ...] = ([], [], [], [])
    looks = study.looks
    for group in study.groups():
        scores = GroupScores(study.of(group), study.outcomes(group), level=looks.single_level(level))
        for rows, own in zip(found, (*scores.all_rows(reference), scores.gain_rows()), strict=True):
            rows += [{**group, **row} for row in own]
    axes = list(study.axes)
    arms = pd.DataFrame(found[0], columns=[*axes, *ARM_COLUMNS])
    differences = _tested(pd.DataFrame(found[1], columns=[*axes, *DIFFERENCE_COLUMNS]), margin, looks)
    planners = _tested(pd.DataFrame(found[2], columns=[*axes, *DIFFERENCE_COLUMNS, *ALONE]), margin, looks)
    columns = [*axes, "first", "fraction", "metric", "value", "low", "high", "seeds"]
    return Comparison(
        arms=arms, differences=differences, planners=planners, gains=pd.DataFrame(found[3], columns=columns),
        level=level, margin=margin, looks=len(looks.seeds),
    )  # fmt: skip


def primary_arms(comparison: Comparison, metric: str) -> pd.DataFrame:
    """Return the arms of the primary set: ``primary`` with raw decisions, ``re-weighted`` with matched ones."""
    names = dict(zip(raw_and_matched(metric), PLAIN, strict=True))
    if metric == Metric.AVERAGE_PRECISION:  # of the order of the logits, which matching does not change
        own = comparison.arms[(comparison.arms.metric == metric) & (comparison.arms.subject == "primary")]
        return pd.concat([own.assign(subject=name) for name in PLAIN])
    own = comparison.arms[comparison.arms.metric.isin(list(names)) & (comparison.arms.subject == "primary")]
    return own.assign(subject=own.metric.map(names))


def score_title(metric: str) -> str:
    """Return the name of a score for captions: of raw decisions it says so."""
    return Metric.of(metric).label + (" of raw decisions" if metric in RAW else "")


def without_measured(frame: pd.DataFrame, *, keep: Sequence[str] = ()) -> pd.DataFrame:
    """The axes of arms or differences, and the columns that are to be kept."""
    measured = {*ARM_COLUMNS, *DIFFERENCE_COLUMNS, *ALONE} - set(keep)
    return frame.drop(columns=[column for column in frame if column in measured])


def _tested(frame: pd.DataFrame, margin: float, looks: Looks) -> pd.DataFrame:
    """Correct the p-values of each metric together, test for equivalence, give the power, and drop the estimates."""
    frame["p_value"] = [looks.adjusted(float(p)) for p in frame.p_value]
    frame[["p_holm", "power"]] = np.nan
    for metric in frame.metric.unique():
        family = (frame.metric == metric) & (frame.second != "primary")
        p_values = frame.loc[family, "p_value"].to_numpy(dtype=float)
        tests = max(int(np.isfinite(p_values).sum()), 1)
        frame.loc[family, "p_holm"] = holm(p_values)
        frame.loc[family, "power"] = [power(each, ONE_POINT, tests=tests) for each in frame.loc[family, "estimate"]]
    frame["p_equivalence"] = [looks.adjusted(equivalence(each, margin)) for each in frame.estimate]
    tested = frame.p_holm.fillna(frame.p_value)
    frame["verdict"] = [
        decide(*each) for each in zip(frame.value, tested, frame.p_equivalence.astype(float), strict=True)
    ]
    return frame.drop(columns="estimate")
