"""CSV, TSV, JSON Lines and Parquet as columns; whatever is malformed is named with its line and column."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Each but the last may be followed by ``.gz``."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Some columns of a file.

    Attributes:
        path: of the file.
        unit: ``"line"`` or ``"row"``, what `numbers` count.
        numbers: of the rows, from 1.
        columns: values by column name, aligned.
    """

    path: Path
    unit: str
    numbers: Sequence[int]
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, row: int) -> str:
        """Return what a message calls a row."""
        return f"{self.path}, {self.unit} {self.numbers[row]}"


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """Read the named columns of a table; its format follows its suffix.

    CSV follows RFC 4180 in UTF-8 with a header; line numbers are those where a row ends, the header being line 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the format is unknown, a column is missing, or a row is malformed; the message names the file, the
            line (of Parquet: the row) and the column.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; dataset.root names its folder, dataset.file the file in it")
    reader = _READERS.get(_suffix(path))
    if reader is None:
        raise ValueError(f"{path}: the suffix tells no format; tables are {', '.join(SUFFIXES)}")
    table = reader(path, columns)
    if not len(table):
        raise ValueError(f"{path} holds no rows")
    return table


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()


def _read_delimited(path: Path, columns: Sequence[str], delimiter: str) -> Table:
    values: dict[str, list[Any]] = {name: [] for name in columns}
    numbers: list[int] = []
    with _lines(path) as lines, _long_fields():
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = next(reader, [])
            places = _places(header, columns, f"{path}, line 1")
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise ValueError(
                        f"{path}, line {reader.line_num}: {len(row)} fields, but the header names {len(header)} "
                        "columns; is a quote or a delimiter missing?"
                    )
                for name, place in places.items():
                    values[name].append(row[place])
                numbers.append(reader.line_num)
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}; is a quote open or doubled?") from error
    return Table(path=path, unit="line", numbers=numbers, columns=values)


def _read_json_lines(path: Path, columns: Sequence[str]) -> Table:
    values: dict[str, list[Any]] = {name: [] for name in columns}
    numbers: list[int] = []
    with _lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number} is a {type(row).__name__}, not an object with named values")
            _places(list(row), columns, f"{path}, line {number}")
            for name in columns:
                values[name].append(row[name])
            numbers.append(number)
    return Table(path=path, unit="line", numbers=numbers, columns=values)


def _read_parquet(path: Path, columns: Sequence[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _places(file.schema_arrow.names, columns, str(path))
            table = file.read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a whole Parquet file: {error}") from error
    values = {name: table.column(name).to_pylist() for name in columns}
    return Table(path=path, unit="row", numbers=range(1, table.num_rows + 1), columns=values)


_READERS: dict[str, Callable[[Path, Sequence[str]], Table]] = {
    ".csv": lambda path, columns: _read_delimited(path, columns, ","),
    ".tsv": lambda path, columns: _read_delimited(path, columns, "\t"),
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}


def _places(header: Sequence[str], columns: Sequence[str], where: str) -> dict[str, int]:
    repeated = next((name for name in columns if list(header).count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"{where}: the column {repeated!r} stands there more than once")
    missing = [name for name in columns if name not in header]
    if missing:
        there = ", ".join(map(repr, header)) or "none"
        raise ValueError(f"{where}: the column {missing[0]!r} is missing; there are {there}")
    return {name: list(header).index(name) for name in columns}


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """Yield the lines of a text file in UTF-8, gzipped or not; a byte that is none is named with its line."""
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            yield _decoded(file, path)
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error


def _decoded(lines: Iterator[bytes], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: byte {error.start + 1} is not UTF-8 ({error.reason}); convert the file"
            ) from error


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the limit of the csv module, 131 072 characters a field, for a while."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
