"""Drift of a part against the whole, and the verdict; the rules were fixed before any result was seen."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from experiments.common import mean_interval

TOLERANCE = {"measure": math.log2(1.02), "size": math.log2(1.1)}
"""Drift that still counts as invariant: 2 % for a measure, a factor 1.1 for a size (and for 1 - A)."""
LOOSE = ("wrong_decisions",)
CAP = 3.0
"""Largest |log2| drift, and that of an answer against none."""


def measure_drift(part: float, whole: float) -> float:
    """Return log2(part / whole) of a measure; NaN if either is undefined."""
    return math.log2(part / whole) if part > 0 and whole > 0 else math.nan


def size_drift(part: float, whole: float, n_part: int, n_whole: int) -> float:
    """Return log2(part / whole) of two Foundation Data Sizes, within ±3.

    A size of 0 says "what there is is enough", so anything up to n: two answers that do not contradict each other
    do not drift. An answer against none (undefined, out of reach) drifts by 3; NaN where neither answers.
    """
    if not math.isfinite(part) and not math.isfinite(whole):
        return math.nan
    if not math.isfinite(part):
        return CAP
    if not math.isfinite(whole):
        return -CAP
    if part == 0.0 and whole == 0.0:
        return 0.0
    if whole == 0.0:
        return min(max(math.log2(part / n_whole), 0.0), CAP)
    if part == 0.0:
        return max(min(math.log2(n_part / whole), 0.0), -CAP)
    return float(np.clip(math.log2(part / whole), -CAP, CAP))


def verdict(low: float, high: float, tolerance: float) -> str:
    """Judge an interval of the mean drift: inside the tolerance, outside it, or neither."""
    if math.isnan(low) or math.isnan(high):
        return "undefined"
    if -tolerance <= low and high <= tolerance:
        return "confirmed"
    return "refuted" if low > tolerance or high < -tolerance else "undecided"


def drifts(values: pd.DataFrame) -> pd.DataFrame:
    """Add the drift of every part against its whole to rows with kind, value, value_whole, n, n_whole."""
    drift = [
        measure_drift(r.value, r.value_whole)
        if r.kind == "measure"
        else size_drift(r.value, r.value_whole, r.n, r.n_whole)
        for r in values.itertuples()
    ]
    return values.assign(drift=drift)


def drift_table(parts: pd.DataFrame) -> pd.DataFrame:
    """Return the drift per dataset, quantity and scale as a factor, with a 95 % interval over the seeds.

    The parts of one seed share their whole: they are averaged first.
    """
    records = []
    for (dataset, kind, quantity, scale), rows in parts.groupby(["dataset", "kind", "quantity", "scale"], sort=False):
        per_seed = rows.groupby("seed")["drift"].mean().dropna()
        mean, low, high = mean_interval(per_seed) if len(per_seed) else (math.nan,) * 3
        tolerance = TOLERANCE["size" if quantity in LOOSE else kind]
        records.append(
            {
                "dataset": dataset,
                "kind": kind,
                "quantity": quantity,
                "subset": f"1/{scale}",
                "classes": rows["classes"].median(),
                "whole": rows["value_whole"].median(),
                "part": rows["value"].median(),
                "factor": 2.0**mean,
                "low": 2.0**low,
                "high": 2.0**high,
                "comparisons": int(rows["drift"].notna().sum()),
                "verdict": verdict(low, high, tolerance),
            }
        )
    return pd.DataFrame.from_records(records)


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Return one verdict per quantity: refuted by any refutation, confirmed if confirmed everywhere."""

    def judge(verdicts: pd.Series) -> str:
        if (verdicts == "refuted").any():
            return "refuted"
        return "confirmed" if (verdicts == "confirmed").all() else "undecided"

    grouped = table.groupby(["kind", "quantity"], sort=False)["verdict"]
    counts = {name: grouped.agg(lambda v, name=name: int((v == name).sum())) for name in ("confirmed", "refuted")}
    return pd.DataFrame({"verdict": grouped.agg(judge), **counts, "of": grouped.size()}).reset_index()
