"""Rows of reduction studies and the published ones: reading, means over seeds, cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from scar.evaluation.intervals import corrected_interval
from scar.reporting.axes import select
from scar.reporting.text import MISSING, count, known, percent, percent_interval

SOURCE = "Wang et al., Too Large; Data Reduction for Vision-Language Pre-Training"
NONE = "–"
"""A cell that no row of its kind has."""
RETRIEVAL = {f"{d}_at_{k}": f"{d.upper()}@{k}" for d in ("tr", "ir") for k in (1, 5, 10)}
"""Recall by direction and depth → its header."""


@cache
def _published() -> pd.DataFrame:
    with (files("scar.reporting.paper") / "published_reduction.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#", dtype={"table": str, "case": str, "samples": str}, keep_default_na=False)


def published(table: str) -> pd.DataFrame:
    """Return the rows of a published table: group, case, samples, metric, value; percent, hours and ranks as printed."""
    frame = _published()
    return frame[frame.table == table].copy()


def published_value(table: str, group: str, case: str, metric: str) -> float:
    """Return one published number, NaN where the paper has none."""
    own = published(table)
    own = own[(own.group == group) & (own.case == case) & (own.metric == metric)]
    return float(own.value.iloc[0]) if len(own) else math.nan


@dataclass(frozen=True)
class Cell:
    """A mean over seeds with its Student interval, and how it is shown."""

    value: float
    low: float = math.nan
    high: float = math.nan
    seeds: int = 0

    def percent(self, digits: int = 1) -> str:
        """``"12.3 [11.0, 13.6]"``; the interval of a few seeds is cut where a share ends."""
        low, high = max(self.low, 0.0), min(self.high, 1.0)
        return f"{percent(self.value, digits)} {percent_interval(low, high, digits)}".strip()

    def plain(self, digits: int = 1) -> str:
        """``"12.3"``."""
        return f"{self.value:.{digits}f}" if known(self.value) else MISSING

    def count(self) -> str:
        """``"1 500"``."""
        return count(self.value) if known(self.value) else MISSING


def cell(rows: pd.DataFrame, **where: str) -> Cell:
    """Return the mean over seeds of the rows with some values; an empty cell where there are none."""
    values = select(rows, where).groupby("seed").value.first().dropna().to_numpy()
    if not len(values):
        return Cell(math.nan)
    each = corrected_interval(values, test_share=0.0)
    return Cell(each.value, each.low, each.high, len(values))
