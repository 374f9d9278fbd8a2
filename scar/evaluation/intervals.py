"""Means over seeds and test items, and differences of them, with intervals that count both.

The scores of one arm form a matrix [S, n] (seeds × test items) whose mean is a metric, see
`scar.evaluation.weighted_metrics`. Two arms of one seed start from the same primary set, initialisation and batch order,
and all seeds meet the same test items, so that arms are compared item by item and seed by seed. Seeds and items are both
samples of something larger: an interval has to count both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from scar.common.randomness import generator
from scar.common.types import Floats, Floats32
from scar.evaluation.weighted_metrics import weighted_scores

JOINT_SEEDS = 10
"""Fewest seeds whose joint distribution over arms is estimated; below, simultaneous intervals are Bonferroni's."""
DRAWS = 10_000
"""Normal vectors from which the quantile of the largest of several differences is read: good to two digits."""
LEAST_SEEDS = {"worst_class_accuracy": 5}
"""Fewest seeds for an interval of a metric, where two are not enough for its coverage to hold."""


@dataclass(frozen=True, kw_only=True)
class MeanEstimate:
    """A mean (or a paired difference of means) over seeds, in the unit of the metric (a fraction).

    Attributes:
        value: the mean over seeds.
        low, high: interval at `level`; NaN where it is undefined, see `flag`.
        p_value: two-sided, for the value 0; NaN where the interval is undefined.
        seeds: how many seeds were averaged.
        spread: max − min over seeds (what the paper prints after its ±).
        error: standard error; NaN where it is undefined.
        freedom: its degrees of freedom.
        flag: ``""``, ``"one_seed"``, ``"few_seeds"`` (too few for this metric), ``"constant"`` (no variation over seeds
            and items) or ``"identical"`` (the difference is 0 on every item of every seed).
    """

    value: float
    low: float
    high: float
    level: float
    p_value: float
    seeds: int
    spread: float
    error: float = math.nan
    freedom: float = math.nan
    flag: str = ""


def crossed_variance(scores: ArrayLike) -> tuple[Floats, Floats]:
    """Variance of the mean of `scores` over seeds and items, both random, and its degrees of freedom.

    With ``x_si = m + a_s + b_i + e_si`` the mean has the variance ``σa²/S + σb²/n + σe²/(S n)``: the variance over seeds
    by S, plus that of the items, which are the same for every seed, by n. The mean squares of the two-way layout
    estimate it without bias as ``(MS_a + MS_b − MS_e) / (S n)``. Its degrees of freedom are Satterthwaite's, with the
    variance of MS_b − MS_e from its summands by item: they are few where few items carry it.

    The difference of mean squares may come out near 0 or below. It is held at the 5 % quantile of what MS_a is
    without an effect of the seeds, ``MS_e χ²(S − 1; 0.05) / (S − 1)``, then with S − 1 degrees of freedom. A floor at MS_e
    itself would be narrower on average, but cover less than it says far out, where corrected tests look.

    Args:
        scores: [..., S, n]; of one seed the items alone are counted.

    Returns:
        Variances and degrees of freedom, each [...].
    """
    x = np.asarray(scores, dtype=np.float64)
    seeds, items = x.shape[-2:]
    by_seed = x.sum(axis=-1) / items
    x = x - by_seed[..., None]
    between = seeds * (x.sum(axis=-2) / seeds) ** 2
    if seeds < 2:
        ms_item = between.sum(axis=-1) / max(items - 1, 1)
        return np.asarray(ms_item / items), np.maximum(2 * ms_item**2 / _variance_of_mean(between), 1.0)
    within = (np.einsum("...si,...si->...i", x, x) - between) / (seeds - 1)
    return two_way_variance(items * by_seed.var(axis=-1, ddof=1), between, within, seeds=seeds)


def two_way_variance(
    ms_seed: Floats, between: Floats, within: Floats, *, seeds: int, axis: int = -1
) -> tuple[Floats, Floats]:
    """Return the variances and degrees of freedom [...] of `crossed_variance` from sums of squares by item.

    Args:
        ms_seed: [...] mean square of the seeds, of which there are at least two.
        between: [..., n] summands of (n − 1) MS_b.
        within: [..., n] summands of (n − 1) MS_e.
        seeds: S.
        axis: of the items.
    """
    items = between.shape[axis]
    ms_item = between.sum(axis=axis) / max(items - 1, 1)
    ms_rest = np.maximum(within.sum(axis=axis), 0.0) / max(items - 1, 1)
    total = ms_seed + ms_item - ms_rest
    spread = ms_seed**2 / (seeds - 1) + _variance_of_mean(between - within, axis) / 2
    floor = ms_rest * special.chdtri(seeds - 1, 0.95) / (seeds - 1)
    held = total <= floor
    freedom = np.where(held, seeds - 1, total**2 / spread)
    return np.asarray(np.where(held, floor, total) / (seeds * items)), np.maximum(freedom, 1.0)


