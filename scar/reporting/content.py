"""Everything that a report says about a study, computed once and written in several forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scar.evaluation import SCORES
from scar.reporting.alignment_table import alignment_tables
from scar.reporting.caveats import collect_caveats, failed_jobs, missing_cells
from scar.reporting.comparison import Comparison, compare
from scar.reporting.completion_figure import draw_completion
from scar.reporting.figure2 import draw_growth, growth_frame
from scar.reporting.figure3a import draw_sizes, sizes_frame
from scar.reporting.figure3b import bubbles_frame, draw_bubbles
from scar.reporting.indicators_table import indicators_table
from scar.reporting.measures_figure import draw_measures, measures_by_size
from scar.reporting.plan_figure import draw_plan
from scar.reporting.plan_table import plan_by_class, plan_table
from scar.reporting.planners_figure import draw_planners
from scar.reporting.planners_table import has_planners, planner_tables
from scar.reporting.shopping_table import shopping_table
from scar.reporting.study import Study
from scar.reporting.summary import Answers, answer
from scar.reporting.table1 import table1
from scar.reporting.table2 import characteristics_table, completion_table, published_format_table
from scar.reporting.text import group_label, name_of
from scar.reporting.whatif_figure import draw_whatif, whatif_frame

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from scar.reporting.style import Drawing
    from scar.reporting.table import Table

ANSWERED = 32
"""Groups whose questions are answered in words."""


@dataclass(kw_only=True, eq=False)
class Detail:
    """What is shown of one group by itself."""

    label: str
    anchor: str
    seed: int
    table: Table
    shopping: Table | None
    figures: list[Drawing]
    more_figures: list[Drawing]
    plans: list[Path]


@dataclass(kw_only=True, eq=False)
class Content:
    """The parts of a report, in the order in which they are read."""

    study: Study
    comparison: Comparison
    answers: list[Answers]
    tables: list[Table]
    more_tables: list[Table]
    figures: list[Drawing]
    details: list[Detail]
    missing: list[tuple[str, str]]
    failed: list[tuple[str, str, str]]
    caveats: dict[str, list[str]]
    left_out: int = 0
    drawings: list[Drawing] = field(init=False)

    def __post_init__(self) -> None:
        self.drawings = [*self.figures]
        for detail in self.details:
            self.drawings += [*detail.figures, *detail.more_figures]


def gather(
    study: Study,
    *,
    estimator: str | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    details: int = 8,
) -> Content:
    """Compute every table and figure of a study.

    Args:
        study: of `load_study`.
        estimator: for the set-level measures; the driver of the plans if None.
        level: of the intervals.
        resamples: of the bootstrap.
        details: how many groups get figures of their own.
    """
    groups = study.groups()
    comparison = compare(study, level=level, resamples=resamples)
    by = (*study.axes, "fraction")
    caveats: dict[str, list[str]] = {}
    for caveat in collect_caveats(study):
        caveats.setdefault(caveat.where, []).append(caveat.what)
    completions = {m: completion_table(comparison, metric=m, by=by) for m in SCORES}
    published = published_format_table(study)
    return Content(
        study=study,
        comparison=comparison,
        answers=[answer(study, comparison, group) for group in groups[:ANSWERED]],
        tables=[
            completions["accuracy"],
            characteristics_table(study, estimator),
            table1(study),
            indicators_table(study),
            *alignment_tables(study),
        ],
        more_tables=[*(completions[m] for m in SCORES[1:]), *planner_tables(study, comparison), published],
        figures=_figures(study, comparison, estimator) if groups else [],
        details=[_detail(study, comparison, group, single=len(groups) == 1) for group in groups[:details]],
        missing=missing_cells(study),
        failed=failed_jobs(study),
        caveats=caveats,
        left_out=max(len(groups) - details, 0),
    )


def _figures(study: Study, comparison: Comparison, estimator: str | None) -> list[Drawing]:
    figures = [draw_sizes(sizes_frame(study)), draw_bubbles(bubbles_frame(study, estimator))]
    by_regime = len(study.rows[list(study.axes)].drop_duplicates()) == study.rows.regime.nunique()
    return [*figures, draw_planners(comparison)] if by_regime and has_planners(comparison) else figures


def _detail(study: Study, comparison: Comparison, group: Mapping[str, Any], *, single: bool) -> Detail:
    rows, label = study.of(group), group_label(group)
    suffix = "" if single else "_" + re.sub(r"[^a-z0-9]+", "_", "_".join(str(v) for v in group.values()).lower())
    seed, driver = int(rows.seed.min()), study.driver
    leader = _leader(rows)
    plan = plan_by_class(rows, seed=seed, estimator=driver, strategy=leader)
    ahead = whatif_frame(rows, seed=seed)
    title = f"{label}, seed {seed} (needs: {name_of(driver)})"
    jobs = [j for j in study.jobs if j.done and all(j.columns.get(k) == v for k, v in group.items())]
    growth, measures = growth_frame(rows, seed=seed), measures_by_size(rows)
    figures = [draw_completion(comparison, group, name=f"completion{suffix}")] if len(comparison.arms) else []
    if not plan.added.isna().all():
        figures.append(draw_plan(plan, title=title, name=f"plan{suffix}", strategy=leader))
    if ahead.value.notna().any():
        figures.append(draw_whatif(ahead, title=f"{label}, seed {seed}", leader=leader, name=f"what_if{suffix}"))
    more = [draw_measures(measures, title=label, name=f"measures{suffix}")] if len(measures) else []
    if growth.y.notna().any():
        more.append(draw_growth(growth, title=f"{label}, seed {seed}", name=f"figure2{suffix}"))
    return Detail(
        label=label,
        anchor=f"detail{suffix}",
        seed=seed,
        table=plan_table(plan, group=group, seed=seed, estimator=name_of(driver)),
        shopping=shopping_table(rows, group=group, seed=seed, strategy=leader, estimator=driver),
        figures=figures,
        more_figures=more,
        plans=[p for j in jobs if j.columns["seed"] == seed for p in j.plans if j.columns["completion"] == leader],
    )


def _leader(rows: pd.DataFrame) -> str:
    """Return the strategy whose plan is shown: `scar`, or the first by name where the study lacks it."""
    names = sorted(rows.loc[rows.metric == "added", "subject"].unique())
    return "scar" if "scar" in names or not names else str(names[0])
