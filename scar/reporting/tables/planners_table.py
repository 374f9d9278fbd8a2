"""Which planner wins where: every strategy against random and class average, regime by regime, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from scar.evaluation.hypotheses import is_significant
from scar.evaluation.scores import SCORES
from scar.job.metrics import Better, Metric
from scar.reporting.axes import select
from scar.reporting.comparison import Comparison
from scar.reporting.formats.table import Table
from scar.reporting.group_scores import BASELINES, STRATEGIES, strategy_order
from scar.reporting.study_folder import Study
from scar.reporting.text import (
    MISSING,
    circumstances,
    group_label,
    legend_of_marks,
    name_of,
    notes_on,
    percent,
    percent_interval,
    points,
    points_interval,
    points_of,
    tested_points,
)

REFERENCE = "oracle"
"""Sees what no planner may see: shown, never called a winner."""
REGIMES = (
    *("natural", "long_tailed_10", "long_tailed", "long_tailed_50", "long_tailed_100"),
    *("missing_class", "noisy_10", "noisy_20", "noisy_40", "shift"),
)
"""Order of the regimes in tables; others follow by name."""
SIMULTANEOUS = "Intervals hold for all planners at once."
"""Said of intervals that stay true for the best of several."""
ENOUGH = 0.8
"""Power from which on a null result says something."""


def has_planners(comparison: Comparison) -> bool:
    """Whether the study compares more than the three strategies of the paper."""
    return not set(comparison.planners["first"]) <= set(STRATEGIES)


def planner_tables(study: Study, comparison: Comparison) -> list[Table]:
    """One table per metric and baseline at the largest budget: planners down, groups across."""
    if not has_planners(comparison):
        return []
    return [_matrix(study, comparison, metric, baseline) for metric in comparison.metrics for baseline in BASELINES]


def _matrix(study: Study, comparison: Comparison, metric: str, baseline: str) -> Table:
    frame = comparison.planners
    frame = frame[(frame.metric == metric) & (frame.second == baseline)]
    largest = frame[frame.fraction == frame.fraction.max()]
    planners = sorted(largest["first"].unique(), key=strategy_order)
    cells = {_column(study, group): _cells(select(largest, group), planners) for group in groups(study)}
    names = [name_of(planner) for planner in planners]
    fraction = f"{100 * frame.fraction.max():g} %" if len(frame) else ""
    return Table(
        name=f"planners_{metric}_{baseline}",
        caption=f"{Metric.of(metric).header}: points over {name_of(baseline)} at {fraction} of {study.budget_base}",
        cells=pd.DataFrame({"Planner": names, **cells}),
        values=largest.assign(order=[planners.index(first) for first in largest["first"]]),
        notes=_notes(comparison, frame, metric),
    )


def groups(study: Study) -> list[dict[str, Any]]:
    """Return the groups of a study in the order of `REGIMES`."""
    return sorted(study.groups(), key=lambda group: (regime_order(str(group["regime"])), group["mix"]))


def regime_order(name: str) -> tuple[int, str]:
    """Sort key of a regime."""
    return (REGIMES.index(name) if name in REGIMES else len(REGIMES), name)


def _column(study: Study, group: Mapping[str, Any]) -> str:
    """What tells a group from the others."""
    several = study.once("several", lambda: {axis for axis in study.axes if study.rows[axis].nunique() > 1})
    varying = {axis: value for axis, value in group.items() if axis in several}
    if set(varying) <= {"regime", "mix"}:
        return circumstances(group)
    return group_label(group)


def _cells(rows: pd.DataFrame, planners: list[str]) -> list[str]:
    cells = []
    for planner in planners:
        own = rows[rows["first"] == planner]
        if own.empty:
            cells.append(MISSING)
            continue
        one = own.iloc[0]
        cells.append(tested_points(one.value, one.low, one.high, one.verdict))
    return cells


def _notes(comparison: Comparison, frame: pd.DataFrame, metric: str) -> tuple[str, ...]:
    family = comparison.planners[comparison.planners.metric == metric]
    known = frame.power.dropna()
    over = "seeds and test items" if "crossed" in set(frame.method) else "seeds"
    notes = [
        f"{100 * comparison.level:g} % intervals, paired over {over}, each on its own; in the findings those of the best "
        f"planner hold for all planners at once. {legend_of_marks(comparison.margin, family.p_value.notna().sum(), looks=comparison.looks)}."
    ]
    notes += notes_on(metric)
    if len(known):
        notes.append(
            f"Power to have seen one point: median {known.median():.2f}, {100 * (known >= ENOUGH).mean():.0f} % of the "
            f"comparisons at {ENOUGH:g} or more."
        )
    return tuple(notes)


def findings(study: Study, comparison: Comparison, *, metrics: Sequence[str] = SCORES) -> list[str]:
    """Say, for each metric and group at the largest budget, which planner did best and whether that is more than luck."""
    return [line for metric in metrics for line in _of_metric(study, comparison, metric)]


def _of_metric(study: Study, comparison: Comparison, metric: str) -> Iterator[str]:
    for group in groups(study):
        arms = select(comparison.arms[comparison.arms.metric == metric], group)
        arms = arms[arms.fraction == arms.fraction.max()]
        arms = arms.sort_values("value", ascending=Metric.of(metric).better is Better.LOWER)
        own = arms[arms.subject != REFERENCE]
        if len(own) < 2:
            continue
        best = own.iloc[0]
        rows = select(comparison.planners[comparison.planners.metric == metric], group)
        rows = rows[rows.fraction == best.fraction]
        others = [baseline for baseline in BASELINES if baseline != best.subject]
        said = [_against(rows, str(best.subject), baseline, comparison.margin) for baseline in others]
        oracle = _against(rows, REFERENCE, BASELINES[0], comparison.margin)
        parts = [*filter(None, said), *([f"oracle: {oracle}"] if oracle else [])]
        yield (
            f"{Metric.of(metric).header}, {_column(study, group)}, {100 * best.fraction:g} % of {study.budget_base}: best is "
            f"{name_of(best.subject)} with {_scored(best)}; {'; '.join(parts)}. {SIMULTANEOUS}"
        )


def _scored(arm: pd.Series) -> str:
    ends = percent_interval(arm.low_simultaneous, arm.high_simultaneous)
    return f"{percent(arm.value)} % {ends}".strip()


def _against(rows: pd.DataFrame, first: str, second: str, margin: float) -> str:
    """The difference of two planners in words, with its simultaneous interval; empty where it was not measured."""
    one, sign = _found(rows, first, second), 1
    if one is None:  # two baselines are compared once
        one, sign = _found(rows, second, first), -1
    if one is None:
        return ""
    ends = sorted((sign * one.low_simultaneous, sign * one.high_simultaneous))
    text = f"{points(sign * one.value)} {points_interval(*ends)}".strip() + f" points over {name_of(second)}"
    if math.isnan(one.p_holm):
        return f"{text} (too few seeds: no test)"
    p_value = f"p {_p(one.p_holm)} after Holm"
    if is_significant(one.p_holm):
        return f"{text} ({p_value})"
    if one.verdict == "equivalent":
        return f"{text} (no difference larger than {points_of(margin)}, p {_p(one.p_equivalence)}; {p_value})"
    return f"{text} (cannot tell, {p_value}; power for one point {one.power:.2f})"


def _found(rows: pd.DataFrame, first: str, second: str) -> pd.Series | None:
    own = rows[(rows["first"] == first) & (rows.second == second)]
    return None if own.empty else own.iloc[0]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def planners_markdown(study: Study, comparison: Comparison) -> str:
    """All tables and the findings as Markdown."""
    lines = [f"- {line}" for line in findings(study, comparison)]
    tables = "\n".join(table.to_markdown() for table in planner_tables(study, comparison))
    return "# Planners\n\n" + "\n".join(lines) + "\n\n" + tables
