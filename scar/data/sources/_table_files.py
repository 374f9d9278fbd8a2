"""CSV, TSV, JSON and Parquet as columns; whatever is malformed is named with its line and column."""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.data.names import clean_name, texts

_LONGEST = 64 << 20
# Bytes of a line and characters of a field; what is longer is no table of texts, and would fill the memory.

_LONGEST_JSON = 32 << 20
# Characters that are parsed at once: lists and objects take up to 25 times their text in memory.

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Each but the last may be followed by ``.gz``. A ``.json`` file, an array of objects, is read where it is named."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_OTHER_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a CSV or TSV is written; None is found out.

    Attributes:
        encoding: of the characters; None: UTF-8, or what a byte order mark says.
        delimiter: between fields; None: that of the suffix, or another one by which the header has the columns.
        quoting: whether fields may stand in double quotes; None: in CSV they may, in TSV they may not.
        header: names of all columns where the first line is no header.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quoting: bool | None = None
    header: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(f"dataset.delimiter={self.delimiter!r} must be one character, or null")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError as error:
                raise ValueError(
                    f"dataset.encoding={self.encoding!r} is unknown; use utf-8, cp1252, gb18030 …"
                ) from error

    def rows(self, path: Path, delimiter: str) -> bool:
        """Return whether quotes count in a file."""
        return self.quoting if self.quoting is not None else delimiter != "\t"


@dataclass(frozen=True, kw_only=True)
class ColumnTable:
    """Some columns of a file.

    Attributes:
        path: of the file.
        unit: ``"line"`` or ``"row"``, what `numbers` count.
        numbers: of the rows, from 1.
        columns: values by column name, aligned.
        notes: what was found out about the file.
    """

    path: Path
    unit: str
    numbers: Sequence[int]
    columns: dict[str, list[Any]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, row: int) -> str:
        """Return what a message calls a row."""
        return f"{self.path}, {self.unit} {self.numbers[row]}"


def read_table(
    path: Path, columns: Sequence[str], *, dialect: Dialect | None = None, empty: bool = False
) -> ColumnTable:
    """Read the named columns of a table; its format follows its suffix.

    CSV follows RFC 4180; line numbers are those where a row ends, the first being line 1. Names of columns count without
    white space around them.

    Args:
        path: of the table.
        columns: to read.
        dialect: of a CSV or TSV.
        empty: take a table without rows.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the format is unknown, a column is missing, or a row is malformed; the message names the file, the
            line (of Parquet: the row) and the column.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; dataset.root names its folder, dataset.file the file in it")
    suffix = _suffix(path)
    if suffix in _DELIMITERS:
        table = _read_delimited(path, columns, dialect or Dialect())
    elif suffix in _READERS:
        table = _READERS[suffix](path, columns)
    else:
        raise ValueError(f"{path}: the suffix tells no format; tables are {', '.join(SUFFIXES)}")
    if not len(table) and not empty:
        raise ValueError(f"{path} holds no rows")
    return table


def first_row(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file, or the first row of a CSV or TSV, which may be a header.

    Raises:
        ValueError: the file is malformed.
    """
    if _suffix(path) == ".parquet":
        from scar.data.sources._parquet import open_parquet

        with open_parquet(path) as file:
            return list(file.schema_arrow.names)
    with text_lines(path) as lines, _long_fields():
        try:
            return next(csv.reader(lines, delimiter=_DELIMITERS[_suffix(path)], strict=True), [])
        except csv.Error as error:
            raise ValueError(f"{path}, in the first row: {error}; is a quote open or doubled?") from error


def where_in(tables: Sequence[ColumnTable]) -> Callable[[int], str]:
    """Return what names a row of one or two tables, one after the other."""

    def where(row: int) -> str:
        first = len(tables[0])
        return tables[0].where(row) if row < first else tables[1].where(row - first)

    return where


def strings(table: ColumnTable, column: str, *, blank: bool = False, names: bool = False) -> list[str]:
    """Return the texts (or whole numbers) of a column as strings; `scar.data.names.texts` says what is refused."""
    return texts(table.columns[column], table.where, column, blank=blank, names=names)


def _suffix(path: Path) -> str:
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()


