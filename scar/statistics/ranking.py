"""Ranks of several arms with intervals: which order do seeds and test items really support?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from scar.randomness import generator
from scar.statistics.intervals import crossed_variance, replicate_metric
from scar.statistics.scores import Floats, item_weights


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


def rank_arms(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    metric: str = "accuracy",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> list[Rank]:
    """Rank arms by a metric, with simultaneous intervals from a bootstrap over seeds × test items.

    Resampled ranks themselves do not cover where arms are close. Instead all differences are tested at once: arm j lies
    above arm i if their paired difference exceeds ``c`` standard errors, where ``c`` is the level-quantile of the
    largest studentised difference over all pairs in the bootstrap, taken to Student's distribution of the pair. The rank
    of i then lies between one more than the number of arms above it, and the number of arms that are not below it.
    The standard errors are those of the two-way layout, `crossed_variance`.

    Args:
        scores: [E, S, n] right answers of E arms, paired by S seeds and n test items.
        labels: [n] classes of the test items.
        metric: one of `scar.statistics.METRICS`.
        level: that all intervals hold at once.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: the scores are not [E, S, n] with as many items as labels.
    """
    x = np.asarray(scores, dtype=np.float64)
    if x.ndim != 3 or x.shape[2] != len(np.asarray(labels)):
        raise ValueError(f"scores has shape {x.shape}: expected [E, S, {len(np.asarray(labels))}]")
    weights = item_weights(labels, metric)
    means = (x @ weights).mean(axis=1)
    deviations = _replicates(x, labels, metric, resamples, seed)
    pairs = list(combinations(range(len(x)), 2))
    spread = [deviations[:, i] - deviations[:, j] for i, j in pairs]
    critical = _critical(spread, level)
    above = np.zeros((len(x), len(x)), bool)
    for (i, j), values in zip(pairs, spread, strict=True):
        error, quantile = _standard_error(x[i] - x[j], weights, values, critical)
        difference = means[i] - means[j]
        above[i, j] = difference > quantile * error
        above[j, i] = -difference > quantile * error
    places = [1 + int((means > mean).sum()) for mean in means]
    return [
        Rank(rank=place, low=1 + int(above[:, i].sum()), high=len(x) - int(above[i].sum()), level=level)
        for i, place in enumerate(places)
    ]


def _replicates(x: Floats, labels: ArrayLike, metric: str, resamples: int, seed: int) -> Floats:
    """Return [B, E] deviations of the means from theirs; items and seeds are resampled together for all arms."""
    arms, seeds, items = x.shape
    by_item = replicate_metric(x.reshape(arms * seeds, items), labels, metric=metric, resamples=resamples, seed=seed)
    chosen = generator(seed, "bootstrap-seeds", seeds).integers(0, seeds, size=(resamples, seeds))
    drawn = np.take_along_axis(by_item.reshape(resamples, arms, seeds), chosen[:, None, :], axis=2).mean(axis=2)
    deviations: Floats = drawn - drawn.mean(axis=0)
    return deviations


def _critical(spread: list[Floats], level: float) -> float:
    """Return how many standard errors the largest of all differences stays within, with probability `level`."""
    scaled = [np.abs(values) / values.std() for values in spread if values.std() > 0]
    return float(np.quantile(np.max(scaled, axis=0), level)) if scaled else 0.0


def _standard_error(differences: Floats, weights: Floats, values: Floats, critical: float) -> tuple[float, float]:
    """Return the standard error of a mean difference [S, n] and the Student quantile that stands for `critical`."""
    from scipy import stats

    if len(differences) < 2:
        return float(values.std()), critical
    variance, freedom = crossed_variance(differences, weights)
    return float(np.sqrt(variance)), float(stats.t.isf(stats.norm.sf(critical), freedom))
