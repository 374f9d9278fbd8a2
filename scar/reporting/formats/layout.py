"""Where lines and columns of text end on a console: words stay whole, wide characters count as two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

SHORTEST = 24
"""Cells to which a word of a text column is cut, with an ellipsis, where the columns do not fit otherwise."""
UNBROKEN = re.compile(r" (?!%)(?![^\[\]]*\])")
"""Spaces at which a line may end."""
BETWEEN = 3
"""Cells between two columns."""


def words(text: str) -> list[str]:
    """Return what a line may not break: words, a number with its per cent sign, an interval in brackets."""
    return UNBROKEN.split(text)


def wrap(text: str, width: int) -> list[str]:
    """Break a text between words; a word that is wider than a line stays whole on a line of its own."""
    lines = [""]
    for word in words(text):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def cut(line: str, width: int) -> str:
    """Return a line of at most so many cells; one that is longer ends with an ellipsis."""
    if cell_len(line) <= width:
        return line
    while line and cell_len(line) >= width:
        line = line[:-1]
    return f"{line}…"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: its header, its cells, and whether they hold text, which may be cut."""

    header: str
    cells: Sequence[str]
    is_text: bool

    @property
    def natural(self) -> int:
        """Cells that the column takes where nothing is broken."""
        return max(map(cell_len, (self.header, *self.cells)))

    def least(self, *, short: bool) -> int:
        """Cells below which a word would be broken, or cut if that is allowed."""
        longest = max(cell_len(word) for text in (self.header, *self.cells) for word in words(text))
        return min(longest, SHORTEST) if short and self.is_text else longest


@dataclass(frozen=True, kw_only=True)
class Laid:
    """A table for a console of any width: where its columns do not fit, the first one is repeated in a further block."""

    caption: str
    columns: Sequence[Column]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out for the width at hand."""
        yield from (Text(line, overflow="ignore", no_wrap=True) for line in wrap(self.caption, options.max_width))
        for block, widths in self._blocks(options.max_width):
            table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
            for position, (column, width) in enumerate(zip(block, widths, strict=True)):
                head = "\n".join(wrap(column.header, width))
                left = position == 0 or column.is_text
                table.add_column(Text(head), justify="left" if left else "right", width=width, no_wrap=True)
            for row in zip(*(column.cells for column in block), strict=True):
                cells = zip(row, widths, strict=True)
                table.add_row(
                    *(Text("\n".join(cut(line, width) for line in wrap(cell, width))) for cell, width in cells)
                )
            yield table

    def _blocks(self, width: int) -> Iterator[tuple[list[Column], list[int]]]:
        first, rest = self.columns[0], list(self.columns[1:])
        whole = [column.least(short=False) for column in self.columns]
        short = sum(whole) > _room(width, len(whole))
        while True:
            block = [first]
            while rest and sum(c.least(short=short) for c in [*block, rest[0]]) <= _room(width, len(block) + 1):
                block.append(rest.pop(0))
            if len(block) == 1 and rest:  # too narrow for any column: the console cuts it
                block.append(rest.pop(0))
            yield block, _widths(block, _room(width, len(block)), short=short)
            if not rest:
                return


def _room(width: int, columns: int) -> int:
    """Cells that are left for the texts of so many columns."""
    return width - BETWEEN * (columns - 1) - 2


def _widths(block: Sequence[Column], room: int, *, short: bool) -> list[int]:
    """Take from the column with the most to spare until all fit."""
    widths, least = [c.natural for c in block], [c.least(short=short) for c in block]
    while sum(widths) > room and any(w > low for w, low in zip(widths, least, strict=True)):
        spare = [w if w > low else 0 for w, low in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths
