"""Ranks of several arms with intervals: which order do seeds and test items really support?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from scar.evaluation.intervals import crossed_variance, single_level, single_level_of_pairs
from scar.evaluation.weighted_metrics import weighted_scores

TOGETHER = 500
"""Pairs of arms whose differences are held at once, [S, n] each; of more pairs, only what the arms have."""


@dataclass(frozen=True, kw_only=True)
class Rank:
    """The place of one arm, 1 for the best, with its interval.

    Attributes:
        rank: by the mean over seeds; equal means share the better place.
        low, high: simultaneous interval: with probability `level` the intervals of all arms hold their true ranks.
        level: of the intervals.
    """

    rank: int
    low: int
    high: int
    level: float


def rank_arms(scores: ArrayLike, labels: ArrayLike, *, metric: str = "accuracy", level: float = 0.95) -> list[Rank]:
    """Rank arms by a metric, with simultaneous intervals over seeds × test items.

    Resampled ranks themselves do not cover where arms are close. Instead all differences are tested at once: arm j lies
    above arm i if the interval of their paired difference at `single_level` excludes 0. The rank of i then lies between
    one more than the number of arms above it, and the number of arms that are not below it. The standard errors are
    those of the two-way layout, `crossed_variance`.

    Args:
        scores: [E, S, n] right answers of E arms, paired by S seeds and n test items.
        labels: [n] classes of the test items.
        metric: one of `scar.evaluation.weighted_metrics.METRICS`.
        level: that all intervals hold at once.

    Raises:
        ValueError: the scores are not [E, S, n] with as many items as labels.
    """
    x = np.asarray(scores)
    if x.ndim != 3 or x.shape[2] != len(np.asarray(labels)):
        raise ValueError(f"scores has shape {x.shape}: expected [E, S, {len(np.asarray(labels))}]")
    x = weighted_scores(x, labels, metric)
    means = x.mean(axis=(1, 2))
    pairs = list(combinations(range(len(x)), 2))
    if len(pairs) <= TOGETHER:
        single = single_level([x[i] - x[j] for i, j in pairs], len(pairs), level=level)
    else:
        single = single_level_of_pairs(x, level=level)
    above = np.zeros((len(x), len(x)), bool)
    for i, j in pairs:
        variance, freedom = crossed_variance(x[i] - x[j])
        bound = special.stdtrit(freedom, (1 + single) / 2) * np.sqrt(variance)
        above[i, j], above[j, i] = means[i] - means[j] > bound, means[j] - means[i] > bound
    places = [1 + int((means > mean + 1e-12).sum()) for mean in means]
    return [
        Rank(rank=place, low=1 + int(above[:, i].sum()), high=len(x) - int(above[i].sum()), level=level)
        for i, place in enumerate(places)
    ]
