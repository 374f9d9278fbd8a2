"""A table once, written as Markdown, LaTeX (booktabs), CSV, HTML or for the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from scar.common.console import visible
from scar.common.spreadsheets import harmless_frame
from scar.reporting.formats.layout import Column, Laid

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "±": r"$\pm$", "×": r"$\times$",
    "Δ": r"$\Delta$", "ε": r"$\varepsilon$", "∞": r"$\infty$", "δ": r"$\delta$", "κ": r"$\kappa$", "λ": r"$\lambda$", "≥": r"$\geq$",
    "≤": r"$\leq$", "≈": r"$\approx$", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "·": r"$\cdot$", "–": "--", "…": r"\ldots{}",
    "\u202f": r"\,", "→": r"$\rightarrow$", "√": r"$\surd$", "²": "$^2$", "₂": "$_2$", "“": "``", "”": "''",
    "’": "'", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
"""What LaTeX would misread or cannot set in text; brackets and stars are options after a line break."""

_NUMBER = re.compile(r"[−+\d\[∞][^A-Za-z]*")
PAGE = 45
"""Rows of a table that fit on a page of LaTeX."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """What is shown, and the numbers behind it.

    Attributes:
        name: file stem and anchor.
        caption: one sentence.
        cells: strings as shown; column names are the headers.
        values: numbers and keys, one row per row of `cells`, for CSV and for sorting.
        sort_by: header → column of `values` that orders it; other columns are ordered as text.
        notes: below the table; each a sentence.
    """

    name: str
    caption: str
    cells: pd.DataFrame
    values: pd.DataFrame
    sort_by: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_markdown(self) -> str:
        """GitHub Markdown: caption, table, notes."""
        safe = self.cells.map(escape_markdown)
        body = safe.to_markdown(index=False, disable_numparse=True, colalign=self._alignment)
        notes = "\n".join(f"- {escape_markdown(note, cell=False)}" for note in self.notes)
        return "\n".join([f"**{escape_markdown(self.caption, cell=False)}**", "", body, "", notes, ""])

    def to_latex(self) -> str:
        """A ``table*`` with booktabs rules, scaled to the text width; needs booktabs and graphicx.

        A float cannot break, so that a long table becomes several, each of at most `PAGE` rows.
        """
        starts = range(0, max(len(self.cells), 1), PAGE)
        return "\n".join(self._latex_part(start, last=start == starts[-1]) for start in starts)

    def _latex_part(self, start: int, *, last: bool) -> str:
        part = self.cells.iloc[start : start + PAGE]
        alignment = "".join("l" if a == "left" else "r" for a in self._alignment)
        rows = [[*part.columns], *zip(*(part[header].tolist() for header in part), strict=True)]
        head, *lines = [" & ".join(map(escape_latex, row)) + r" \\" for row in rows]
        tabular = [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule"]
        body = "\n".join([*tabular, r"\end{tabular}"])
        caption = escape_latex(self.caption) + (" (continued)" if start else "")
        notes = r" \\ ".join(escape_latex(note) for note in self.notes) if last else ""
        lines = [
            r"\begin{table*}[t]", r"\centering", rf"\caption{{{caption}}}",
            *([] if start else [rf"\label{{tab:{self.name}}}"]), r"\resizebox{\textwidth}{!}{%", body + "}",
        ]  # fmt: skip
        if notes:
            lines += [r"\par\medskip", rf"\parbox{{\textwidth}}{{\footnotesize {notes}}}"]
        return "\n".join([*lines, r"\end{table*}", ""])

    def to_terminal(self, most: int | None = None) -> Laid:
        """The caption and the cells for a console of any width; brackets in them are no markup.

        Args:
            most: rows that are shown; a last one counts the rest.
        """
        rest = len(self.cells) - most if most else 0
        shown = self.cells if rest <= 0 else self.cells.iloc[:most]
        columns = []
        for position, (header, side) in enumerate(zip(self.cells.columns, self._alignment, strict=True)):
            cells = [visible(cell) for cell in shown[header]]
            if rest > 0:
                cells.append("" if position else f"… and {rest} more")
            columns.append(Column(header=visible(header), cells=cells, is_text=side == "left"))
        return Laid(caption=visible(self.caption), columns=columns)

    def to_csv(self) -> str:
        """The numbers at full precision."""
        return str(harmless_frame(self.values).to_csv(index=False, float_format="%.10g"))

    def html_rows(self) -> list[list[dict[str, Any]]]:
        """Cells with their sort keys, for the HTML template."""
        columns = []
        for header in self.cells.columns:
            texts = [str(cell).partition(" [") for cell in self.cells[header].tolist()]
            ordered = header in self.sort_by
            keys = self.values[self.sort_by[header]].tolist() if ordered else [""] * len(texts)
            columns.append(
                [
                    {"text": text, "interval": bracket[1:] + interval, "key": "" if pd.isna(key) else key}
                    for (text, bracket, interval), key in zip(texts, keys, strict=True)
                ]
            )
        return [list(row) for row in zip(*columns, strict=True)]

    @cached_property
    def _alignment(self) -> tuple[str, ...]:
        return tuple("right" if all(map(_is_number, self.cells[c].tolist())) else "left" for c in self.cells.columns)


def _is_number(cell: object) -> bool:
    text = str(cell)
    return bool(_NUMBER.fullmatch(text)) or text in ("missing", "met", "undefined", "unreachable", "–", "")


def escape_markdown(text: object, *, cell: bool = True) -> str:
    """Make a string safe for Markdown that is shown as HTML: no tag begins in it and, in a cell, no column ends."""
    safe = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", visible(text))
    return safe.replace("|", "\\|").replace("\n", " ") if cell else safe


def escape_latex(text: object) -> str:
    """Make a string safe for LaTeX text."""
    return "".join(LATEX.get(character, character) for character in str(text))


def latex_document(tables: Sequence[Table], *, header: str) -> str:
    r"""Return LaTeX source of several tables, to be read with ``\input``."""
    comment = f"% {header}\n% Needs \\usepackage{{booktabs}} and \\usepackage{{graphicx}}.\n"
    return comment + "\n".join(table.to_latex() for table in tables)
