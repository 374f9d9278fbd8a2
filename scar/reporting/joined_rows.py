"""The rows of very many jobs as one frame: read table by table, texts as categories of one dictionary per column."""

from __future__ import annotations

import mmap
from collections.abc import Sequence, Sized
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scar.job.rows import COLUMNS, INTEGERS, expand_coded
from scar.reporting.axes import coded

BATCH = 64
"""Jobs whose tables are held as they are stored."""
PART = 1 << 16
"""Rows whose codes are changed at once."""


class JoinedRows:
    """Collects the stored rows of jobs; a job takes about 0.07 MB, with its texts as strings it would take 0.24."""

    def __init__(self) -> None:
        self._waiting: list[pa.Table] = []
        self._columns: dict[str, _Floats | _Integers | _Texts] = {}
        self._rows = 0
        self.lengths: list[int] = []

    def add(self, table: pa.Table) -> None:
        """Add the stored rows of a job; `lengths` tells of each how many rows they are in the frame."""
        length = len(table)
        if "values" in table.column_names:
            lengths = pc.fill_null(pc.list_value_length(table["values"]), 1)
            length = int(pc.sum(lengths).as_py() or 0)
        self.lengths.append(length)
        self._waiting.append(table)
        if len(self._waiting) == BATCH:
            self._flush()

    def frame(self, **further: Sequence[str]) -> pd.DataFrame:
        """Return a row per measurement and class; nothing is kept.

        Every column of texts is categorical, its categories in alphabetical order, so that sorting and grouping give what
        they give for the texts.

        Args:
            further: columns with one text per job.
        """
        self._flush()
        columns = {name: self._columns.pop(name).array() for name in [*self._columns]}
        for name, values in further.items():
            codes, texts = pd.factorize(np.array(values, dtype=object))
            columns[name] = _categorical(np.repeat(codes.astype(_code_type(texts)), self.lengths), texts.tolist())
        names = [*columns] if self.lengths else [*COLUMNS, *further]
        series = {name: pd.Series(each, copy=False) for name, each in columns.items()} if self.lengths else None
        return pd.DataFrame(series, columns=pd.Index(names, dtype=object), copy=False)

    def _flush(self) -> None:
        if not self._waiting:
            return
        columns, texts = expand_coded(pa.concat_tables(self._waiting, promote_options="permissive"))
        self._waiting = []
        rows = len(next(iter(columns.values())))
        for name in [each for each in columns if each not in self._columns]:
            kind = _Texts if name in texts else _Integers if name in INTEGERS else _Floats
            self._columns[name] = kind()
            self._columns[name].skip(self._rows)
        for name, column in self._columns.items():
            if name in columns:
                column.extend(columns[name], texts.get(name))
            else:
                column.skip(rows)
        self._rows += rows


class _Buffer:
    """An array that grows in place; of what is spare, no memory is taken, and what was outgrown is given back at once."""

    def __init__(self, kind: Any) -> None:
        self._whole, self._length = np.empty(0, dtype=kind), 0

    def extend(self, values: np.ndarray) -> None:
        kind, length = np.promote_types(self._whole.dtype, values.dtype), self._length + len(values)
        if kind != self._whole.dtype or length > len(self._whole):
            capacity = max(length, 2 * len(self._whole), 1)
            whole = np.frombuffer(mmap.mmap(-1, capacity * kind.itemsize), dtype=kind)
            whole[: self._length] = self._whole[: self._length]
            self._whole = whole
        self._whole[self._length : length] = values
        self._length = length

    @property
    def values(self) -> np.ndarray:
        return self._whole[: self._length]


class _Floats:
    """A column of numbers; all three kinds grow batch by batch: `extend` by its values, `skip` by rows of jobs that lack it."""

    def __init__(self) -> None:
        self._values = _Buffer(np.float64)

    def extend(self, values: Any, texts: np.ndarray | None) -> None:
        self._values.extend(np.asarray(values, dtype=np.float64))

    def skip(self, rows: int) -> None:
        self._values.extend(np.full(rows, np.nan))

    def array(self) -> Any:
        return self._values.values


