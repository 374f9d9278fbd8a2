"""Rank agreement between an indicator and an outcome over many datasets, with bootstrap intervals.

All three coefficients are computed from weights per dataset, so that a resample is a vector of multiplicities and not a
copy: one pass of matrix products gives every resample of every coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scar.common.randomness import generator
from scar.common.types import Floats

COEFFICIENTS = ("spearman", "kendall", "gamma")
"""Spearman's ρ (mid-ranks), Kendall's τ-b, and Goodman and Kruskal's γ, which leaves tied pairs out."""
LEAST_DEFINED = 0.5
"""Share of resamples in which a coefficient must be defined for its interval to be given."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A rank coefficient in [-1, 1] with its interval.

    Attributes:
        coefficient: one of `COEFFICIENTS`.
        value: NaN where either side is constant.
        low, high: percentile interval over resampled datasets at `level`; NaN where too few resamples define it.
        level: of the interval.
        datasets: how many were ranked; those with an undefined indicator or outcome are left out.
    """

    coefficient: str
    value: float
    low: float
    high: float
    level: float
    datasets: int


def rank_agreement(
    indicator: ArrayLike, outcome: ArrayLike, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> dict[str, Agreement]:
    """Return Spearman's ρ, Kendall's τ-b and Goodman-Kruskal's γ of two columns.

    The interval resamples the datasets. It describes how far the coefficient would move had other datasets of the same
    kind been drawn; two datasets that share their samples are treated as two.

    Args:
        indicator: [n] values; ±inf are ranked, NaN leaves the dataset out.
        outcome: [n] values, e.g. accuracy.
        level: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap; the same datasets are drawn for every indicator.

    Raises:
        ValueError: the columns differ in length, or fewer than three datasets are defined.
    """
    x, y = np.asarray(indicator, np.float64), np.asarray(outcome, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"indicator {x.shape} and outcome {y.shape} must be columns of one length")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1")
    kept = ~(np.isnan(x) | np.isnan(y))
    x, y = x[kept], y[kept]
    if len(x) < 3:
        raise ValueError(f"{len(x)} datasets with a defined indicator and outcome: a ranking needs at least 3")
    drawn = generator(seed, "agreement", len(x)).integers(0, len(x), size=(resamples, len(x)))
    weights = np.zeros((resamples + 1, len(x)))
    weights[0] = 1.0
    np.add.at(weights, (np.arange(1, resamples + 1)[:, None], drawn), 1.0)
    values = {"spearman": _spearman(x, y, weights), **_pairwise(x, y, weights)}
    return {name: _summarize(name, values[name], level, len(x)) for name in COEFFICIENTS}


def _summarize(name: str, values: Floats, level: float, datasets: int) -> Agreement:
    replicates = values[1:][~np.isnan(values[1:])]
    low = high = float("nan")
    if not np.isnan(values[0]) and len(replicates) > LEAST_DEFINED * (len(values) - 1):
        tail = (1 - level) / 2
        low, high = map(float, np.quantile(replicates, (tail, 1 - tail)))
    return Agreement(coefficient=name, value=float(values[0]), low=low, high=high, level=level, datasets=datasets)


def _spearman(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Weighted Pearson correlation [B] of the mid-ranks of each resample; weights [B, n] are multiplicities."""
    a, b = _mid_ranks(x, weights), _mid_ranks(y, weights)
    middle = (weights.sum(axis=1, keepdims=True) + 1) / 2
    a, b = a - middle, b - middle
    together = (weights * a * b).sum(axis=1)
    return _ratio(together, np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1)))


def _mid_ranks(values: Floats, weights: Floats) -> Floats:
    below = (values[:, None] < values[None, :]).astype(np.float64)
    equal = (values[:, None] == values[None, :]).astype(np.float64)
    return np.asarray(weights @ below + (weights @ equal + 1) / 2, dtype=np.float64)


def _pairwise(x: Floats, y: Floats, weights: Floats) -> dict[str, Floats]:
    """Kendall's τ-b and γ [B]: sums over pairs of datasets, each pair counted as often as it is drawn."""
    a, b = _signs(x), _signs(y)

    def total(pairs: Floats) -> Floats:
        return np.asarray(((weights @ pairs) * weights).sum(axis=1), dtype=np.float64)

    difference = total(a * b)  # concordant minus discordant
    untied = total(np.abs(a * b))
    return {
        "kendall": _ratio(difference, np.sqrt(total(np.abs(a)) * total(np.abs(b)))),
        "gamma": _ratio(difference, untied),
    }


def _signs(values: Floats) -> Floats:
    greater = values[:, None] > values[None, :]
    return greater.astype(np.float64) - greater.T


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Quotient in [-1, 1], NaN where the denominator is 0."""
    defined = bottom > 0
    quotient = np.divide(top, bottom, out=np.full_like(top, np.nan), where=defined)
    return np.asarray(np.clip(quotient, -1.0, 1.0), dtype=np.float64)
