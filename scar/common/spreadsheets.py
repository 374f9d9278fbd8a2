"""CSV files that people open in a spreadsheet: no cell is taken for a formula, and reading gives back what was written."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
TEXTS = ("id", "other_id", "class_name", "class", "Class", "sample", "Sample", "dataset", "group", "encoder", "regime")
"""Columns that hold names, whatever these look like."""


def harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe."""
    if not isinstance(cell, str) or not _FORMULA.match(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def plain(cell: Any) -> Any:
    """Return what `harmless` was given."""
    return cell[1:] if isinstance(cell, str) and _ESCAPED.match(cell) else cell


def harmless_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with `harmless` cells."""
    from pandas.api.types import is_numeric_dtype

    changed = {}
    for name in frame:
        if is_numeric_dtype(frame[name].dtype):
            continue
        column = frame[name].astype(object)
        texts = {cell for cell in column if isinstance(cell, str)}  # many rows, few texts
        other = {text: harmless(text) for text in texts if harmless(text) != text}
        if other:
            changed[name] = column.map(lambda cell, own=other: own.get(cell, cell) if isinstance(cell, str) else cell)
    return frame.assign(**changed)


def write_rows(file: TextIO, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a header and rows of `harmless` cells."""
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)


def read_frame(path: Path, texts: Sequence[str] = TEXTS) -> pd.DataFrame:
    """Read a CSV that we wrote: an empty cell is missing, and the columns of names are texts, ``NA`` and ``007`` too."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=dict.fromkeys(texts, object), keep_default_na=False, na_values=[""])
    words = [name for name in frame if frame[name].map(lambda cell: isinstance(cell, str)).any()]
    return frame.assign(**{name: frame[name].astype(object).map(plain) for name in words})
