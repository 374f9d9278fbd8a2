"""The paper's tables and figures without a report: from the published rows, the configurations and finished studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from scar.reporting.formats.table import Table, latex_document
from scar.reporting.paper.against import (
    against_published,
    against_table,
    commands_to_fill,
    other_encoders,
    other_encoders_table,
)
from scar.reporting.paper.figure3a import draw_sizes, published_sizes_frame
from scar.reporting.paper.figure3b import draw_bubbles, published_bubbles_frame
from scar.reporting.paper.paper_table1 import paper_tables, runs_here
from scar.reporting.paper.published_rows import published_table
from scar.reporting.settings import FORMATS, Tolerances
from scar.reporting.study_folder import load_study
from scar.reporting.write import write_atomically


def write_published(target: Path | str, *, formats: Sequence[str] = FORMATS) -> dict[str, Path]:
    """Write the published Table 2 and Figures 3a and 3b, made from the published rows alone.

    Args:
        target: folder.
        formats: of the figure files.

    Returns:
        File name → path.
    """
    documents = _as_files("published_table2", [published_table()], header="The published Table 2")
    drawings = (
        draw_sizes(published_sizes_frame(), name="published_figure3a"),
        draw_bubbles(published_bubbles_frame(), name="published_figure3b"),
    )
    for drawing in drawings:
        documents |= {f"{drawing.name}.{kind}": drawing.render(kind) for kind in formats}
    return _write(Path(target), documents)


def write_paper_table(
    number: int,
    root: Path,
    *,
    name: str = "report",
    studies: Sequence[str] = (),
    examined: Mapping[str, Any] | None = None,
    tolerances: Tolerances | None = None,
    formats: Sequence[str] = (),
    console: Console | None = None,
) -> dict[str, Path]:
    """Write Table 1 or 2 of the paper: what is there, what was run here, and the commands that fill the rest.

    Args:
        number: 1 or 2.
        root: folder of the studies.
        name: of the folder below it that is written.
        studies: whose rows stand beside the published ones in Table 2; Table 1 looks at all studies below `root`.
        examined: what is there, option by option, as `scar.commands.doctor.examine` says; Table 1 needs it.
        tolerances: of Table 2.
        formats: of the figure files that come with Table 2.
        console: prints the tables if given.

    Returns:
        File name → path.
    """
    target = root / name
    fill: list[tuple[str, str]] = []
    if number == 1:
        if examined is None:
            raise ValueError("number=1: Table 1 needs examined=, what is there")
        tables, paths = paper_tables(examined, runs_here(root)), {}
    else:
        study = load_study([root / each for each in studies]) if studies else None
        frame = against_published(study, tolerances, every=True)
        tables, fill = [against_table(frame, tolerances)], commands_to_fill(frame)
        others = other_encoders(study) if study is not None else frame[:0]
        tables += [other_encoders_table(others)] if len(others) else []
        paths = write_published(target, formats=formats)
    documents = _as_files(f"paper_table{number}", tables, header=f"Table {number} of the paper")
    if fill:
        documents["missing.sh"] = "".join(f"# {cell}\n{command}\n" for cell, command in fill).encode()
    paths |= _write(target, documents)
    if console is not None:
        for table in tables:
            console.print(table.to_markdown(), markup=False, highlight=False, soft_wrap=True)
        console.print(f"table {number}: {paths[f'paper_table{number}.md']}", markup=False, highlight=False)
    return paths


def _as_files(stem: str, tables: Sequence[Table], *, header: str) -> dict[str, bytes]:
    texts = {
        f"{stem}.md": "\n".join(table.to_markdown() for table in tables),
        f"{stem}.tex": latex_document(tables, header=header),
    }
    names = [table.name for table in tables]
    names[0] = names[0] if names[0].startswith(stem) else stem
    texts |= {f"{name}.csv": table.to_csv() for name, table in zip(names, tables, strict=True)}
    return {name: text.encode() for name, text in texts.items()}


def _write(target: Path, documents: dict[str, bytes]) -> dict[str, Path]:
    target.mkdir(parents=True, exist_ok=True)
    for name, data in documents.items():
        write_atomically(target / name, data)
    return {name: target / name for name in documents}