def _read_delimited(path: Path, columns: Sequence[str], dialect: Dialect) -> ColumnTable:
    values: dict[str, list[Any]] = {name: [] for name in columns}
    numbers: list[int] = []
    delimiter, notes = _delimiter(path, columns, dialect)
    quoting = dialect.rows(path, delimiter)
    quoted = 0
    with text_lines(path, dialect.encoding, notes) as lines, _long_fields():
        style: dict[str, Any] = {} if quoting else {"quoting": csv.QUOTE_NONE, "quotechar": None}
        reader = csv.reader(lines, delimiter=delimiter, strict=True, **style)
        try:
            named = "there should be" if dialect.header else "the header names"
            header = list(dialect.header) or next(reader, [])
            places = _places(header, columns, f"{path}, line 1", delimited=True)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    cure = "is a quote or a delimiter missing?"
                    if not quoting and any(field.startswith('"') for field in row):
                        cure = "fields in quotes are read by dataset.quoting=true"
                    raise ValueError(
                        f"{path}, line {reader.line_num}: {len(row)} fields, but {named} {len(header)} columns; {cure}"
                    )
                for name, place in places.items():
                    values[name].append(row[place])
                quoted += not quoting and any(row[p][:1] == row[p][-1:] == '"' != row[p] for p in places.values())
                numbers.append(reader.line_num)
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}; is a quote open or doubled?") from error
    if quoted:
        notes.append(
            f"{path.name}: quotes around fields of {quoted} rows are part of the text; dataset.quoting=true takes them off"
        )
    return ColumnTable(path=path, unit="line", numbers=numbers, columns=values, notes=tuple(notes))


def _delimiter(path: Path, columns: Sequence[str], dialect: Dialect) -> tuple[str, list[str]]:
    """Return the delimiter: that of the suffix, unless another one gives the header the columns; and what to say of it."""
    usual = dialect.delimiter or _DELIMITERS[_suffix(path)]
    if dialect.delimiter is not None or dialect.header:
        return usual, []
    with text_lines(path, dialect.encoding) as lines:
        first = next(lines, "")
    headers = {each: _split(first, each) for each in (usual, *_OTHER_DELIMITERS)}
    if set(columns) <= headers[usual]:
        return usual, []
    other = next((each for each, names in headers.items() if set(columns) <= names), None)
    if other is None or len(columns) < 2:
        return usual, []
    return other, [f"{path.name}: the delimiter {other!r} was found out; dataset.delimiter sets it"]


def _split(line: str, delimiter: str) -> set[str]:
    try:
        return set(map(clean_name, next(csv.reader([line], delimiter=delimiter), [])))
    except csv.Error:
        return set()


def _read_json_lines(path: Path, columns: Sequence[str]) -> ColumnTable:
    values: dict[str, list[Any]] = {name: [] for name in columns}
    numbers: list[int] = []
    with text_lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            if len(line) > _LONGEST_JSON:
                raise ValueError(f"{path}, line {number} is longer than {_LONGEST_JSON >> 20} Mi characters")
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                array = "; an array of objects is read from a file that ends in .json" if isinstance(row, list) else ""
                raise ValueError(
                    f"{path}, line {number} is a {type(row).__name__}, not an object with named values{array}"
                )
            _places(list(row), columns, f"{path}, line {number}")
            for name in columns:
                values[name].append(row[name])
            numbers.append(number)
    return ColumnTable(path=path, unit="line", numbers=numbers, columns=values)


def _read_json(path: Path, columns: Sequence[str]) -> ColumnTable:
    with text_lines(path) as lines:
        kept, size = [], 0
        for line in lines:
            kept.append(line)
            size += len(line)
            if size > _LONGEST_JSON:
                raise ValueError(
                    f"{path} is longer than {_LONGEST_JSON >> 20} Mi characters, and an array is parsed at once; write an object per "
                    "line into a file that ends in .jsonl (jq -c '.[]')"
                )
        try:
            rows = json.loads("".join(kept))
        except RecursionError as error:
            raise ValueError(f"{path} is nested too deeply") from error
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {error.lineno} is not JSON: {error.msg}") from error
    if not isinstance(rows, list):
        raise ValueError(f"{path} is a {type(rows).__name__}, not an array of objects")
    values: dict[str, list[Any]] = {name: [] for name in columns}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"{path}, row {number} is a {type(row).__name__}, not an object with named values")
        _places(list(row), columns, f"{path}, row {number}")
        for name in columns:
            values[name].append(row[name])
    return ColumnTable(path=path, unit="row", numbers=range(1, len(rows) + 1), columns=values)


