"""The report of a study of reductions: the tables of the TL;DR paper beside ours, findings and Figure 7."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console

from scar.reporting.formats.table import Table, latex_document
from scar.reporting.reduction.job_results import Results, load_reduction
from scar.reporting.reduction.reduction_ablations import ablation_tables
from scar.reporting.reduction.reduction_arms import arm_tables
from scar.reporting.reduction.reduction_figure import draw_curves, draw_scores
from scar.reporting.reduction.reduction_page import render_reduction
from scar.reporting.reduction.reduction_transfer import transfer_tables
from scar.reporting.text import name_of
from scar.reporting.write import write_atomically

FORMATS = ("png", "pdf", "svg")


def reduction_tables(
    rows: pd.DataFrame, differences: pd.DataFrame | None = None, ablations: pd.DataFrame | None = None
) -> list[Table]:
    """Return every table of a study, our own first.

    Args:
        rows: of the study.
        differences: between its arms; None leaves their table out.
        ablations: differences between the cases of Table 2 and the study's own reduction; None leaves them out.
    """
    return [*arm_tables(rows, differences), *ablation_tables(rows, ablations), *transfer_tables(rows)]


def write_reduction(
    target: Path, results: Results, *, name: str = "reduction", formats: Sequence[str] = FORMATS
) -> dict[str, Path]:
    """Write reduction.html, reduction.md, reduction.tex, a CSV per table, Figure 7 and the curves over steps.

    Args:
        target: folder.
        results: of one job or of several.
        name: of the study.
        formats: of the figures.

    Returns:
        File name → path.
    """
    rows, scores = results.rows, results.scores
    tables = reduction_tables(rows, results.differences, results.ablations)
    findings = "".join(f"- {sentence}\n" for sentence in results.sentences)
    body = "\n".join(table.to_markdown() for table in tables)
    title = name_of(rows.dataset.iloc[0])
    drawings = [] if scores is None else [draw_scores(scores, title=title)]
    drawings += [draw_curves(rows, title=title)] if (rows.kind == "curve").any() else []
    documents = {
        "reduction.md": f"# Data reduction\n\n{findings}\n{body}".encode(),
        "reduction.tex": latex_document(tables, header="Data reduction").encode(),
        "reduction.html": render_reduction(results, tables, drawings, name=name).encode(),
    }
    documents |= {f"{table.name}.csv": table.to_csv().encode() for table in tables}
    for drawing in drawings:
        documents |= {f"{drawing.name}.{kind}": drawing.render(kind) for kind in formats}
        drawing.close()
    target.mkdir(parents=True, exist_ok=True)
    for file, data in documents.items():
        write_atomically(target / file, data)
    return {file: target / file for file in documents}


def write_reductions(
    study: Path, *, formats: Sequence[str] = FORMATS, console: Console | None = None
) -> dict[str, Path]:
    """Write the report on all jobs of a study into its folder: what one job lacks, another may have trained.

    Args:
        study: its folder.
        formats: of the figures.
        console: where its text is printed.
    """
    paths = write_reduction(study, load_reduction(study), name=study.name, formats=formats)
    if console is not None:
        console.print(paths["reduction.md"].read_text(encoding="utf-8"), markup=False, highlight=False, soft_wrap=True)
        console.print(f"report: {paths['reduction.html']}", markup=False, highlight=False)
    return paths