def _variance_of_mean(values: Floats, axis: int = -1) -> Floats:
    """Variance of the mean of values over an axis, above 0."""
    return np.asarray(np.maximum(values.var(axis=axis) / values.shape[axis], 1e-300))


def crossed_interval(
    scores: ArrayLike, *, level: float = 0.95, share: bool = False, least_seeds: int = 2
) -> MeanEstimate:
    """Mean over seeds and items with Student's interval under `crossed_variance`.

    Args:
        scores: [S, n] of one arm, or differences between two arms, paired by seed and item.
        level: of the interval.
        share: whether the mean is a share of 1 and not a difference: its interval is taken on the logit scale, stays
            within [0, 1] and covers near 1 as well.
        least_seeds: fewer have no interval.
    """
    x = np.asarray(scores, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"scores has shape {x.shape}: expected [S, n]")
    per_seed, seeds = x.mean(axis=1), len(x)
    found = _undefined(per_seed, level)
    if not share and not np.any(x):
        return replace(found, low=0.0, high=0.0, p_value=1.0, flag="identical")
    if seeds < max(least_seeds, 2):
        return replace(found, flag="one_seed" if seeds < 2 else "few_seeds")
    variance, freedom = (float(each) for each in crossed_variance(x))
    return _with_error(found, math.sqrt(variance), freedom, share=share)


