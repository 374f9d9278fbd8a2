"""Profile likelihood behind the intervals of `growth`: one free parameter per step, all steps at once."""

from __future__ import annotations

import math

import numpy as np

from scar.common.types import Floats

GRID = 161
"""Points of log κ at which the profile is first evaluated."""
_SHRINK = 0.5 * (math.sqrt(5.0) - 1.0)


class Profile:
    """Penalised sum of squares as a function of log κ, with log h profiled out."""

    def __init__(
        self, log_y: Floats, x: Floats, w: Floats, *, penalty: Floats | float = 0.0, centre: float = 0.0
    ) -> None:
        self.log_y, self.x, self.w = log_y, x, w
        self.penalty, self.centre = penalty, centre
        weight = w.sum(axis=0)
        self.total = np.where(weight > 0, weight, 1.0)

    def __call__(self, log_kappa: Floats) -> tuple[Floats, Floats]:
        """Return (sum of squares [K], best log h [K]) at log κ [K]."""
        residual = self.log_y - log_growth(log_kappa, self.x)
        log_h = (self.w * residual).sum(axis=0) / self.total
        squares = (self.w * (residual - log_h) ** 2).sum(axis=0)
        return squares + self.penalty * (log_kappa - self.centre) ** 2, log_h

    def on_grid(self, grid: Floats) -> Floats:
        """Return the sums of squares [G, K] on a grid of log κ [G] common to all steps."""
        phi = log_growth(grid, self.x).T
        phi -= phi.mean(axis=1, keepdims=True)
        y = self.log_y - (self.w * self.log_y).sum(axis=0) / self.total
        wy = self.w * y
        squares = (wy * y).sum(axis=0) - 2.0 * phi @ wy + phi**2 @ self.w - (phi @ self.w) ** 2 / self.total
        return np.asarray(np.maximum(squares, 0.0) + self.penalty * (grid[:, None] - self.centre) ** 2)


def log_growth(log_kappa: Floats, x: Floats) -> Floats:
    """Return log(1 - exp(-κ x)) [R, K]."""
    return np.log(-np.expm1(-np.multiply.outer(x, np.exp(log_kappa))))


def minimise(problem: Profile, low: float, high: float) -> tuple[Floats, Floats]:
    """Return the best log κ in [low, high] and its sum of squares, [K] each: grid, then golden section."""
    grid = np.linspace(low, high, GRID)
    index = problem.on_grid(grid).argmin(axis=0)
    a, b = grid[np.maximum(index - 1, 0)], grid[np.minimum(index + 1, GRID - 1)]
    for _ in range(48):
        width = _SHRINK * (b - a)
        left = problem(b - width)[0] < problem(a + width)[0]
        a, b = np.where(left, a, b - width), np.where(left, a + width, b)
    candidates = np.stack([0.5 * (a + b), np.full_like(a, low), np.full_like(a, high)])
    squares = np.stack([problem(c)[0] for c in candidates])
    chosen = squares.argmin(axis=0)[None]
    return np.take_along_axis(candidates, chosen, 0)[0], np.take_along_axis(squares, chosen, 0)[0]


def ends(problem: Profile, best: Floats, limit: Floats, span: Floats) -> Floats:
    """Return the ends [2, K] of {log κ: sum of squares ≤ limit}; infinite where it reaches the span's end."""
    grid = np.linspace(span[0], span[1], GRID)
    inside = problem.on_grid(grid) <= limit
    some = inside.any(axis=0)
    nearest = np.clip(np.searchsorted(grid, best), 1, GRID - 1)
    first = np.where(some, inside.argmax(axis=0), nearest)
    last = np.where(some, GRID - 1 - inside[::-1].argmax(axis=0), nearest - 1)
    low = _cross(problem, grid[np.maximum(first - 1, 0)], np.minimum(best, grid[first]), limit)
    high = _cross(problem, grid[np.minimum(last + 1, GRID - 1)], np.maximum(best, grid[last]), limit)
    unknown = ~np.isfinite(limit)
    low = np.where(unknown | (first == 0), -np.inf, low)
    high = np.where(unknown | (last == GRID - 1), np.inf, high)
    return np.stack([low, high])


def _cross(problem: Profile, outside: Floats, inside: Floats, limit: Floats) -> Floats:
    """Bisect for the point [K] between `outside` and `inside` where the sum of squares meets the limit."""
    for _ in range(50):
        middle = 0.5 * (outside + inside)
        within = problem(middle)[0] <= limit
        outside, inside = np.where(within, outside, middle), np.where(within, middle, inside)
    return 0.5 * (outside + inside)


def size_ends(problem: Profile, rate: Floats, limit: Floats, span: Floats) -> Floats:
    """Return the ends [2, K] of the profile interval of log h.

    For each log κ inside its own interval the sum of squares is a parabola in log h with curvature Σw, which
    gives its ends in closed form; the interval is the hull over log κ.
    """
    low, high = np.full_like(limit, np.inf), np.full_like(limit, -np.inf)
    start, stop = np.clip(rate, *span)
    for share in np.linspace(0.0, 1.0, 65):
        squares, centre = problem(start + share * (stop - start))
        half = np.sqrt(np.maximum(limit - squares, 0.0) / problem.total)
        low, high = np.minimum(low, centre - half), np.maximum(high, centre + half)
    low = np.where(np.isfinite(limit), low, -np.inf)
    return np.stack([low, np.where(np.isneginf(rate[0]) | ~np.isfinite(limit), np.inf, high)])
