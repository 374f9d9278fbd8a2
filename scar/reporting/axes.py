"""The axes of a frame of rows, and a check that none is averaged over unless it is named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

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
    return bool(column.nunique(dropna=False) > 1)


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
    if not values:
        return frame
    found = np.ones(len(frame), dtype=bool)
    for column, value in values.items():
        found &= (frame[column] == value).to_numpy(dtype=bool, na_value=False)
    return frame[found]


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
