"""What is shown of one group by itself: its plan, and the figures about its classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.comparison import Comparison
from scar.reporting.figures.class_figure import draw_recalls, recalls_frame
from scar.reporting.figures.completion_figure import draw_completion
from scar.reporting.figures.growth_figure import draw_growth, growth_frame, shows_growth
from scar.reporting.figures.map_figure import draw_map
from scar.reporting.figures.measures_figure import draw_measures, measures_by_size, varying
from scar.reporting.figures.need_figure import draw_needs, gaps_frame, needs_frame
from scar.reporting.figures.plan_figure import draw_plan
from scar.reporting.figures.style import Drawing
from scar.reporting.figures.whatif_figure import draw_whatif, whatif_frame
from scar.reporting.formats.table import Table
from scar.reporting.map_view import MapView, map_view
from scar.reporting.study_folder import Study
from scar.reporting.study_job import StudyJob
from scar.reporting.tables.plan_table import plan_of, plan_table
from scar.reporting.tables.rounds_table import rounds_table
from scar.reporting.tables.shopping_table import shopping_table
from scar.reporting.tables.slices_table import slices_table
from scar.reporting.tables.to_label_table import to_label_table
from scar.reporting.tables.whatif_table import Step, whatif_steps, whatif_table
from scar.reporting.text import group_label, name_of

EPSILON = 0.01
"""§4.1: ε = 0.01."""


@dataclass(kw_only=True, eq=False)
class Detail:
    """What is shown of one group by itself."""

    label: str
    anchor: str
    seed: int
    table: Table
    to_label: Table | None
    shopping: Table | None
    next_round: Table | None
    map: MapView | None
    map_figure: Drawing | None
    slices: Table | None
    steps: list[Step]
    what_if: Table | None
    figures: list[Drawing]
    more_figures: list[Drawing]
    plans: list[Path]

    @property
    def drawings(self) -> list[Drawing]:
        """Its figures, the map last."""
        return [*self.figures, *self.more_figures, *([] if self.map_figure is None else [self.map_figure])]


def make_detail(
    study: Study, comparison: Comparison, group: Mapping[str, Any], *, single: bool, mapped: bool = True
) -> Detail:
    """Make the section of one group.

    Args:
        study: that the group belongs to.
        comparison: of the study.
        group: values of the axes.
        single: whether it is the only one, so that its files need no name of their own.
        mapped: whether it gets a map.
    """
    suffix = "" if single else "_" + re.sub(r"[^a-z0-9]+", "_", "_".join(str(v) for v in group.values()).lower())
    rows, driver, comparison = study.of(group), study.driver, comparison.of(group)
    leader, seed = _leader(rows), int(rows.seed.min())
    plan = plan_of(study, group, seed=seed, strategy=leader)
    jobs, steps = study.finished(group), whatif_steps(study, group, seed=seed)
    view = map_view(study, group, seed=seed, leader=leader) if mapped else None
    return Detail(
        label=group_label(group),
        anchor=f"detail{suffix}",
        seed=seed,
        table=plan_table(plan, group=group, seed=seed, estimator=name_of(driver), base=study.budget_base),
        to_label=to_label_table(rows, group=group, seed=seed, strategy=leader),
        shopping=shopping_table(rows, group=group, seed=seed, strategy=leader, estimator=driver),
        next_round=_next_round(study, group, jobs, seed, suffix),
        map=view,
        map_figure=None
        if view is None
        else draw_map(view, title=f"{group_label(group)}, seed {seed}", name=f"map{suffix}"),
        slices=slices_table(jobs, group=group, seed=seed, name=f"slices{suffix}"),
        steps=steps,
        what_if=whatif_table(steps, group=group, seed=seed) if steps else None,
        figures=[*_of_the_plan(study, comparison, group, plan, suffix), *_of_the_classes(study, group, jobs, suffix)],
        more_figures=list(_of_the_measures(study, group, suffix)),
        plans=[p for j in jobs if j.columns["seed"] == seed for p in j.plans if j.columns["completion"] == leader],
    )


def _next_round(
    study: Study, group: Mapping[str, Any], jobs: Sequence[StudyJob], seed: int, suffix: str
) -> Table | None:
    settings = next((job.config["rounds"] for job in jobs if job.config.get("rounds")), None)
    if settings is None:
        return None
    return rounds_table(study.of(group), group=group, seed=seed, settings=settings, name=f"next_round{suffix}")


def _of_the_plan(
    study: Study, comparison: Comparison, group: Mapping[str, Any], plan: pd.DataFrame, suffix: str
) -> Iterator[Drawing]:
    rows, label = study.of(group), group_label(group)
    leader, seed = _leader(rows), int(rows.seed.min())
    if len(comparison.arms):
        yield draw_completion(comparison, group, name=f"completion{suffix}")
    if not plan.added.isna().all():
        title = f"{label}, seed {seed} (needs: {name_of(study.driver)})"
        yield draw_plan(plan, title=title, name=f"plan{suffix}", strategy=leader)
    ahead = whatif_frame(rows, seed=seed)
    if ahead.value.notna().any():
        yield draw_whatif(ahead, title=f"{label}, seed {seed}", leader=leader, name=f"what_if{suffix}")


def _of_the_classes(study: Study, group: Mapping[str, Any], jobs: Sequence[StudyJob], suffix: str) -> Iterator[Drawing]:
    rows, label = study.of(group), group_label(group)
    named = rows[(rows.metric == Metric.CLASS_SIZE) & rows.class_id.notna()].drop_duplicates("class_id")
    names = [str(name) for name in named.sort_values("class_id").class_name]
    budget = rows.loc[(rows.stage == "evaluation"), "fraction"].max()
    recalls = recalls_frame(study.outcomes(group), names, fraction=budget)
    if len(recalls):
        yield draw_recalls(recalls, title=label, fraction=budget, base=study.budget_base, name=f"classes{suffix}")
    needs = needs_frame(rows)
    if len(needs):
        epsilon = float(next((j.config["foundation"]["epsilon"] for j in jobs if "foundation" in j.config), EPSILON))
        about = {"driver": study.driver, "title": label, "name": f"needs{suffix}"}
        yield draw_needs(gaps_frame(rows), needs, rows, epsilon=epsilon, **about)


def _of_the_measures(study: Study, group: Mapping[str, Any], suffix: str) -> Iterator[Drawing]:
    rows, label = study.of(group), group_label(group)
    seed = int(rows.seed.min())
    measures, growth = measures_by_size(rows), growth_frame(rows, seed=seed)
    if varying(measures):
        yield draw_measures(measures, title=label, name=f"measures{suffix}")
    if shows_growth(growth):
        yield draw_growth(growth, title=f"{label}, seed {seed}", name=f"figure2{suffix}")


def _leader(rows: pd.DataFrame) -> str:
    """Return the strategy whose plan is shown: `scar`, or the first by name where the study lacks it."""
    names = sorted(rows.loc[rows.metric == Metric.ADDED, "subject"].unique())
    return "scar" if "scar" in names or not names else str(names[0])
