"""The page of a study of reductions: verdict per claim, curves, Figure 7 and the tables."""

from __future__ import annotations

from collections.abc import Sequence

from scar import __version__
from scar.reporting.figures.style import Drawing
from scar.reporting.formats.table import Table
from scar.reporting.formats.tables_page import Section, render_tables_page
from scar.reporting.reduction.job_results import Results, base_rows
from scar.reporting.text import count, listing, name_of

OPEN = ("reduction_arms", "reduction_budgets", "reduction_differences")
"""Beginnings of the names of the tables that stand with the curves."""
FAULTS = ("reduction_truth", "reduction_scar")


def render_reduction(results: Results, tables: Sequence[Table], drawings: Sequence[Drawing], *, name: str) -> str:
    """Return the HTML of a study of reductions, of one job or of several.

    Args:
        results: of the jobs.
        tables: of `scar.reporting.reduction.reduction_report.reduction_tables`.
        drawings: of the same study.
        name: of the study.
    """
    figures = {drawing.name: drawing for drawing in drawings}
    ours = [table for table in tables if table.name.startswith(OPEN)]
    faults = [table for table in tables if table.name.startswith(FAULTS)]
    known = {"2a", *results.rows[results.rows.kind.isin(("case", "ablation"))].table}
    published = [table for table in tables if table.name.startswith(tuple(f"reduction_table{each}_" for each in known))]
    others = [table for table in tables if not any(table is each for each in (*ours, *faults, *published))]
    judged = [] if results.claims is None else list(results.claims.itertuples(index=False, name=None))
    sections = [
        Section(anchor="claims", title="What the paper says", judged=judged, sentences=results.sentences),
        Section(anchor="arms", title="Training sets compared", figures=_have(figures, "reduction_curves"), tables=ours),
        Section(anchor="faults", title="What is kept", figures=_have(figures, "reduction_figure7"), tables=faults),
        Section(anchor="ablations", title="Table 2 of the paper", tables=published),
        Section(anchor="others", title="Other tables of the paper, captions and scores", folded=others),
    ]
    return render_tables_page(
        [each for each in sections if any((each.judged, each.sentences, each.figures, each.tables, each.folded))],
        title=name, kicker="SCAR: reduction of image-text pairs", lead=_lead(results),
        commands=[*results.commands, f"scar-report study={name}"], facts=_facts(results),
    )  # fmt: skip


def _have(figures: dict[str, Drawing], name: str) -> list[Drawing]:
    return [figures[name]] if name in figures else []


def _lead(results: Results) -> str:
    parts = []
    for dataset in results.rows.dataset.unique():
        own = base_rows(results.rows[results.rows.dataset == dataset])
        arms = own[own.kind == "arm"]
        pairs = arms[(arms.metric == "pairs")].value.max()
        about = f"{arms.case.nunique()} training sets, {arms.seed.nunique()} seeds"
        parts.append(f"{name_of(dataset)}: {about}" + (f", {count(pairs)} pairs" if pairs == pairs else ""))
    return f"{listing(parts)}."


def _facts(results: Results) -> list[tuple[str, str]]:
    seeds = sorted(int(seed) for seed in results.rows[results.rows.kind == "arm"].seed.unique())
    facts = [("Seeds", ", ".join(map(str, seeds))), ("Rows", count(len(results.rows)))]
    return [*facts, ("Jobs", str(max(len(results.jobs), 1))), ("Page made by", f"scar {__version__}")]
