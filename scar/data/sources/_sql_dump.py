"""Rows of the table dumps that Wikimedia publishes (mysqldump), streamed line by line."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_VALUE = rb"(?:'[^'\\]*(?:\\.[^'\\]*)*'|NULL|0x[0-9A-Fa-f]*|[-+.0-9eE]+)"
_COLUMN = re.compile(rb"\s*`(\w+)` ")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_MEANING = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0", b"Z": b"\x1a", b"b": b"\b"}


def dump_columns(path: Path) -> list[str]:
    """Return the columns of the table in a dump, in their order.

    Raises:
        ValueError: the file holds no ``CREATE TABLE``.
    """
    names: list[str] = []
    with _opened(path) as lines:
        for line in lines:
            if line.startswith(b"INSERT INTO"):
                break
            column = _COLUMN.match(line)
            if column and not line.startswith(b"CREATE"):
                names.append(column[1].decode())
    if not names:
        raise ValueError(f"{path} does not begin as a dump of a table: there is no CREATE TABLE with columns")
    return names


def dump_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[bytes, ...]]:
    """Yield the named columns of every row; only one line of the file is in memory.

    Args:
        path: of a dump, gzipped or not.
        columns: wanted; a string comes without its quotes and escapes, a number as its digits.

    Raises:
        ValueError: a column is missing, or a line is not what the format says; the message names the line.
    """
    there = dump_columns(path)
    missing = [name for name in columns if name not in there]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]}; it has {', '.join(there)}")
    places = [there.index(name) for name in columns]
    row = re.compile(
        rb"\(" + rb",".join(rb"(" + _VALUE + rb")" if i in places else _VALUE for i in range(len(there))) + rb"\)"
    )
    order = [sorted(places).index(place) for place in places]
    ended = False
    with _opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            ended = ended or line.startswith((b"UNLOCK TABLES", b"-- Dump completed"))
            if line.startswith(b"INSERT INTO"):
                for values in _rows(line, row, f"{path}, line {number}"):
                    yield tuple(_plain(values[i]) for i in order)
    if not ended:
        raise ValueError(f"{path} ends before its table does; the download was cut short")


def _rows(line: bytes, row: re.Pattern[bytes], where: str) -> Iterator[tuple[bytes, ...]]:
    position = line.find(b" VALUES ") + len(b" VALUES ")
    while True:
        match = row.match(line, position)
        if match is None:
            raise ValueError(f"{where}, byte {position + 1} does not begin a row of the table; the file is damaged")
        yield match.groups()
        position = match.end()
        if line[position : position + 1] == b";":
            return
        position += 1


def _plain(value: bytes) -> bytes:
    if not value.startswith(b"'"):
        return value
    inner = value[1:-1]
    return _ESCAPE.sub(lambda found: _MEANING.get(found[1], found[1]), inner) if b"\\" in inner else inner


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield the lines of a file, gzipped or not."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}") from error
