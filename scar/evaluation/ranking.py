"""Ranks of several arms with intervals: which order do seeds and test items really support?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from scar.common.types import Floats
from scar.evaluation.intervals import crossed_variance, single_level, single_level_of_pairs, two_way_variance
from scar.evaluation.weighted_metrics import weighted_scores

TOGETHER = 500
"""Pairs of arms whose differences are held at once, [S, n] each; of more pairs, only what the arms have."""
BLOCK = 16
"""Arms whose differences from all others are held at once, [n, BLOCK, E] each."""


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
    if len(pairs) <= TOGETHER or x.shape[1] < 2:
        for i, j in pairs:
            variance, freedom = crossed_variance(x[i] - x[j])
            bound = special.stdtrit(freedom, (1 + single) / 2) * np.sqrt(variance)
            above[i, j], above[j, i] = means[i] - means[j] > bound, means[j] - means[i] > bound
    else:
        for start, variances, freedoms in crossed_variances_of_pairs(x):
            bounds = special.stdtrit(freedoms, (1 + single) / 2) * np.sqrt(variances)
            own = means[start : start + len(bounds), None]
            above[start : start + len(bounds)] = own - means > bounds
    places = [1 + int((means > mean + 1e-12).sum()) for mean in means]
    return [
        Rank(rank=place, low=1 + int(above[:, i].sum()), high=len(x) - int(above[i].sum()), level=level)
        for i, place in enumerate(places)
    ]


def crossed_variances_of_pairs(scores: Floats) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield `crossed_variance` of the differences of all pairs of arms, some arms at a time.

    Sums over seeds of squared differences are those of squares less twice those of products, item by item: matrix products of
    E² n S multiplications, where each pair by itself would pass a dozen times over its [S, n] differences.

    Args:
        scores: [E, S, n] of the arms, paired by at least two seeds and n test items.

    Yields:
        Place of the first arm of a block, and variances and degrees of freedom [B, E] of the differences of its arms from all.
    """
    seeds, by_seed = scores.shape[1], scores.mean(axis=2)
    centred = np.ascontiguousarray((scores - by_seed[..., None]).transpose(2, 0, 1))  # [n, E, S]
    by_item, squares = centred.mean(axis=2), np.einsum("nes,nes->ne", centred, centred)
    for start in range(0, len(scores), BLOCK):
        own = slice(start, start + BLOCK)
        between = seeds * (by_item[:, own, None] - by_item[:, None]) ** 2
        within = squares[:, own, None] + squares[:, None] - 2 * centred[:, own] @ centred.transpose(0, 2, 1)
        within -= between
        within /= seeds - 1
        ms_seed = scores.shape[2] * (by_seed[own, None] - by_seed[None]).var(axis=2, ddof=1)
        yield start, *two_way_variance(ms_seed, between, within, seeds=seeds, axis=0)
