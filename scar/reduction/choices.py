"""Choices of pairs that the paper does not have: without near-duplicates, with repeats, and by need."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata
from sklearn.neighbors import radius_neighbors_graph

from scar.common.randomness import generator
from scar.common.types import Floats, Floats32, Ints


def near_duplicates(features: Floats32, radius: float) -> Ints:
    """Return the group [N] of every row: those that are joined by a chain of distances up to a radius.

    Args:
        features: [N, F]; rows of length 1 have the distance √(2 − 2 cosine).
        radius: largest distance of two near-duplicates.

    Raises:
        ValueError: the radius is negative.
    """
    if radius < 0:
        raise ValueError(f"radius={radius} must not be negative")
    graph = radius_neighbors_graph(features, radius, include_self=False)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def thumbnails(images: NDArray[np.uint8], side: int = 8) -> Floats32:
    """Return images [N, H, W, 3] as thumbnails [N, side² · 3] whose distance is the root mean square of levels of 0..255.

    Raises:
        ValueError: the side does not divide that of the images.
    """
    count, height, width, channels = images.shape
    if height % side or width % side:
        raise ValueError(f"side={side} must divide that of the images, {height} and {width}")
    blocks = images.reshape(count, side, height // side, side, width // side, channels).astype(np.float32)
    small = blocks.mean(axis=(2, 4)).reshape(count, -1)
    return np.asarray(small / np.sqrt(small.shape[1]), np.float32)


def best_of_groups(groups: Ints, scores: ArrayLike) -> NDArray[np.bool_]:
    """Return [N] whether a row has the highest score of its group; of equal ones the first.

    Args:
        groups: [N].
        scores: [N]; a row with -inf is never taken.
    """
    values = np.asarray(scores, np.float64)
    order = np.lexsort((np.arange(len(values)), -values, groups))
    first = np.r_[True, np.diff(groups[order]) > 0]
    kept = np.zeros(len(values), bool)
    kept[order[first]] = True
    return kept & np.isfinite(values)


def closeness_to_centres(features: Floats32, groups: Ints, counted: NDArray[np.bool_]) -> Floats:
    """Return [N] minus the distance of every row to the mean of the counted rows of its group.

    A copy that differs a little from its original differs more from the other copies, so that originals lie in the middle;
    of a group of two both are equally near.

    Args:
        features: [N, F].
        groups: [N].
        counted: [N]; a group without any has no centre, and its rows get -inf.
    """
    names, places = np.unique(groups, return_inverse=True)
    sizes = np.bincount(places[counted], minlength=len(names))
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, places[counted], features[counted])
    centres = sums / np.maximum(sizes, 1)[:, None]
    distance = np.linalg.norm(features - centres[places], axis=1)
    return np.where(sizes[places] > 0, -np.round(distance, 4), -np.inf)


def share_by_need(needs: ArrayLike, available: ArrayLike, budget: int) -> Ints:
    """Divide a budget over clusters in proportion to their needs; none gets more than it has.

    What a cluster cannot take goes to the others in proportion to theirs. A cluster that needs nothing gets its share
    only when all others have given what they have.

    Args:
        needs: [K] samples that are enough for each; NaN or infinite counts as all that it has.
        available: [K] samples of each.
        budget: at most the sum of `available`.

    Returns:
        [K] samples to take; they sum to `budget`.

    Raises:
        ValueError: a negative need, or a budget that is too large.
    """
    have = np.asarray(available, np.int64)
    wanted = np.asarray(needs, np.float64)
    wanted = np.where(np.isfinite(wanted), wanted, have)
    if (wanted < 0).any() or not 0 <= budget <= have.sum():
        raise ValueError(f"budget={budget} must lie in 0..{have.sum()}, and needs={wanted} must not be negative")
    shares = _fill(np.minimum(wanted, have), have, float(budget))
    counts = np.floor(shares + 1e-9).astype(np.int64)
    rest = np.argsort(-(shares - counts), kind="stable")
    rest = rest[counts[rest] < have[rest]][: budget - int(counts.sum())]
    counts[rest] += 1
    return counts


def _fill(weights: Floats, have: Ints, budget: float) -> Floats:
    """Return real shares in proportion to weights, capped at what there is."""
    shares, left = np.zeros(len(have)), budget
    for each in (weights, np.ones(len(have))):
        weight = each.astype(np.float64)
        while left > 1e-9 and (weight * (shares < have)).sum() > 0:
            weight = weight * (shares < have)
            gain = np.minimum(left * weight / weight.sum(), have - shares)
            shares, left = shares + gain, left - float(gain.sum())
    return shares


def draw_with_repeats(scores: ArrayLike, budget: int, *, penalty: float, seed: int, rounds: int = 20) -> Ints:
    """Draw pairs that may come several times: soft cap sampling (Shechter and Carmon, 2025).

    In every round an equal part of the budget is drawn without replacement, with chances exp(score); the score of what
    was drawn falls by a penalty.

    Args:
        scores: [N] log-weights; -inf is never drawn.
        budget: pairs to draw, with their repeats.
        penalty: taken off the score of a pair each time that it is drawn.
        seed: of the draws.
        rounds: number of them; at most that often a pair is drawn.

    Returns:
        [budget] rows, sorted.

    Raises:
        ValueError: more are asked for in one round than there are.
    """
    weights, rng = np.array(scores, np.float64), generator(seed, "soft cap")
    usable, drawn = int(np.isfinite(weights).sum()), []
    for size in np.diff(np.linspace(0, budget, rounds + 1).round().astype(np.int64)):
        if size > usable:
            raise ValueError(f"a round draws {size} of {usable} pairs; filter less, or take more rounds")
        chances = weights + rng.gumbel(size=len(weights))
        rows = np.argsort(-chances, kind="stable")[:size]
        weights[rows] -= penalty
        drawn.append(rows)
    return np.sort(np.concatenate(drawn))


def rank_within(scores: ArrayLike, groups: Ints) -> Floats:
    """Return [N] the rank of every score in its group, in (0, 1): scores of models that differ become comparable."""
    values, found = np.asarray(scores, np.float64), np.empty(len(groups))
    for group in np.unique(groups):
        own = groups == group
        found[own] = (rankdata(values[own]) - 0.5) / own.sum()
    return found
