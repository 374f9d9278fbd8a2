"""The bound of Eq. 7 averaged at each down-sampling factor, debiased, with a standard error that is smooth in n."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from scar.common.types import Floats
from scar.foundation.bound import concept_bound
from scar.measures.debias import coverage_deficit
from scar.measures.observations import Observations

DEFICIT_VARIANCE = 0.72
"""Variance of a deficit d of n logits in excess of chance is about 0.72 d / n: a Jensen-Shannon divergence
in bits is Σ (p - g)² / g / (8 ln 2) to leading order. Used where no factor has repeats."""


@dataclass(frozen=True, eq=False)
class BoundPoints:
    """Bound y of Eq. 7 per factor, R factors and K steps.

    Attributes:
        fractions: [R] fraction 1/r of each factor.
        bound: [R, K] mean over the parts, not floored; NaN where no part is defined.
        error: [R, K] its standard error.
        partly_undefined: [K] whether the coverage is undefined in some probe.
    """

    fractions: Floats
    bound: Floats
    error: Floats
    partly_undefined: NDArray[np.bool_]

    @property
    def floored(self) -> NDArray[np.bool_]:
        """[R, K] points that are not distinguishable from zero."""
        return np.asarray(self.bound < self.error)


def bound_points(observations: Observations, *, bins: int) -> BoundPoints:
    """Average the debiased bound over the parts of each factor."""
    deficit, chance = coverage_deficit(observations.coverage, observations.true_positives, bins=bins)
    y = concept_bound(
        scale=observations.scale,
        coverage=1.0 - deficit,
        authenticity=observations.authenticity,
        richness=observations.richness,
    )
    defined = ~np.isnan(y)
    count, mean, size = [], [], []
    spread, null = [], []
    factors = np.unique(observations.factors)
    for factor in factors:
        rows = observations.factors == factor
        seen = defined[rows]
        parts = seen.sum(axis=0)
        divisor = np.maximum(parts, 1)
        centre = np.where(seen, y[rows], 0.0).sum(axis=0) / divisor
        count.append(parts)
        mean.append(centre)
        spread.append(np.where(seen, (y[rows] - centre) ** 2, 0.0).sum(axis=0) / np.maximum(parts - 1, 1))
        null.append(np.where(seen, chance[rows] ** 2, 0.0).sum(axis=0) / divisor)
        size.append(np.where(seen, observations.true_positives[rows], 0.0).sum(axis=0) / divisor)
    parts_, bound = np.array(count), np.array(mean)
    variance = _smooth_variance(np.array(spread), bound, np.array(null), np.maximum(np.array(size), 1.0), parts_)
    blank = np.where(parts_ > 0, 0.0, np.nan)
    return BoundPoints(
        fractions=1.0 / factors,
        bound=bound + blank,
        error=np.sqrt(variance / np.maximum(parts_, 1)) + blank,
        partly_undefined=np.asarray(~defined.all(axis=0)),
    )


def _smooth_variance(spread: Floats, bound: Floats, null: Floats, size: Floats, parts: NDArray[np.int64]) -> Floats:
    """Return the variance [R, K] of y of one part: multiples of the chance variance, of y / n and of y².

    The multiples are pooled over steps and factors: non-negative least squares of the variances between parts,
    with relative errors. The first is at least 1, what chance alone gives.
    """
    positive = np.maximum(bound, 0.0)
    columns = np.stack([null, positive / size, positive**2])
    degrees = np.maximum(parts - 1, 0).astype(np.float64)
    factors = np.array([1.0, DEFICIT_VARIANCE, 0.0])
    for _ in range(20 if degrees.any() else 0):
        model = np.maximum(np.tensordot(factors, columns, 1), 1e-300)
        weight = np.sqrt(degrees) / model
        excess = weight * (spread - null)
        factors = nnls((weight * columns).reshape(3, -1).T, excess.ravel())[0] + np.array([1.0, 0.0, 0.0])
    return np.asarray(np.tensordot(factors, columns, 1))
