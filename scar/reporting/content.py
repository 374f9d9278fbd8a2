"""Everything that a report says about a study, computed once and written in several forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scar.measures.steps import MEASURES
from scar.reporting.comparison import Comparison, compare, first_scores
from scar.reporting.details import Detail, make_detail
from scar.reporting.figures.alignment_figure import alignment_frame, draw_alignment
from scar.reporting.figures.pareto_figure import draw_fronts
from scar.reporting.figures.planners_figure import draw_planners
from scar.reporting.figures.style import Drawing, finish
from scar.reporting.formats.table import Table
from scar.reporting.paper.against import (
    against_published,
    against_table,
    commands_to_fill,
    other_encoders,
    other_encoders_table,
)
from scar.reporting.paper.figure3a import draw_sizes, sizes_frame
from scar.reporting.paper.figure3b import bubbles_frame, draw_bubbles
from scar.reporting.paper.table1 import table1
from scar.reporting.paper.table2 import characteristics_table, completion_table, published_format_table
from scar.reporting.settings import CARDS, EQUIVALENCE_MARGIN, PAIRED, Tolerances
from scar.reporting.study_folder import Study
from scar.reporting.summary import Answers, answer
from scar.reporting.tables.alignment_table import alignment_tables
from scar.reporting.tables.caveats import Caveat, collect_caveats, failed_jobs, missing_cells
from scar.reporting.tables.estimators_table import estimators_table
from scar.reporting.tables.indicators_table import indicators_table
from scar.reporting.tables.inspection_table import inspection_tables
from scar.reporting.tables.labels_table import label_tables
from scar.reporting.tables.leaderboard import Board, best_first
from scar.reporting.tables.leaderboard_table import leaderboard_tables
from scar.reporting.tables.planners_table import has_planners, planner_tables
from scar.reporting.tables.versions_table import version_tables

MAPS = 4
"""Groups that get a map, so that a page stays small."""
ANSWERED = 32
"""Groups whose questions are answered in words."""


@dataclass(kw_only=True, eq=False)
class Content:
    """The parts of a report, in the order in which they are read, its groups, the best encoder first, and how many of them get a card."""

    study: Study
    groups: list[dict[str, Any]]
    comparison: Comparison
    answers: list[Answers]
    boards: list[Board]
    tables: list[Table]
    more_tables: list[Table]
    figures: list[Drawing]
    details: list[Detail]
    missing: list[tuple[str, str]]
    failed: list[tuple[str, str, str]]
    caveats: list[Caveat]
    inspected: list[Table] = field(default_factory=list)
    left_out: int = 0
    cards: int = CARDS
    drawings: list[Drawing] = field(init=False)

    def __post_init__(self) -> None:
        self.drawings = [*self.figures]
        for detail in self.details:
            self.drawings += detail.drawings

    @property
    def uncarded(self) -> str:
        """How many groups have no card, and how to have theirs; "" where all have one."""
        groups = len(self.study.groups())
        if self.cards >= groups:
            return ""
        return f"Cards are of the first {self.cards} of {groups} groups; with cards={groups} all have one."


def gather(
    study: Study,
    *,
    estimator: str | None = None,
    level: float = 0.95,
    margin: float = EQUIVALENCE_MARGIN,
    resamples: int = 2000,
    details: int = 8,
    cards: int = CARDS,
    paired: int = PAIRED,
    tolerances: Tolerances | None = None,
    earlier: Study | None = None,
    formats: Sequence[str] | None = None,
) -> Content:
    """Compute every table and figure of a study.

    Args:
        study: of `load_study`.
        estimator: for the set-level measures; the driver of the plans if None.
        level: of the intervals.
        margin: largest difference of two scores that counts as none.
        resamples: of the bootstrap of rank agreement.
        details: how many groups get figures of their own.
        cards: how many groups get a card.
        paired: encoders that are compared pair by pair; of more, the best.
        tolerances: within which ours passes as the published value.
        earlier: a version of the same data to compare with.
        formats: in which each figure is written and let go as soon as it is drawn; all are kept if None.
    """
    groups = study.groups()
    known = sorted(set(study.rows.estimator) - {""})
    if estimator is not None and estimator not in known:
        raise ValueError(f"estimator={estimator} is none of the estimators of the study; use one of {', '.join(known)}")
    comparison = compare(study, level=level, margin=margin)
    by = (*study.axes, "fraction")
    metrics = comparison.metrics
    completions = {m: completion_table(comparison, metric=m, by=by) for m in metrics}
    first = first_scores(metrics)
    published = [published_format_table(study)]
    against = against_published(study, tolerances)
    published += [against_table(against, tolerances)] if len(against) else []
    others = other_encoders(study)
    published += [other_encoders_table(others)] if len(others) else []
    compared, boards = leaderboard_tables(study, level=level, resamples=resamples, paired=paired)
    groups = best_first(groups, boards)
    return Content(
        study=study,
        groups=groups,
        comparison=comparison,
        answers=[answer(study, comparison, group, boards) for group in groups[:ANSWERED]],
        boards=boards,
        tables=[
            *(version_tables(study, earlier, level=level) if earlier else []),
            *compared,
            *(completions[m] for m in first),
            *label_tables(study),
            characteristics_table(study, estimator),
            table1(study),
            indicators_table(study),
            *alignment_tables(study),
        ],
        more_tables=[
            *(completions[m] for m in metrics if m not in first),
            *planner_tables(study, comparison),
            estimators_table(study),
            *published,
        ],
        figures=[
            *finish(draw_fronts(boards), formats),
            *finish(_figures(study, comparison, estimator) if groups else [], formats),
        ],
        details=[
            _finished(make_detail(study, comparison, group, single=len(groups) == 1, mapped=index < MAPS), formats)
            for index, group in enumerate(groups[:details])
        ],
        missing=[*missing_cells(study), *commands_to_fill(against)],
        failed=failed_jobs(study),
        caveats=collect_caveats(study),
        inspected=inspection_tables(study),
        left_out=max(len(groups) - details, 0),
        cards=cards,
    )


def _finished(detail: Detail, formats: Sequence[str] | None) -> Detail:
    finish(detail.drawings, formats)
    return detail


def _figures(study: Study, comparison: Comparison, estimator: str | None) -> list[Drawing]:
    figures, bubbles = [draw_sizes(sizes_frame(study))], bubbles_frame(study, estimator)
    if len(bubbles.dropna(subset=list(MEASURES))) > 1:  # a single bubble says less than its line of Table 2a
        figures.append(draw_bubbles(bubbles))
    if len(pairs := alignment_frame(study)):
        figures.append(draw_alignment(pairs))
    by_regime = len(study.groups()) == study.rows.regime.nunique()
    return [*figures, draw_planners(comparison)] if by_regime and has_planners(comparison) else figures