def seed_interval(values: ArrayLike, *, level: float = 0.95, share: bool = False, least_seeds: int = 2) -> MeanEstimate:
    """Student's interval of one value per seed: it says nothing of other test items than these.

    For results whose predictions were not kept, so that the variance over items is unknown. Arguments as in
    `crossed_interval`; `values` is [S].
    """
    d = np.asarray(values, dtype=np.float64)
    found = _undefined(d, level)
    if len(d) < max(least_seeds, 2):
        return replace(found, flag="one_seed" if len(d) < 2 else "few_seeds")
    return _with_error(found, float(d.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1.0, share=share)


def paired_difference(
    first: ArrayLike, second: ArrayLike, labels: ArrayLike, *, metric: str = "accuracy", level: float = 0.95
) -> MeanEstimate:
    """`first` minus `second` ([S, n] right answers, rows paired by seed) with its interval over seeds and items."""
    a, b = np.asarray(first, dtype=np.int8), np.asarray(second, dtype=np.int8)
    if a.shape != b.shape:
        raise ValueError(f"arms have shapes {a.shape} and {b.shape}: keep the seeds that both have")
    return crossed_interval(weighted_scores(a - b, labels, metric), level=level)


def at_level(estimate: MeanEstimate, level: float, *, share: bool = False) -> MeanEstimate:
    """The same estimate with its interval at another level; `share` as in `crossed_interval`."""
    if not estimate.error > 0:
        return replace(estimate, level=level)
    half = float(special.stdtrit(estimate.freedom, (1 + level) / 2)) * estimate.error
    low, high = estimate.value - half, estimate.value + half
    if share and 0 < estimate.value < 1:
        middle, half = special.logit(estimate.value), half / (estimate.value * (1 - estimate.value))
        low, high = special.expit(middle - half), special.expit(middle + half)
    return replace(estimate, low=float(low), high=float(high), level=level)


def _undefined(per_seed: Floats, level: float) -> MeanEstimate:
    value, spread, nan = float(per_seed.mean()), float(np.ptp(per_seed)), math.nan
    return MeanEstimate(
        value=value, low=nan, high=nan, level=level, p_value=nan, seeds=len(per_seed), spread=spread
    )  # fmt: skip


def _with_error(found: MeanEstimate, error: float, freedom: float, *, share: bool) -> MeanEstimate:
    if not error > 1e-12:
        return replace(found, flag="constant")
    p_value = 2 * float(special.stdtr(freedom, -abs(found.value) / error))
    return at_level(replace(found, error=error, freedom=freedom, p_value=p_value), found.level, share=share)


def single_level(scores: Sequence[Floats] | None, count: int, *, level: float = 0.95) -> float:
    """Level that each of several intervals takes for all of them to hold at once with probability `level`.

    From `JOINT_SEEDS` seeds on it is that of the largest |t| under the correlation of the means over seeds and items
    (single-step max-t; Hothorn, Bretz and Westfall 2008), with fewer seeds Bonferroni's.

    Args:
        scores: [S, n] of every mean, paired by seeds and items; None if they are not.
        count: how many intervals.
        level: that all hold at once.
    """
    bonferroni = 1 - (1 - level) / max(count, 1)
    if scores is None or count < 2 or len(scores[0]) < JOINT_SEEDS:
        return bonferroni
    return min(bonferroni, _largest_of(crossed_covariance(scores), level))


def crossed_covariance(scores: Sequence[Floats]) -> Floats:
    """Covariance [F, F] of F means over the same seeds and items: `crossed_variance` of pairs, with no floor.

    Args:
        scores: [S, n] of every mean.
    """
    seeds, items = scores[0].shape
    x = np.stack([each - each.mean() for each in scores])
    by_seed, by_item, flat = x.mean(axis=2), x.mean(axis=1), x.reshape(len(x), -1)
    sum_seed, sum_item = items * by_seed @ by_seed.T, seeds * by_item @ by_item.T
    rest = (flat @ flat.T - sum_seed - sum_item) / ((seeds - 1) * (items - 1))
    return np.asarray((sum_seed / (seeds - 1) + sum_item / (items - 1) - rest) / (seeds * items))


def single_level_of_pairs(scores: Floats, *, level: float = 0.95) -> float:
    """`single_level` of the differences of all pairs of arms, from the covariance of the arms alone.

    A deviation of a difference is the difference of two deviations, so that E arms take E² numbers, not those of a matrix of
    all pairs with all pairs.

    Args:
        scores: [E, S, n] of the arms, paired by seeds and items.
        level: that all differences hold at once.
    """
    bonferroni = single_level(None, len(scores) * (len(scores) - 1) // 2, level=level)
    if scores.shape[1] < JOINT_SEEDS:
        return bonferroni
    root = _root(crossed_covariance(list(scores)))
    drawn = (_normals(len(root)) @ root.T).astype(np.float32)
    least = np.float32(1e-6 * np.linalg.norm(root, axis=1).max() + 1e-30)  # below, a difference is rounding
    largest = np.zeros(DRAWS, dtype=np.float32)
    for place in range(len(root) - 1):
        error = np.linalg.norm(root[place + 1 :] - root[place], axis=1)
        apart = drawn[:, place + 1 :] - drawn[:, place, None]
        np.abs(apart, out=apart)
        apart /= np.maximum(error.astype(np.float32), least)
        np.maximum(largest, apart.max(axis=1), out=largest)
    return min(bonferroni, _level_of(largest, level))


def _largest_of(covariance: Floats, level: float) -> float:
    """Level of a single mean at which the largest of the correlated deviations is kept with probability `level`."""
    root = _root(covariance)
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), 1e-300)
    deviations = _normals(len(root)) @ root.T
    return _level_of(np.abs(deviations, out=deviations).max(axis=1), level)


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))  # an estimate of few seeds need not be semidefinite


def _level_of(largest: Floats | Floats32, level: float) -> float:
    return float(1 - 2 * special.ndtr(-np.quantile(largest, level)))


@lru_cache(maxsize=8)
def _normals(count: int) -> Floats:
    return generator(0, "simultaneous", count).normal(size=(DRAWS, count))


def corrected_interval(differences: ArrayLike, *, test_share: float, level: float = 0.95) -> MeanEstimate:
    """Nadeau-Bengio interval of a mean over seeds that draw training and test part anew, so that these overlap.

    The variance of the mean is taken as ``(1/S + test_share) s²`` with Student's S − 1 degrees of freedom. Where the test
    part is the same for every seed it is far too wide: use `crossed_interval`.

    Args:
        differences: [S] one value per seed.
        test_share: test samples over training samples (their ratio, as in repeated sub-sampling).
        level: of the interval.
    """
    d = np.asarray(differences, dtype=np.float64)
    if test_share < 0:
        raise ValueError(f"test_share={test_share}: must not be negative")
    found = _undefined(d, level)
    if len(d) < 2:
        return replace(found, flag="one_seed")
    error = float(np.sqrt((1 / len(d) + test_share) * d.var(ddof=1)))
    if error == 0:
        same = float(found.value == 0)
        return replace(found, low=found.value, high=found.value, p_value=same, error=0.0, freedom=len(d) - 1.0)
    return _with_error(found, error, len(d) - 1.0, share=False)
