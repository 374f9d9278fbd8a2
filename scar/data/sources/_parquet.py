"""Parquet files, so that whatever is wrong with one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; whatever pyarrow finds wrong while it is used becomes a ValueError."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a whole Parquet file: {error}") from error


def column_values(table: pa.Table, column: str, where: Callable[[int], str]) -> list[Any]:
    """Return a column of an Arrow table as Python values.

    Args:
        table: with the column.
        column: its name.
        where: returns what a message calls a row, from its index.

    Raises:
        ValueError: a text is not UTF-8, or a value has no counterpart in Python; the first row of them is named.
    """
    values = table.column(column)
    try:
        return list(values.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        for row, value in enumerate(values):
            try:
                value.as_py()
            except (ValueError, OverflowError, pa.ArrowException) as error:
                raise ValueError(f"{where(row)}, column {column!r}: the value cannot be read: {error}") from error
        raise


def read_vectors(path: Path, column: str) -> NDArray[Any]:
    """Return a column of lists of one length as a matrix."""
    with open_parquet(path) as file:
        if column not in file.schema_arrow.names:
            raise ValueError(f"{path}: there is no column {column!r}, but {', '.join(file.schema_arrow.names)}")
        lists = file.read(columns=[column]).column(column).combine_chunks()
    if not (
        pa.types.is_list(lists.type) or pa.types.is_fixed_size_list(lists.type) or pa.types.is_large_list(lists.type)
    ):
        raise ValueError(f"{path}, column {column!r} holds {lists.type}, not lists of numbers")
    lengths = np.asarray(lists.value_lengths().fill_null(-1))
    odd = np.flatnonzero(lengths != lengths[:1])
    if len(odd) or not len(lengths) or lengths[0] < 1:
        row = int(odd[0]) if len(odd) else 0
        raise ValueError(
            f"{path}, row {row + 1}, column {column!r}: expected as many numbers as in row 1, at least one"
        )
    return np.asarray(lists.flatten()).reshape(len(lengths), -1)
