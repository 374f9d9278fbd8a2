"""From cases to a table: whether intervals hold, how far forecasts are off, against per-class curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Floats
from scar.completion.forecast_settings import LEVEL

RESAMPLES = 2000
"""Of the clusters (dataset × seed), for the interval of a coverage."""


def score_table(cases: pd.DataFrame) -> pd.DataFrame:
    """Return one row per dataset, regime and score; ``every`` stands for all datasets, or all regimes.

    Columns, in points where they are not shares: cases, ``refused`` (share; a refusal is no case of the others), ``held``
    (coverage of the 90 % intervals of gains) with its 95 % interval by a bootstrap of dataset × seed, bias, RMSE, width
    and interval score of forecasts and of per-class curves, and ``level_held`` (coverage of the score itself).
    """
    cases = cases.assign(cluster=cases.dataset + "/" + cases.seed.astype(str))
    every = pd.concat([cases, cases.assign(dataset="every")], ignore_index=True)
    every = pd.concat([every, every.assign(regime="every")], ignore_index=True)
    names = ["dataset", "regime", "score"]
    return pd.DataFrame(
        [dict(zip(names, group, strict=True)) | _summary(own) for group, own in every.groupby(names, sort=False)]
    )


def _summary(cases: pd.DataFrame) -> dict[str, float]:
    given = cases[cases.refused == ""]
    found: dict[str, float] = {"cases": len(cases), "refused": float((cases.refused != "").mean())}
    if given.empty:
        return found
    gain = given.gain.to_numpy(np.float64)
    for prefix, columns in (("", ("forecast", "low", "high")), ("curve_", ("curve", "curve_low", "curve_high"))):
        value, low, high = given[list(columns)].to_numpy(np.float64).T
        inside = (low <= gain) & (gain <= high)
        found[f"{prefix}held"] = float(inside.mean())
        if not prefix:
            found["held_low"], found["held_high"] = cluster_interval(inside, given.cluster.to_numpy())
        found[f"{prefix}bias"] = 100 * float(np.mean(value - gain))
        found[f"{prefix}rmse"] = 100 * float(np.sqrt(np.mean((value - gain) ** 2)))
        found[f"{prefix}width"] = 100 * float(np.mean(high - low))
        found[f"{prefix}interval_score"] = 100 * float(np.mean(interval_score(low, high, gain)))
    found["level_held"] = float(((given.level_low <= given.reached) & (given.reached <= given.level_high)).mean())
    return found


def interval_score(low: Floats, high: Floats, real: Floats) -> Floats:
    """Return width plus 2 / (1 - level) times the miss (Gneiting and Raftery 2007)."""
    miss = np.maximum(low - real, 0.0) + np.maximum(real - high, 0.0)
    return np.asarray(high - low + 2 / (1 - LEVEL) * miss)


def cluster_interval(inside: NDArray[np.bool_], clusters: NDArray[np.object_]) -> tuple[float, float]:
    """Return a 95 % interval of a share by resampling whole clusters; NaN for a single one."""
    _, of = np.unique(clusters, return_inverse=True)
    hits, sizes = np.bincount(of, weights=inside), np.bincount(of)
    if len(sizes) < 2:
        return float("nan"), float("nan")
    drawn = generator(0, "forecast_study").integers(0, len(sizes), (RESAMPLES, len(sizes)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
