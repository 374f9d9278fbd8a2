"""The axes of a frame of rows, and a check that none is averaged over unless it is named."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.types import Floats

K = TypeVar("K")
V = TypeVar("V")
GROUP = ("dataset", "encoder", "modality", "regime", "mix")
"""What one line of a table stands for, unless a study varies more."""
SELECTABLE = (*GROUP, "seed", "completion")
"""What the rows of a report can be chosen by, with ``where``."""
NOT_AXES = frozenset(
    ("study", "job", "key", "version", "completion", "n", "value", "low", "high", "flag", "class_name", "level")
)
"""Columns that describe a measurement rather than index it."""


def varying_axes(frame: pd.DataFrame) -> list[str]:
    """Names of the index columns that hold more than one value (an empty cell is a value)."""
    return [c for c in frame.columns if c not in NOT_AXES and _varies(frame[c])]


def _varies(column: pd.Series[Any]) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return bool((codes != codes[:1]).any())
    missing = column.isna().to_numpy()
    if missing.any():
        return not missing.all()
    values = column.to_numpy()
    return bool((values != values[:1]).any())


def require_named_axes(frame: pd.DataFrame, by: Sequence[str], *, over: Collection[str] = ("seed",)) -> None:
    """Refuse to average over an axis that is neither grouped by nor named as averaged over.

    Raises:
        ValueError: names the axis, its values and the two ways out.
    """
    for column in by:
        if column not in frame.columns:
            raise ValueError(f"by={list(by)}: the rows have no column {column!r}")
    for column in varying_axes(frame):
        if column in by or column in over:
            continue
        if frame.groupby(list(by), dropna=False)[column].nunique(dropna=False).max() <= 1 if by else False:
            continue  # a function of the named axes, e.g. the modality of an encoder
        values = ", ".join(str(v) for v in sorted(frame[column].unique(), key=str)[:6])
        raise ValueError(
            f"the rows vary in {column!r} ({values}), which nobody named: add it to by={list(by)}, "
            f"or keep one value with where={{'{column}': …}}"
        )


def select(frame: pd.DataFrame, values: Mapping[str, object]) -> pd.DataFrame:
    """Rows whose columns equal the given values; there may be none."""
    return frame[equal(frame, **values)] if values else frame


def pick(frame: pd.DataFrame, columns: Sequence[str], /, **values: object) -> pd.DataFrame:
    """Some columns of the rows whose columns equal the given values, numbered anew: much faster than to mask all columns."""
    return taken(frame, columns, np.flatnonzero(equal(frame, **values)))


def taken(frame: pd.DataFrame, columns: Sequence[str], places: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Some columns of the rows at some places, numbered anew."""
    found = pd.DataFrame({name: frame[name].array.take(places) for name in columns}, copy=False)
    found.columns = _names(tuple(columns))
    return found


@lru_cache
def _names(columns: tuple[str, ...]) -> pd.Index[Any]:
    """Names of columns, found by one dictionary for all frames that have them."""
    return pd.Index(columns, dtype=object)


def has_rows(frame: pd.DataFrame, /, **values: object) -> bool:
    """Tell whether there are rows whose columns equal the given values."""
    return bool(equal(frame, **values).any())


def numbers(frame: pd.DataFrame, column: str = "value", /, **values: object) -> Floats:
    """Numbers [n] of a column in the rows whose columns equal the given values."""
    found: Floats = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)[equal(frame, **values)]
    return found


def mean(values: Floats) -> float:
    """Mean of the numbers [n] that are known; NaN of none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def compensated_mean(values: Iterable[float]) -> float:
    """Mean of the numbers that are known, as pandas takes it of a group: of a few, without a frame around them (Kahan 1965)."""
    total, lost, count = 0.0, 0.0, 0
    for value in values:
        if value == value:
            added = value - lost
            after = total + added
            lost = after - total - added
            lost = 0.0 if math.isnan(lost) else lost  # of infinite numbers
            total, count = after, count + 1
    return total / count if count else math.nan


def grouped(keys: Iterable[K], values: Iterable[V]) -> dict[K, list[V]]:
    """Values by key, both in their order: of a few, without a frame around them."""
    found: dict[K, list[V]] = {}
    for key, value in zip(keys, values, strict=True):
        found.setdefault(key, []).append(value)
    return found


def by_seed(frame: pd.DataFrame, /, **values: object) -> dict[int, list[float]]:
    """Values by seed, seeds and values in their order, of the rows whose columns equal the given values."""
    own = pick(frame, ["seed", "value"], **values)
    return grouped(own["seed"].tolist(), own["value"].tolist())


def seeds_of(frame: pd.DataFrame) -> list[int]:
    """The seeds of some rows, in ascending order."""
    each = frame["seed"].to_numpy(dtype=np.int64)
    starts = np.flatnonzero(each[1:] != each[:-1]) + 1  # rows of a seed mostly lie together
    return sorted({*each[:1].tolist(), *each[starts].tolist()})


def coded(column: pd.Series) -> tuple[NDArray[np.integer[Any]], pd.Index]:
    """Return codes [n] of a column and the values that they stand for; a missing value is one, too."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array.codes, column.array.categories
    codes, known = pd.factorize(column, use_na_sentinel=False)
    return codes, pd.Index(known)


def equal(frame: pd.DataFrame, /, **values: object) -> NDArray[np.bool_]:
    """Tell of each row [n] whether its columns equal the given values; texts are compared by their codes."""
    found: NDArray[np.bool_] | None = None
    for name, value in values.items():
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            known = column.array.categories
            own = column.array.codes == (known.get_loc(value) if value in known else len(known))
        else:
            own = (column == value).to_numpy(dtype=bool, na_value=False)
        found = own if found is None else found & own
    return np.ones(len(frame), dtype=bool) if found is None else found


def keep(frame: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    """Rows whose columns equal the given values.

    Raises:
        ValueError: a column is unknown, or no row is left.
    """
    for column, value in where.items():
        if column not in frame.columns:
            raise ValueError(f"where={where}: the rows have no column {column!r}; columns are {list(frame.columns)}")
        chosen = frame[frame[column] == value]
        if chosen.empty:
            found = ", ".join(str(v) for v in sorted(frame[column].unique(), key=str)[:8])
            raise ValueError(f"where={where}: no row has {column}={value!r}; found {found}")
        frame = chosen
    return frame


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose categories are plain texts: of few rows, which are to be changed, joined or turned."""
    coded = [
        name for name, kind in zip(frame.columns, frame.dtypes, strict=True) if isinstance(kind, pd.CategoricalDtype)
    ]
    return frame.assign(**{name: np.asarray(frame[name].array, dtype=object) for name in coded}) if coded else frame
