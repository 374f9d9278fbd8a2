"""The fit of Eq. 7: ``h (1 - exp(-κ x))`` regressed on the bounds of all steps at once, with intervals (Eq. 3, 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from scar.common.types import Bools, Floats
from scar.foundation.growth_profile import Profile, ends, log_growth, minimise, size_ends

WEAK_PRIOR = (math.log(20.0), 1.0)
"""Median and log standard deviation of a weak prior on κ: 95 % of h is reached at full data."""

IDENTIFIED_RATIO = 10.0
"""κ counts as identified when the ends of its prior-free interval differ by at most this factor."""

_MARGIN = 100.0


@dataclass(frozen=True, eq=False, kw_only=True)
class GrowthFit:
    """Fitted growth curves h_j (1 - exp(-κ_j x)) of K step functions.

    Attributes:
        h: [K] concept size at saturation; NaN where `defined` is false.
        kappa: [K] dimensionless growth rate κ = λ N, inside `bounds`.
        h_interval, kappa_interval: [K, 2] ends at `level`; 0 or inf where the data give no bound.
        log_residual: [K] root mean square residual of the logarithm.
        defined: [K] whether there was enough data for a fit.
        identified: [K] whether the data alone confine κ to a factor of `IDENTIFIED_RATIO`.
        at_prior: [K] whether κ rests on its prior, the data not identifying it.
        at_edge: [K] whether κ lies on one of its bounds.
        decreasing: [K] whether the bound falls significantly with size, which contradicts the model.
        level: probability that an interval holds the truth.
    """

    h: Floats
    kappa: Floats
    h_interval: Floats
    kappa_interval: Floats
    log_residual: Floats
    defined: Bools
    identified: Bools
    at_prior: Bools
    at_edge: Bools
    decreasing: Bools
    level: float

    def predict(self, fractions: ArrayLike) -> Floats:
        """Return the fitted bound [R, K] at the fractions x [R] of the data (Eq. 4)."""
        x = np.asarray(fractions, dtype=np.float64)
        return np.asarray(self.h * -np.expm1(-np.multiply.outer(x, self.kappa)))


def fit_growth(
    bound: ArrayLike,
    fractions: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    noise: float | None = None,
    prior: tuple[float, float] | None = None,
    bounds: tuple[float, float] = (0.1, 10.0),
    level: float = 0.95,
) -> GrowthFit:
    """Fit h_j (1 - exp(-κ_j x)) to the right-hand side y_j(x) of Eq. 7 for all step functions at once.

    Least squares of log y: for a given κ the best log h is a weighted mean, so the problem is one-dimensional
    per step. Intervals are of profile likelihood, with a Student quantile where the noise is estimated,
    so that they hold for few points too. `bounds` confine the estimate, not the intervals.

    Args:
        bound: [R, K] or [R] values y > 0, one row per probe or size; NaN is left out.
        fractions: [R] fraction x = 1/r in (0, 1] of each row; repeats are rows of their own.
        weights: [R] or [R, K] precisions of log y relative to each other; equal if None.
        noise: standard deviation of log y at weight 1 if known; None estimates it from the residuals.
        prior: median and log standard deviation of a log-normal prior on κ, e.g. `WEAK_PRIOR`; None for none.
        bounds: least and greatest κ of the estimate.
        level: probability of the intervals.

    Returns:
        The fit. Without a prior, a step seen at fewer than two different fractions is not `defined`.

    Raises:
        ValueError: naming the argument that is empty, of the wrong shape, or out of range.
    """
    y, x, w = _validated(bound, fractions, weights)
    _validate_options(noise, prior, bounds, level)
    log_y = np.log(np.where(w > 0, y, 1.0))
    points = (w > 0).sum(axis=0)
    distinct = _distinct(x, w)
    defined = (points > 0) & ((distinct > 1) | (prior is not None))
    span = np.log([bounds[0] / _MARGIN, bounds[1] * _MARGIN])
    spread = _Spread(np.maximum(points - 2, 0), noise, level)
    problem = Profile(log_y, x, w)
    region = _Region.of(problem, spread, span)
    identified = defined & (distinct > 1) & (region.rate[1] - region.rate[0] <= math.log(IDENTIFIED_RATIO))
    if prior is not None:
        strength = np.clip(region.variance, 1e-12, 1e12) / prior[1] ** 2
        problem = Profile(log_y, x, w, penalty=strength, centre=math.log(prior[0]))
        region = _Region.of(problem, spread, span, variance=region.variance)
    log_kappa, _ = minimise(problem, *np.log(bounds))
    _, log_h = problem(log_kappa)
    residual = np.where(w > 0, log_y - log_h - log_growth(log_kappa, x), 0.0)
    blank = np.where(defined, 0.0, np.nan)
    return GrowthFit(
        h=np.exp(log_h) + blank,
        kappa=np.exp(log_kappa) + blank,
        h_interval=_exp(size_ends(problem, region.rate, region.limit, span)).T + blank[:, None],
        kappa_interval=_exp(region.rate).T + blank[:, None],
        log_residual=np.sqrt((residual**2).sum(axis=0) / np.maximum(points, 1)) + blank,
        defined=defined,
        identified=identified,
        at_prior=defined & ~identified & (prior is not None),
        at_edge=defined & (np.abs(log_kappa[:, None] - np.log(bounds)) < 1e-6).any(axis=1),
        decreasing=defined & (distinct > 1) & _decreasing(log_y, x, w, spread),
        level=level,
    )


@dataclass(frozen=True, eq=False)
class _Spread:
    """How the residuals of the steps become a variance and a quantile."""

    degrees: NDArray[np.int64]
    noise: float | None
    level: float

    def variance(self, squares: Floats) -> Floats:
        """Return the variance [K] of log y at weight 1; inf where no degree of freedom is left."""
        if self.noise is not None:
            return np.full_like(squares, self.noise**2)
        return np.where(self.degrees > 0, squares / np.maximum(self.degrees, 1), np.inf)

    def quantile(self, tail: float) -> Floats:
        """Return the normal or Student quantile [K] that leaves `tail` above it."""
        if self.noise is not None:
            return np.full(self.degrees.shape, -float(ndtri(tail)))
        return -np.asarray(stdtrit(np.maximum(self.degrees, 1), tail), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Region:
    """Profile-likelihood region: variance [K], limit of the sum of squares [K], ends of log κ [2, K]."""

    variance: Floats
    limit: Floats
    rate: Floats

    @classmethod
    def of(cls, problem: Profile, spread: _Spread, span: Floats, *, variance: Floats | None = None) -> _Region:
        best, least = minimise(problem, *span)
        variance = spread.variance(least) if variance is None else variance
        limit = least + variance * spread.quantile(0.5 * (1.0 - spread.level)) ** 2
        return cls(variance, limit, ends(problem, best, limit, span))


def _decreasing(log_y: Floats, x: Floats, w: Floats, spread: _Spread) -> Bools:
    """Return [K]: is the slope of log y in log x negative at the one-sided level?"""
    weight = w.sum(axis=0)
    total = np.where(weight > 0, weight, 1.0)
    u = np.log(x)[:, None] - (w * np.log(x)[:, None]).sum(axis=0) / total
    leverage = np.maximum((w * u**2).sum(axis=0), 1e-12)
    slope = (w * u * log_y).sum(axis=0) / leverage
    rest = log_y - (w * log_y).sum(axis=0) / total - slope * u
    variance = spread.variance((w * rest**2).sum(axis=0))
    certain = np.isfinite(variance)
    error = np.sqrt(np.where(certain, variance, 0.0) / leverage)
    return np.asarray(certain & (slope + spread.quantile(1.0 - spread.level) * error < -1e-12))


def _distinct(x: Floats, w: Floats) -> NDArray[np.int64]:
    """Return how many different fractions [K] each step was seen at."""
    _, group = np.unique(x, return_inverse=True)
    seen = np.zeros((group.max() + 1, w.shape[1]), dtype=np.bool_)
    np.logical_or.at(seen, group, w > 0)
    return np.asarray(seen.sum(axis=0), dtype=np.int64)


def _exp(values: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.exp(values)


def _validated(bound: ArrayLike, fractions: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    y = np.asarray(bound, dtype=np.float64)
    x = np.asarray(fractions, dtype=np.float64)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or y.size == 0:
        raise ValueError(f"bound must be a non-empty [R, K] array, got shape {y.shape}")
    if x.shape != y.shape[:1]:
        raise ValueError(f"fractions must be [R] = {y.shape[:1]} like the rows of bound, got shape {x.shape}")
    if not np.all((x > 0) & (x <= 1)):
        raise ValueError("fractions must lie in (0, 1]: the share 1/r of the data, not the factor r")
    if np.any(np.isinf(y) | (y <= 0)):
        raise ValueError("bound must be positive and finite (NaN where undefined): its logarithm is fitted")
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    w = w[:, None] if w.ndim == 1 and y.shape[1] != w.size else w
    if w.ndim == 1:
        w = w[:, None]
    if w.shape[0] != y.shape[0] or w.shape[1] not in (1, y.shape[1]):
        raise ValueError(f"weights must be [R] or [R, K] = {y.shape}, got shape {w.shape}")
    if not np.all(np.isfinite(w) & (w >= 0)):
        raise ValueError("weights must be finite and not negative")
    return y, x, np.where(np.isnan(y), 0.0, np.broadcast_to(w, y.shape))


def _validate_options(
    noise: float | None, prior: tuple[float, float] | None, bounds: tuple[float, float], level: float
) -> None:
    if noise is not None and not (noise > 0 and math.isfinite(noise)):
        raise ValueError(f"noise must be positive and finite, or None to estimate it, got {noise}")
    if prior is not None and not (prior[0] > 0 and prior[1] > 0):
        raise ValueError(f"prior must be (median, log standard deviation), both positive, got {prior}")
    if not 0 < bounds[0] < bounds[1]:
        raise ValueError(f"bounds must satisfy 0 < low < high, got {bounds}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
