"""The growth of the concept space with size, and its two-parameter regression (Eq. 3, 4, 7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Profile = Callable[[Floats], tuple[Floats, Floats]]

WEAK_PRIOR = (math.log(20.0), 1.0)
"""Median and log standard deviation of a weak prior on κ: 95 % of h is reached at full data."""

IDENTIFIED_RATIO = 10.0
"""κ counts as identified when the ends of its prior-free interval differ by at most this factor."""

_MARGIN = 100.0
_GRID = 161
_SHRINK = 0.5 * (math.sqrt(5.0) - 1.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class GrowthFit:
    """Fitted growth curves h_j (1 - exp(-κ_j x)) of K step functions.

    Attributes:
        h: [K] concept size at saturation; NaN where `defined` is false.
        kappa: [K] dimensionless growth rate κ = λ N, inside `bounds`.
        h_interval, kappa_interval: [K, 2] ends at `level`; 0 or inf where the data give no bound on that side.
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
    per step. Intervals are profile-likelihood intervals with a Student quantile where the noise is estimated, so
    that they hold for few points; they are not cut at `bounds`, which confine the estimate only.

    Args:
        bound: [R, K] or [R] values y > 0, one row per probe or size; NaN is left out.
        fractions: [R] fraction x = 1/r in (0, 1] of each row; repeats are rows of their own.
        weights: [R] or [R, K] precisions of log y relative to each other; equal if None.
        noise: standard deviation of log y at weight 1 if known; None estimates it from the residuals of each step.
        prior: median and log standard deviation of a log-normal prior on κ, e.g. `WEAK_PRIOR`; None fits freely.
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
    free = _Problem(log_y, x, w, penalty=np.zeros(y.shape[1]), centre=0.0)
    span = np.log([bounds[0] / _MARGIN, bounds[1] * _MARGIN])
    best, least = _minimise(free, *span)
    degrees = np.maximum(points - 2, 0)
    variance = _variance(least, degrees, noise)
    quantile = _quantile(level, degrees, noise)
    rate = _ends(free, best, least + variance * quantile, span)
    identified = defined & (distinct > 1) & (rate[1] - rate[0] <= math.log(IDENTIFIED_RATIO))

    problem = free
    if prior is not None:
        known = np.where(np.isfinite(variance), np.maximum(variance, 1e-12), 1e-12)
        problem = _Problem(log_y, x, w, penalty=known / prior[1] ** 2, centre=math.log(prior[0]))
        best, least = _minimise(problem, *span)
        rate = _ends(problem, best, least + variance * quantile, span)
    log_kappa, _ = _minimise(problem, *np.log(bounds))
    _, log_h = problem(log_kappa)
    size = _size_ends(problem, best, rate, least + variance * quantile, span)

    residual = np.where(w > 0, log_y - log_h - _log_growth(log_kappa, x), 0.0)
    edge = (np.abs(log_kappa - math.log(bounds[0])) < 1e-6) | (np.abs(log_kappa - math.log(bounds[1])) < 1e-6)
    blank = np.where(defined, 0.0, np.nan)
    return GrowthFit(
        h=np.exp(log_h) + blank,
        kappa=np.exp(log_kappa) + blank,
        h_interval=_exp(size).T + blank[:, None],
        kappa_interval=_exp(rate).T + blank[:, None],
        log_residual=np.sqrt((residual**2).sum(axis=0) / np.maximum(points, 1)) + blank,
        defined=defined,
        identified=identified,
        at_prior=defined & ~identified if prior is not None else np.zeros_like(defined),
        at_edge=defined & edge,
        decreasing=defined & (distinct > 1) & _decreasing(log_y, x, w, degrees, noise, level),
        level=level,
    )


class _Problem:
    """Penalised sum of squares as a function of log κ, with log h profiled out."""

    def __init__(self, log_y: Floats, x: Floats, w: Floats, *, penalty: Floats, centre: float) -> None:
        self.log_y, self.x, self.w = log_y, x, w
        self.penalty, self.centre = penalty, centre
        self.total = np.maximum(w.sum(axis=0), np.finfo(np.float64).tiny)

    def __call__(self, log_kappa: Floats) -> tuple[Floats, Floats]:
        """Return (sum of squares [K], best log h [K]) at log κ [K]."""
        residual = self.log_y - _log_growth(log_kappa, self.x)
        log_h = (self.w * residual).sum(axis=0) / self.total
        squares = (self.w * (residual - log_h) ** 2).sum(axis=0)
        return squares + self.penalty * (log_kappa - self.centre) ** 2, log_h

    def on_grid(self, grid: Floats) -> Floats:
        """Return the sums of squares [G, K] on a grid of log κ [G] common to all steps."""
        phi = _log_growth(grid, self.x).T
        phi -= phi.mean(axis=1, keepdims=True)
        y = self.log_y - (self.w * self.log_y).sum(axis=0) / self.total
        wy = self.w * y
        squares = (wy * y).sum(axis=0) - 2.0 * phi @ wy + phi**2 @ self.w - (phi @ self.w) ** 2 / self.total
        return np.maximum(squares, 0.0) + self.penalty * (grid[:, None] - self.centre) ** 2


def _log_growth(log_kappa: Floats, x: Floats) -> Floats:
    """Return log(1 - exp(-κ x)) [R, K]."""
    return np.log(-np.expm1(-np.multiply.outer(x, np.exp(log_kappa))))


