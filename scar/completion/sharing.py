"""Dividing a budget over classes: limits, water levels, and rounding by the largest remainder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.types import Floats, Ints

_CENT = 1e-9
"""Relative slack of sums of prices: what rounding of floating-point numbers may cost."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Limits:
    """What bounds a plan, class by class.

    Attributes:
        lower: [K] least samples to add.
        upper: [K] most samples to add, at least `lower`.
        prices: [K] what one sample takes from the budget; 1 where the budget is in samples.
    """

    lower: Ints
    upper: Ints
    prices: Floats

    @classmethod
    def of(cls, upper: ArrayLike, *, lower: ArrayLike | None = None, prices: ArrayLike | None = None) -> Limits:
        """Return limits with nothing asked for and a price of 1 unless they are given."""
        most = np.asarray(upper, dtype=np.int64)
        least = np.zeros(len(most), np.int64) if lower is None else np.asarray(lower, dtype=np.int64)
        each = np.ones(len(most)) if prices is None else np.asarray(prices, dtype=np.float64)
        return cls(lower=least, upper=np.maximum(most, least), prices=each)

    def within(self, caps: ArrayLike) -> Limits:
        """Return the same limits with at most ``caps`` [K] above what is asked for."""
        most = np.clip(np.asarray(caps), self.lower, self.upper).astype(np.int64)
        return Limits(lower=self.lower, upper=most, prices=self.prices)

    def cost(self, counts: ArrayLike) -> float:
        """Return what counts [K] take from the budget."""
        return float(self.prices @ np.asarray(counts, dtype=np.float64))

    def affords(self, budget: float) -> NDArray[np.bool_]:
        """Return [K] whether one sample of each class can be had for the budget."""
        return np.asarray(self.prices <= budget * (1 + _CENT) + _CENT * self.prices.min(initial=1.0))


def share(budget: float, slope: Floats, limits: Limits, *, offset: ArrayLike = 0.0) -> Ints:
    """Spend a budget so that class j receives ``clip(slope_j t - offset_j, lower_j, upper_j)`` at one level t.

    With the offset 0 shares are proportional to the slopes; with slopes of 1 and the class sizes as offset classes
    are filled up to one common size, like vessels with water.

    Args:
        budget: in the unit of the prices; at least what the lower limits cost.
        slope: [K] not negative; a class of slope 0 receives its lower limit.
        limits: bounds and prices.
        offset: [K], or one number.

    Returns:
        [K] whole numbers that cost ``min(budget, cost of the caps)`` up to less than one sample, exactly that where all prices are 1.
    """
    caps = np.where(slope > 0, limits.upper, limits.lower)
    limits = limits.within(caps)
    budget = min(budget, limits.cost(caps))
    if not (slope > 0).any() or budget <= limits.cost(limits.lower):
        return limits.lower.copy()
    scaled, moved = slope / slope.max(), np.broadcast_to(np.asarray(offset, dtype=np.float64), slope.shape)
    exact = np.clip(scaled * _level(budget, scaled, moved, limits) - moved, limits.lower, limits.upper)
    return round_counts(exact, budget, limits)


def round_counts(exact: Floats, budget: float, limits: Limits) -> Ints:
    """Round amounts [K] down and spend the rest by the largest remainder, as long as a sample can be afforded.

    Only classes below their upper limit take part; equal remainders go to the class of the lower index.
    """
    counts = np.minimum(np.floor(exact + 1e-9).astype(np.int64), limits.upper)
    while True:
        rest = budget - limits.cost(counts)
        usable = (counts < limits.upper) & limits.affords(rest)
        if rest <= 0 or not usable.any():
            return counts
        order = np.lexsort((np.arange(len(counts)), counts - exact))
        order = order[usable[order]]
        paid = np.cumsum(limits.prices[order])
        fits = paid <= rest * (1 + _CENT) + _CENT
        fits[0] = True
        counts[order[fits]] += 1


def _level(budget: float, slope: Floats, offset: Floats, limits: Limits) -> float:
    """Return the level at which the clipped lines cost the budget, by sorting the levels at which they bend."""
    used = slope > 0
    s, o, p = slope[used], offset[used], limits.prices[used]
    bends = np.concatenate([(limits.lower[used] + o) / s, (limits.upper[used] + o) / s])
    change = np.concatenate([p * s, -p * s])
    order = np.argsort(bends, kind="stable")
    levels, rate = bends[order], np.cumsum(change[order])
    held = limits.cost(limits.lower) + np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(levels))])
    index = int(np.searchsorted(held, budget))
    if index == len(levels):
        return float(levels[-1])
    if index == 0:
        return float(levels[0])
    return float(levels[index - 1] + (budget - held[index - 1]) / rate[index - 1])
