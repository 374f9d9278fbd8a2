"""Class-aware draws: every class keeps its share of the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.samples import TEST, TRAIN


def share_out(class_sizes: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Divide `size` among the classes in proportion to their sizes, by the largest remainder.

    Args:
        class_sizes: [K] samples of each class.
        size: samples to take, at most the sum of `class_sizes`.
        rng: breaks ties between equal remainders, so that no class is favoured by its index.

    Returns:
        [K] samples to take of each class; they sum to `size` and none exceeds its class.
    """
    total = int(class_sizes.sum())
    if not 0 <= size <= total:
        raise ValueError(f"size={size} must lie in 0..{total}, the samples there are")
    quota, remainder = np.divmod(class_sizes * size, max(total, 1))
    order = np.lexsort((rng.permutation(len(class_sizes)), -remainder))
    quota[order[: size - int(quota.sum())]] += 1
    return quota


def draw_per_class(labels: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Draw exactly `size` positions without replacement so that each class keeps its share.

    Args:
        labels: [N] class indices.
        size: samples to draw, 0..N.
        rng: the generator of this draw and of nothing else.

    Returns:
        [size] sorted positions into `labels`.
    """
    class_sizes = np.bincount(labels, minlength=1)
    wanted = share_out(class_sizes, size, rng)
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(class_sizes)[:-1])
    drawn = [rng.permutation(rows)[:count] for rows, count in zip(by_class, wanted, strict=True)]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def draw_groups(
    labels: Ints, groups: NDArray[np.str_], wanted: ArrayLike, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Take whole groups, in random order, each if it brings the class counts nearer to their target.

    Args:
        labels: [N] class indices.
        groups: [N] group of every sample.
        wanted: [K] samples of each class, whole numbers or not.
        rng: the generator of this draw and of nothing else.

    Returns:
        [N] whether a sample is taken.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    missing = np.asarray(wanted, dtype=np.float64)
    counts = np.zeros((len(names), len(missing)))
    np.add.at(counts, (group_of, labels), 1.0)
    chosen = np.zeros(len(names), bool)
    for group in rng.permutation(len(names)):
        after = missing - counts[group]
        if after @ after < missing @ missing:
            missing, chosen[group] = after, True
    return chosen[group_of]


def draw_test_part(labels: Ints, fraction: float, seed: int) -> NDArray[np.str_]:
    """Cut a class-aware test part from data that come without one.

    Returns:
        [N] ``"train"`` or ``"test"``; it depends on `seed` (of the dataset) alone.
    """
    splits = np.full(len(labels), TRAIN)
    splits[draw_per_class(labels, round(fraction * len(labels)), generator(seed, "test part"))] = TEST
    return splits


def keep_sizes(
    labels: Ints | None, splits: NDArray[np.str_], *, train_size: int | None, test_size: int | None, seed: int
) -> Ints:
    """Draw a class-aware sub-sample of each part of the source.

    Args:
        labels: [N] class indices; None takes all samples for one class.
        splits: [N] ``"train"`` or ``"test"``.
        train_size: training samples to keep, or None for all.
        test_size: test samples to keep, or None for all.
        seed: of the dataset.

    Returns:
        Sorted positions of the samples kept.

    Raises:
        ValueError: a part has fewer samples than asked for.
    """
    classes = np.zeros(len(splits), np.int64) if labels is None else labels
    kept = []
    for part, size in ((TRAIN, train_size), (TEST, test_size)):
        rows = np.flatnonzero(splits == part)
        if size is not None:
            if size > len(rows):
                raise ValueError(f"dataset.{part}_size={size} is more than the {len(rows)} {part} samples there are")
            rows = rows[draw_per_class(classes[rows], size, generator(seed, f"{part} size"))]
        kept.append(rows)
    return np.sort(np.concatenate(kept))


def within_class_rank(labels: Ints) -> Ints:
    """Return for each sample [N] how many samples of its class stand before it."""
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    rank = np.empty(len(labels), np.int64)
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank
