"""What a study of Foundation Data found: every subset against everything and against chance, and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.evaluation.hypotheses import SIGNIFICANCE_LEVEL, holm
from scar.evaluation.intervals import crossed_interval
from scar.evaluation.weighted_metrics import METRICS, weighted_scores
from scar.job.metrics import Metric


def compare(rows: pd.DataFrame, predictions: Sequence[Ints], labels: Ints) -> pd.DataFrame:
    """Return one row per selection, size and metric: its score, and its differences to the full set and to random.

    A size that the estimator asks for in some seeds only is compared over these.

    Args:
        rows: of all seeds, in the order of the predictions.
        predictions: per seed [parts, n_test].
        labels: [n_test].
    """
    right = np.concatenate(predictions) == labels
    records = []
    for (selection, origin), own in rows[rows.selection != "all"].groupby(["selection", "origin"], sort=False):
        seeds = own.seed.tolist()
        if len(seeds) == 1 < len(predictions):  # one of several seeds has no interval
            continue
        mine = _by_seed(rows, right, selection, origin, seeds)
        full, drawn = _by_seed(rows, right, "all", "all", seeds), _by_seed(rows, right, "random", origin, seeds)
        for metric in METRICS:
            record = {"selection": selection, "origin": origin, "seeds": len(seeds), "n": own["size"].mean()}
            record |= {"metric": metric, "value": own[metric].mean()}
            for name, difference in {"full": mine - full, "random": mine - drawn}.items():
                estimate = crossed_interval(weighted_scores(difference, labels, metric))
                record |= {f"minus_{name}": estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
                record[f"{name}_p"] = estimate.p_value
            records.append(record)
    table = pd.DataFrame.from_records(records)
    for metric in METRICS:
        family = (table.metric == metric) & (table.selection != "random")
        table.loc[family, "random_p_holm"] = holm(table.loc[family, "random_p"].to_numpy())
    return table


def _by_seed(
    rows: pd.DataFrame, right: NDArray[np.bool_], selection: str, origin: str, seeds: list[int]
) -> NDArray[np.int8]:
    chosen = (rows.selection == selection) & (rows.origin == origin) & rows.seed.isin(seeds)
    picked: NDArray[np.int8] = right[chosen.to_numpy()].astype(np.int8)
    return picked


def conclude(table: pd.DataFrame, rows: pd.DataFrame, *, gaps: Sequence[float], tolerance: float) -> list[str]:
    """Say how small a subset may be, whether choosing its members was worth it, and what the estimator asked for.

    Args:
        table: of `compare`.
        rows: of all seeds.
        gaps: thresholds ε whose sizes the estimator was asked for.
        tolerance: loss of a score, as a fraction, that still preserves generalisation.
    """
    everything = float(rows.loc[rows.selection == "all", "size"].mean())
    grid = table[~table.origin.str.startswith("gap")]
    sentences = [
        _smallest(sizes, metric, selection, everything, tolerance)
        for metric in METRICS
        for selection, sizes in grid[grid.metric == metric].groupby("selection", sort=False)
    ]
    return sentences + [line for gap in gaps for line in _asked(table, rows, f"gap {gap:g}", everything)]


def _smallest(sizes: pd.DataFrame, metric: str, selection: str, everything: float, tolerance: float) -> str:
    kept = sizes[sizes.full_low >= -tolerance]
    least = f"{kept.n.min():,.0f} samples ({kept.n.min() / everything:.0%})" if len(kept) else "no smaller subset"
    sure = sizes[(sizes.random_p_holm < SIGNIFICANCE_LEVEL) & (sizes.minus_random > 0)]
    gain = f"; better than random at {', '.join(sure.origin)} of the data" if len(sure) else ""
    return f"{metric}, {selection}: {least} surely within {100 * tolerance:g} point of all {everything:,.0f}{gain}."


def _asked(table: pd.DataFrame, rows: pd.DataFrame, origin: str, everything: float) -> list[str]:
    """Say what the size that the estimator asks for at a gap is worth."""
    seeds, sizes = rows.seed.nunique(), rows.loc[(rows.origin == origin) & (rows.selection == "random"), "size"]
    if not len(sizes):
        return [
            f"{origin}: in all {seeds} seeds the estimator asks for more than the {everything:,.0f} samples there are."
        ]
    first = (
        f"{origin}: the estimator asks for {sizes.min():,.0f} to {sizes.max():,.0f} samples in {len(sizes)} of {seeds} "
        "seeds, in the others for more than there are."
    )
    return [first] + [
        f"{origin}, {row.selection}: {row.n:,.0f} samples reach {row.value:.3f}, {100 * row.minus_full:+.1f} points "
        f"[{100 * row.full_low:+.1f}, {100 * row.full_high:+.1f}] from everything."
        for row in table[(table.origin == origin) & (table.metric == Metric.ACCURACY)].itertuples()
    ]