class _Integers:
    """Integers of 16 bits, of 32 or 64 where one needs them."""

    def __init__(self) -> None:
        self._values, self._missing = _Buffer(np.int16), _Buffer(np.bool_)

    def extend(self, values: Any, texts: np.ndarray | None) -> None:
        missing = np.asarray(pd.isna(values))
        own = pd.array(values, dtype="Int64").to_numpy(dtype=np.int64, na_value=0)
        fitting = (own.astype(kind) for kind in (np.int16, np.int32, np.int64))
        self._values.extend(next(each for each in fitting if (each == own).all()))
        self._missing.extend(missing)

    def skip(self, rows: int) -> None:
        self._values.extend(np.zeros(rows, dtype=np.int16))
        self._missing.extend(np.ones(rows, dtype=np.bool_))

    def array(self) -> Any:
        return pd.arrays.IntegerArray(self._values.values, self._missing.values)


class _Texts:
    """Codes of one dictionary for all jobs."""

    def __init__(self) -> None:
        self._codes, self._known = _Buffer(np.int8), dict[str, int]()

    def extend(self, values: Any, texts: np.ndarray | None) -> None:
        if texts is None:  # numbers, where other jobs have texts
            values, texts = pd.factorize(np.array([str(each) for each in values], dtype=object))
        places = np.array([self._known.setdefault(text, len(self._known)) for text in texts], dtype=np.int64)
        self._codes.extend(places.astype(_code_type(self._known))[values])

    def skip(self, rows: int) -> None:
        if rows:
            self.extend(np.zeros(rows, dtype=np.int64), np.array([""], dtype=object))

    def array(self) -> Any:
        return _categorical(self._codes.values, [*self._known])


def _code_type(texts: Sized) -> np.dtype[Any]:
    """Return the smallest type of codes that pandas takes."""
    return np.min_scalar_type(-len(texts) - 1)


def _categorical(codes: np.ndarray, texts: list[str]) -> pd.Categorical:
    """Return a column of texts by code as categories in alphabetical order; the codes are changed in place."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.empty(len(texts), dtype=codes.dtype)
    places[order] = np.arange(len(texts))
    for start in range(0, len(codes), PART):
        codes[start : start + PART] = places[codes[start : start + PART]]
    categories = pd.Index([texts[each] for each in order], dtype=object)
    return pd.Categorical.from_codes(codes, categories=categories, ordered=True, validate=False)


def runs_of(frame: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[Any, ...], list[tuple[int, int]]]:
    """Return where rows of equal values lie: values of the columns → (start, stop) of each run, by their first one."""
    if not len(frame):
        return {}
    changes = np.zeros(len(frame) - 1, dtype=bool)
    keyed = []
    for column in columns:
        codes, values = coded(frame[column])
        changes |= codes[1:] != codes[:-1]
        keyed.append((codes, values))
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    keys = zip(*(values[codes[starts]].tolist() for codes, values in keyed), strict=True)
    found: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for key, start, stop in zip(keys, starts.tolist(), [*starts[1:].tolist(), len(frame)], strict=True):
        found.setdefault(key, []).append((start, stop))
    return found


def gathered(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows of equal values together, in the order of the first ones; column by column, to spare memory."""
    runs = runs_of(frame, columns)
    if all(len(each) == 1 for each in runs.values()):
        return frame
    order = np.concatenate([np.arange(*each) for own in runs.values() for each in own])
    taken = {name: pd.Series(frame[name].array.take(order), copy=False) for name in frame}
    return pd.DataFrame(taken, columns=frame.columns, copy=False)


def parts_of(frame: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the rows by the values of some columns, in the order of the first ones; views where they lie together."""
    return {key: _part(frame, runs) for key, runs in runs_of(frame, columns).items()}


def _part(frame: pd.DataFrame, runs: Sequence[tuple[int, int]]) -> pd.DataFrame:
    if len(runs) == 1:
        return frame.iloc[slice(*runs[0])]
    return frame.iloc[np.concatenate([np.arange(*each) for each in runs])]
