"""The rows of very many jobs as one frame: read table by table, texts as categories of one dictionary per column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scar.common.types import Ints
from scar.job.rows import COLUMNS, FLOATS, INTEGERS, expand_coded

BATCH = 64
"""Jobs whose tables are held as they are stored."""


class JoinedRows:
    """Collects the stored rows of jobs; a job takes about 0.1 MB, with its texts as strings it would take 0.24."""

    def __init__(self) -> None:
        self._waiting: list[pa.Table] = []
        self._columns: dict[str, list[Any]] = {}
        self._texts: dict[str, dict[str, int]] = {}
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
        columns = {name: self._joined(name) for name in [*self._columns]}
        for name, values in further.items():
            codes, texts = pd.factorize(np.array(values, dtype=object))
            small = codes.astype(np.min_scalar_type(-len(texts) - 1))
            columns[name] = _categorical(np.repeat(small, self.lengths), texts.tolist())
        names = [*columns] if columns else [*COLUMNS, *further]
        series = {name: pd.Series(each, copy=False) for name, each in columns.items()}
        return pd.DataFrame(series, columns=pd.Index(names, dtype=object), copy=False)

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting, promote_options="permissive")
        self._waiting = []
        columns, texts = expand_coded(table)
        rows = len(next(iter(columns.values())))
        for name in [each for each in columns if each not in self._columns]:
            self._columns[name] = [self._empty(name, self._rows, coded=name in texts)] if self._rows else []
        for name, parts in self._columns.items():
            if name not in columns:
                parts.append(self._empty(name, rows, coded=name in self._texts))
            elif name in texts:
                parts.append(self._codes(name, columns[name], texts[name]))
            else:
                parts.append(_number(name, columns[name]))
        self._rows += rows

    def _codes(self, name: str, codes: Ints, texts: np.ndarray) -> np.ndarray:
        """Return codes of the dictionary of the whole report."""
        known = self._texts.setdefault(name, {})
        places = np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)
        return places.astype(np.min_scalar_type(-len(known) - 1))[codes]

    def _empty(self, name: str, rows: int, *, coded: bool) -> Any:
        """What stands in a column that some jobs lack."""
        if coded:
            return self._codes(name, np.zeros(rows, dtype=np.int64), np.array([""], dtype=object))
        return _number(name, np.full(rows, np.nan))

    def _joined(self, name: str) -> Any:
        parts = self._columns.pop(name)
        if name in self._texts:
            return _categorical(np.concatenate(parts), [*self._texts[name]])
        return pd.concat([pd.Series(each, copy=False) for each in parts], ignore_index=True).array


def _number(name: str, values: Any) -> Any:
    kind = "Int64" if name in INTEGERS else "float64" if name in FLOATS else None
    return values if kind is None else pd.array(values, dtype=kind)


def _categorical(codes: np.ndarray, texts: list[str]) -> pd.Categorical:
    """Return a column of texts by code as categories in alphabetical order."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.empty(len(texts), dtype=codes.dtype)
    places[order] = np.arange(len(texts))
    categories = pd.Index([texts[each] for each in order], dtype=object)
    return pd.Categorical.from_codes(places[codes], categories=categories, ordered=True, validate=False)


def runs_of(frame: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[Any, ...], list[tuple[int, int]]]:
    """Return where rows of equal values lie: values of the columns → (start, stop) of each run, by their first one."""
    if not len(frame):
        return {}
    changes = np.zeros(len(frame) - 1, dtype=bool)
    coded = []
    for column in columns:
        each = frame[column]
        if isinstance(each.dtype, pd.CategoricalDtype):
            codes, values = each.cat.codes.to_numpy(), each.cat.categories
        else:
            codes, values = pd.factorize(each, use_na_sentinel=False)
        changes |= codes[1:] != codes[:-1]
        coded.append((codes, values))
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    keys = zip(*(values[codes[starts]].tolist() for codes, values in coded), strict=True)
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
