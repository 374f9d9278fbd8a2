"""Looking at a paired difference several times while seeds are added, without being wrong more often than once.

A fixed set of looks, at given numbers of seeds, shares one error: every look has the same nominal level (Pocock 1977), such
that all the intervals of a comparison hold at once with the probability that is asked for. Stopping at whichever look
decides then costs nothing further, whatever the rule: to be better, worse and equivalent are claims about one interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from scar.common.randomness import generator
from scar.common.types import Floats
from scar.evaluation.intervals import MeanEstimate, at_level

PATHS = 100_000
"""Simulated paths: the nominal level of a look is good to two digits."""
RESOLVED = 100
"""Fewest paths whose share is taken for a probability."""


@dataclass(frozen=True)
class Looks:
    """The numbers of seeds at which comparisons are looked at.

    Attributes:
        seeds: number of seeds at each look, increasing, at least 2.
    """

    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.seeds or self.seeds[0] < 2 or any(b <= a for a, b in zip(self.seeds, self.seeds[1:], strict=False)):
            raise ValueError(f"looks at {list(self.seeds)} seeds: must increase from at least 2")

    @classmethod
    def between(cls, minimum: int, maximum: int, batch: int) -> Looks:
        """Looks after `minimum` seeds and every `batch` more, the last at `maximum`."""
        return cls((*range(minimum, maximum, batch), maximum))

    def single_level(self, level: float) -> float:
        """Level of the interval of each look for the intervals of all looks to hold at once with probability `level`."""
        if len(self.seeds) == 1:
            return level
        return float(1 - np.quantile(_smallest(self.seeds), 1 - level))

    def adjusted(self, p_value: float) -> float:
        """Probability, without a difference, that some look has a p-value as small as this one; NaN stays NaN.

        Below what the simulated paths resolve it is Bonferroni's.
        """
        if len(self.seeds) == 1 or np.isnan(p_value):
            return p_value
        below = int(np.searchsorted(_smallest(self.seeds), p_value, side="right"))
        return float(min(len(self.seeds) * p_value, max(below, RESOLVED) / PATHS))


ONE_LOOK = Looks((2,))
"""A number of seeds that was fixed beforehand, whichever it was: nothing is adjusted."""


@lru_cache(maxsize=8)
def _smallest(seeds: tuple[int, ...]) -> Floats:
    """Sorted smallest two-sided p-value over the looks of paths without a difference, by Student's t on normal seeds."""
    draws = generator(0, "looks", *seeds).normal(size=(PATHS, seeds[-1]))
    sums, squares = np.cumsum(draws, axis=1), np.cumsum(draws**2, axis=1)
    smallest = np.ones(PATHS)
    for n in seeds:
        mean = sums[:, n - 1] / n
        variance = (squares[:, n - 1] - n * mean**2) / (n - 1)
        t = np.abs(mean) / np.sqrt(variance / n)
        np.minimum(smallest, 2 * special.stdtr(n - 1, -t), out=smallest)
    return np.sort(smallest)


def verdict(estimate: MeanEstimate, looks: Looks, *, margin: float, level: float = 0.95) -> str:
    """Say what a difference shows at one of several looks.

    Args:
        estimate: of the difference at this look.
        looks: all that are planned, taken or not.
        margin: largest difference that counts as none, in the unit of the metric.
        level: probability that no look is wrong.

    Returns:
        ``"better"`` or ``"worse"`` if the interval lies on one side of 0, ``"equivalent"`` if it lies within ± `margin`,
        else ``"open"``.
    """
    if estimate.flag == "identical":
        return "equivalent"
    wide = at_level(estimate, looks.single_level(level))
    if not estimate.error > 0:
        return "open"
    if wide.low > 0 or wide.high < 0:
        return "better" if wide.low > 0 else "worse"
    return "equivalent" if -margin < wide.low and wide.high < margin else "open"
