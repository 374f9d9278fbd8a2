"""Class-size profiles: how many samples each class of a derived dataset gets, largest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.completion.sharing import Limits, round_counts


def even(total: int, classes: int) -> Ints:
    """Divide `total` samples over the classes so that sizes differ by at most one; [classes], largest first."""
    if total < 0 or classes < 1:
        raise ValueError(f"total={total} samples cannot be divided over classes={classes}")
    least, rest = divmod(total, classes)
    return np.full(classes, least, np.int64) + (np.arange(classes) < rest)


def skewed(total: int, classes: int, *, heads: int, floor: int) -> Ints:
    """Give `floor` to every class but the `heads` most common ones, which share what is left of `total`."""
    return np.concatenate([even(total - (classes - heads) * floor, heads), np.full(classes - heads, floor, np.int64)])


def tailed(total: int, classes: int, *, share: float, size: int) -> Ints:
    """Give `size` to a share of the classes (at least one); the others divide what is left of `total` evenly."""
    tail = min(max(round(share * classes), 1), classes - 1)
    return np.concatenate([even(total - tail * size, classes - tail), np.full(tail, size, np.int64)])


def skewed_and_tailed(total: int, classes: int, *, heads: int, head: int, share: float, size: int) -> Ints:
    """Give `head` to the most common classes, `size` to a share of the classes, and the rest evenly."""
    inner = tailed(total - heads * head, classes - heads, share=share * classes / (classes - heads), size=size)
    return np.concatenate([np.full(heads, head, np.int64), inner])


def proportional(total: int, weights: NDArray[np.float64]) -> Ints:
    """Divide `total` in proportion to descending weights [K], by the largest remainder."""
    sizes = round_counts(total * weights / weights.sum(), total, Limits.of(np.full(len(weights), total)))
    return -np.sort(-sizes)


def zipf(total: int, classes: int, *, exponent: float) -> Ints:
    """Sizes in proportion to ``rank^-exponent`` (Zipf's law at 1)."""
    return proportional(total, np.arange(1, classes + 1, dtype=np.float64) ** -exponent)


def exponential(total: int, classes: int, *, ratio: float) -> Ints:
    """Sizes that fall by one factor from class to class, the largest being `ratio` times the smallest."""
    return proportional(total, ratio ** (-np.arange(classes, dtype=np.float64) / max(classes - 1, 1)))


def truncate_head(sizes: Ints, largest: int) -> Ints:
    """Cut every class down to at most `largest` samples."""
    return np.minimum(sizes, largest)


def rebalance_tail(sizes: Ints, minimum: int, *, spare: int = 0) -> Ints:
    """Raise classes below `minimum` to it from the reserve.

    Args:
        sizes: [K] samples of each class.
        minimum: what a class should have at least.
        spare: classes with fewer samples than this stay as they are (the ablation of §4.2.2).
    """
    return np.where((sizes >= spare) & (sizes < minimum), minimum, sizes)


def blend(total: int, classes: int, *, ratio: float) -> tuple[Ints, Ints]:
    """Divide balanced sizes between two sources: the first gives a share `ratio` of each class.

    Returns:
        [classes] samples from the first source and from the second.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio={ratio} must lie in [0, 1]")
    sizes = even(total, classes)
    first = np.rint(ratio * sizes).astype(np.int64)
    return first, sizes - first


def assign_classes(profile: Ints, available: Ints, order: Ints) -> Ints:
    """Decide which class takes which size of a profile.

    Sizes are dealt out largest first; each goes to the first class in `order` that is free and has enough samples, so
    that two profiles dealt in one order have the same classes at their head and their tail as far as they can.

    Args:
        profile: [K] sizes.
        available: [K] samples that there are of each class.
        order: permutation of the K classes.

    Returns:
        [K] size of each class.

    Raises:
        ValueError: the profile does not fit what there is.
    """
    sizes = np.zeros(len(profile), np.int64)
    free = [int(each) for each in order]
    for size in -np.sort(-profile):
        able = [each for each in free if available[each] >= size]
        if size < 0 or not able:
            raise ValueError(
                f"no class is left with {size} samples; profile {profile.tolist()}, there are {available.tolist()}"
            )
        sizes[able[0]] = size
        free.remove(able[0])
    return sizes