def _read_parquet(path: Path, columns: Sequence[str]) -> ColumnTable:
    from scar.data.sources._parquet import column_values, open_parquet

    with open_parquet(path) as file:
        _places(file.schema_arrow.names, columns, str(path))
        table = file.read(columns=list(columns))
    values = {name: column_values(table, name, lambda row: f"{path}, row {row + 1}") for name in columns}
    return ColumnTable(path=path, unit="row", numbers=range(1, table.num_rows + 1), columns=values)


_READERS: dict[str, Callable[[Path, Sequence[str]], ColumnTable]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}


def _places(header: Sequence[str], columns: Sequence[str], where: str, *, delimited: bool = False) -> dict[str, int]:
    names = list(header)
    if not set(columns) <= set(names):
        names = [clean_name(name) for name in names]
    repeated = next((name for name in columns if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"{where}: the column {repeated!r} stands there more than once")
    missing = [name for name in columns if name not in names]
    if missing and not names:
        raise ValueError(
            f"{where}: there is no column at all, where {missing[0]!r} is to be; point dataset.root at a table with columns"
        )
    if missing:
        there = ", ".join(map(repr, header))
        near = difflib.get_close_matches(missing[0].casefold(), [name.casefold() for name in names], 1)
        cure = f"; did you mean {next(n for n in names if n.casefold() == near[0])!r}?" if near else ""
        if not cure and delimited and names and len(missing) == len(columns):
            cure = "; if the first line is no header, name the columns by dataset.header=[…]"
        raise ValueError(f"{where}: the column {missing[0]!r} is missing; there are {there[:2000]}{cure}")
    return {name: names.index(name) for name in columns}


@contextmanager
def text_lines(path: Path, encoding: str | None = None, notes: list[str] | None = None) -> Iterator[Iterator[str]]:
    """Yield the lines of a text file, gzipped or not, with their ends.

    Args:
        path: of the file.
        encoding: of its characters; None: UTF-8, or UTF-16 or UTF-32 after a byte order mark.
        notes: takes what was found out.

    Raises:
        ValueError: a byte is no character, which is named with its line; a line is too long; the gzip file is cut.
    """
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as file:
            start = file.read(4)
            file.seek(0)
            marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
            if encoding is None and marked is not None:
                encoding = marked
                if notes is not None:
                    notes.append(f"{path.name}: the encoding {marked} was found out by its byte order mark")
            if encoding is None or encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig"):
                yield _decoded(file, path)
            else:
                with io.TextIOWrapper(file, encoding=encoding, newline="") as lines:
                    yield _decoded_as(lines, path, encoding)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error


_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def _decoded(file: Any, path: Path) -> Iterator[str]:
    """Yield lines in UTF-8; a carriage return alone ends a line, too."""
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST + 1), b""), start=1):
        if len(line) > _LONGEST:
            raise ValueError(f"{path}, line {number} is longer than {_LONGEST >> 20} MiB; is it a table of texts?")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: byte {error.start + 1} is not UTF-8 ({error.reason}); "
                f"{_guess(path)}, or convert the file"
            ) from error
        if "\0" in text:
            raise ValueError(
                f"{path}, line {number} holds a NUL character; if it is UTF-16, set dataset.encoding=utf-16-le, else take it out"
            )
        yield from _LINE.findall(text) if "\r" in text[:-2] else (text,)


def _decoded_as(lines: io.TextIOWrapper, path: Path, encoding: str) -> Iterator[str]:
    number = 0
    try:
        for number, line in enumerate(iter(lambda: lines.readline(_LONGEST + 1), ""), start=1):
            if len(line) > _LONGEST:
                raise ValueError(f"{path}, line {number} is longer than {_LONGEST >> 20} Mi characters")
            yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError as error:
        raise ValueError(f"{path}, after line {number}: not {encoding}: {error}; set dataset.encoding") from error


def _guess(path: Path) -> str:
    """Return the advice to set the encoding, with the one that the file looks like, if it looks like one."""
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return "set dataset.encoding"
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        best = from_bytes(file.read(1 << 16)).best()
    return f"set dataset.encoding={best.encoding if best is not None else 'cp1252'} if it looks right"


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the limit of the csv module, 131 072 characters a field, for a while."""
    before = csv.field_size_limit(_LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)