def _minimise(problem: _Problem, low: float, high: float) -> tuple[Floats, Floats]:
    """Return the best log κ in [low, high] and its sum of squares, [K] each: grid, then golden section."""
    grid = np.linspace(low, high, _GRID)
    index = problem.on_grid(grid).argmin(axis=0)
    a, b = grid[np.maximum(index - 1, 0)], grid[np.minimum(index + 1, _GRID - 1)]
    for _ in range(48):
        width = _SHRINK * (b - a)
        left = problem(b - width)[0] < problem(a + width)[0]
        a, b = np.where(left, a, b - width), np.where(left, a + width, b)
    candidates = np.stack([0.5 * (a + b), np.full_like(a, low), np.full_like(a, high)])
    squares = np.stack([problem(c)[0] for c in candidates])
    chosen = squares.argmin(axis=0)[None]
    return np.take_along_axis(candidates, chosen, 0)[0], np.take_along_axis(squares, chosen, 0)[0]


def _ends(problem: _Problem, best: Floats, limit: Floats, span: Floats) -> Floats:
    """Return the ends [2, K] of {log κ: sum of squares ≤ limit}; -inf or inf where it reaches the span's end."""
    grid = np.linspace(*span, _GRID)
    inside = problem.on_grid(grid) <= limit
    some = inside.any(axis=0)
    first = np.where(some, inside.argmax(axis=0), np.searchsorted(grid, best))
    last = np.where(some, _GRID - 1 - inside[::-1].argmax(axis=0), np.searchsorted(grid, best) - 1)
    low = _cross(problem, grid[np.maximum(first - 1, 0)], np.minimum(best, grid[first.clip(0, _GRID - 1)]), limit)
    high = _cross(problem, grid[np.minimum(last + 1, _GRID - 1)], np.maximum(best, grid[last.clip(0)]), limit)
    unknown = ~np.isfinite(limit)
    low = np.where(unknown | (first == 0), -np.inf, low)
    high = np.where(unknown | (last == _GRID - 1), np.inf, high)
    return np.stack([low, high])


def _cross(problem: _Problem, outside: Floats, inside: Floats, limit: Floats) -> Floats:
    """Bisect for the point [K] between `outside` and `inside` where the sum of squares meets the limit."""
    for _ in range(50):
        middle = 0.5 * (outside + inside)
        within = problem(middle)[0] <= limit
        outside, inside = np.where(within, outside, middle), np.where(within, middle, inside)
    return 0.5 * (outside + inside)


def _size_ends(problem: _Problem, best: Floats, rate: Floats, limit: Floats, span: Floats) -> Floats:
    """Return the ends [2, K] of the profile interval of log h.

    For each log κ inside its own interval the sum of squares is a parabola in log h with curvature Σw, which
    gives its ends in closed form; the interval is the hull over log κ.
    """
    low, high = np.full_like(best, np.inf), np.full_like(best, -np.inf)
    start, stop = np.clip(rate, *span)
    for share in np.linspace(0.0, 1.0, 65):
        squares, centre = problem(start + share * (stop - start))
        half = np.sqrt(np.maximum(limit - squares, 0.0) / problem.total)
        low, high = np.minimum(low, centre - half), np.maximum(high, centre + half)
    low = np.where(np.isfinite(limit), low, -np.inf)
    return np.stack([low, np.where(np.isneginf(rate[0]) | ~np.isfinite(limit), np.inf, high)])


def _variance(least: Floats, degrees: NDArray[np.int64], noise: float | None) -> Floats:
    """Return the variance [K] of log y at weight 1; inf where no degree of freedom is left to estimate it."""
    if noise is not None:
        return np.full_like(least, noise**2)
    return np.where(degrees > 0, least / np.maximum(degrees, 1), np.inf)


def _quantile(level: float, degrees: NDArray[np.int64], noise: float | None) -> Floats:
    """Return the squared two-sided normal or Student quantile [K]."""
    from scipy.stats import norm, t

    tail = 0.5 * (1.0 + level)
    if noise is not None:
        return np.full(degrees.shape, float(norm.ppf(tail)) ** 2)
    return np.asarray(t.ppf(tail, np.maximum(degrees, 1)) ** 2, dtype=np.float64)


def _decreasing(
    log_y: Floats, x: Floats, w: Floats, degrees: NDArray[np.int64], noise: float | None, level: float
) -> Bools:
    """Return [K]: is the slope of log y in log x negative at the one-sided level?"""
    total = np.maximum(w.sum(axis=0), np.finfo(np.float64).tiny)
    u = np.log(x)[:, None] - (w * np.log(x)[:, None]).sum(axis=0) / total
    spread = np.maximum((w * u**2).sum(axis=0), 1e-12)
    slope = (w * u * log_y).sum(axis=0) / spread
    rest = log_y - (w * log_y).sum(axis=0) / total - slope * u
    variance = _variance((w * rest**2).sum(axis=0), degrees, noise) / spread
    quantile = np.sqrt(_quantile(2.0 * level - 1.0, degrees, noise)) if level > 0.5 else np.zeros_like(slope)
    certain = np.isfinite(variance)
    return certain & (slope + quantile * np.sqrt(np.where(certain, variance, 0.0)) < -1e-12)


def _distinct(x: Floats, w: Floats) -> NDArray[np.int64]:
    """Return how many different fractions [K] each step was seen at."""
    _, group = np.unique(x, return_inverse=True)
    seen = np.zeros((group.max() + 1, w.shape[1]), dtype=np.bool_)
    np.logical_or.at(seen, group, w > 0)
    return seen.sum(axis=0)


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
