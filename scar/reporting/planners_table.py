"""Which planner wins where: every strategy against random and class average, regime by regime, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scar.evaluation import SCORES
from scar.reporting.comparison import BASELINES, STRATEGIES, Comparison, strategy_order
from scar.reporting.table import Table
from scar.reporting.text import MISSING, group_label, name_of, percent, points, points_interval, title_of

if TYPE_CHECKING:
    import pandas as pd

    from scar.reporting.study import Study

REFERENCE = "oracle"
"""Sees what no planner may see: shown, never called a winner."""
REGIMES = (
    *("natural", "long_tailed_10", "long_tailed", "long_tailed_50", "long_tailed_100"),
    *("missing_class", "noisy_10", "noisy_20", "noisy_40", "shift"),
)
"""Order of the regimes in tables; others follow by name."""
SIGNIFICANT = 0.05
ENOUGH = 0.8
"""Power from which on a null result says something."""


def has_planners(comparison: Comparison) -> bool:
    """Whether the study compares more than the three strategies of the paper."""
    return not set(comparison.planners["first"]) <= set(STRATEGIES)


def planner_tables(study: Study, comparison: Comparison) -> list[Table]:
    """One table per metric and baseline at the largest budget: planners down, groups across."""
    if not has_planners(comparison):
        return []
    return [_matrix(study, comparison, metric, baseline) for metric in SCORES for baseline in BASELINES]


def _matrix(study: Study, comparison: Comparison, metric: str, baseline: str) -> Table:
    import pandas as pd

    frame = comparison.planners
    frame = frame[(frame.metric == metric) & (frame.second == baseline)]
    largest = frame[frame.fraction == frame.fraction.max()]
    planners = sorted(largest["first"].unique(), key=strategy_order)
    cells = {_column(study, group): _cells(_rows(largest, group), planners) for group in groups(study)}
    names = [name_of(planner) for planner in planners]
    fraction = f"{100 * frame.fraction.max():g} %" if len(frame) else ""
    return Table(
        name=f"planners_{metric}_{baseline}",
        caption=f"{title_of(metric)}: points over {name_of(baseline)} at {fraction} of the reserve",
        cells=pd.DataFrame({"Planner": names, **cells}),
        values=largest.assign(order=[planners.index(first) for first in largest["first"]]),
        notes=_notes(comparison, frame, metric),
    )


def groups(study: Study) -> list[dict[str, Any]]:
    """Return the groups of a study in the order of `REGIMES`."""
    return sorted(study.groups(), key=lambda group: regime_order(str(group["regime"])))


def regime_order(name: str) -> tuple[int, str]:
    """Sort key of a regime."""
    return (REGIMES.index(name) if name in REGIMES else len(REGIMES), name)


def _column(study: Study, group: Mapping[str, Any]) -> str:
    """What tells a group from the others."""
    varying = {axis: value for axis, value in group.items() if study.rows[axis].nunique() > 1}
    if set(varying) <= {"regime"}:
        return name_of(group["regime"])
    return group_label(group)


def _cells(rows: pd.DataFrame, planners: list[str]) -> list[str]:
    cells = []
    for planner in planners:
        own = rows[rows["first"] == planner]
        if own.empty:
            cells.append(MISSING)
            continue
        one = own.iloc[0]
        mark = "*" if one.p_holm < SIGNIFICANT else ""
        cells.append(f"{points(one.value)}{mark} {points_interval(one.low, one.high)}".strip())
    return cells


def _rows(frame: pd.DataFrame, group: Mapping[str, Any]) -> pd.DataFrame:
    for axis, value in group.items():
        frame = frame[frame[axis] == value]
    return frame


def _notes(comparison: Comparison, frame: pd.DataFrame, metric: str) -> tuple[str, ...]:
    family = comparison.planners[comparison.planners.metric == metric]
    known = frame.power.dropna()
    notes = [
        f"{100 * comparison.level:g} % intervals, paired over seeds"
        + (" and test items" if metric != "worst_class_accuracy" else " (Nadeau and Bengio)")
        + f"; * p < {SIGNIFICANT:g} after Holm over {family.p_value.notna().sum()} comparisons."
    ]
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
        arms = _rows(comparison.arms[comparison.arms.metric == metric], group)
        arms = arms[arms.fraction == arms.fraction.max()].sort_values("value", ascending=False)
        own = arms[arms.subject != REFERENCE]
        if len(own) < 2:
            continue
        best = own.iloc[0]
        rows = _rows(comparison.planners[comparison.planners.metric == metric], group)
        rows = rows[rows.fraction == best.fraction]
        said = [_against(rows, str(best.subject), baseline) for baseline in BASELINES if baseline != best.subject]
        oracle = _against(rows, REFERENCE, BASELINES[0])
        parts = [*filter(None, said), *([f"oracle: {oracle}"] if oracle else [])]
        yield (
            f"{title_of(metric)}, {_column(study, group)}, {100 * best.fraction:g} % of the reserve: best is "
            f"{name_of(best.subject)} with {percent(best.value)} %; {'; '.join(parts)}."
        )


def _against(rows: pd.DataFrame, first: str, second: str) -> str:
    """The difference of two planners in words; empty where it was not measured."""
    own = rows[(rows["first"] == first) & (rows.second == second)]
    if own.empty:
        return ""
    one = own.iloc[0]
    text = f"{points(one.value)} {points_interval(one.low, one.high)} points over {name_of(second)}"
    if math.isnan(one.p_holm):
        return f"{text} (one seed: no test)"
    if one.p_holm < SIGNIFICANT:
        return f"{text} (p {_p(one.p_holm)} after Holm)"
    return f"{text} (not significant, p {_p(one.p_holm)} after Holm; power for one point {one.power:.2f})"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def planners_markdown(study: Study, comparison: Comparison) -> str:
    """All tables and the findings as Markdown."""
    lines = [f"- {line}" for line in findings(study, comparison)]
    tables = "\n".join(table.to_markdown() for table in planner_tables(study, comparison))
    return "# Planners\n\n" + "\n".join(lines) + "\n\n" + tables
