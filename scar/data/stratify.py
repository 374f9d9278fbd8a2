"""Class-aware draws: every class, or every label where a sample carries several, keeps its share of the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.mapped import full
from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.samples import POOL, TEST, TRAIN


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


def count_labels(labels: Ints, num_classes: int) -> Ints:
    """Return [K] how many samples each class has, of classes [N], or carry each label, of zeros and ones [N, K]."""
    if labels.ndim == 2:
        return np.asarray(labels.sum(axis=0, dtype=np.int64))
    return np.bincount(labels, minlength=num_classes)


def label_order(labels: Ints, rng: np.random.Generator) -> Ints:
    """Return a random permutation in which every stretch has about the label frequencies of the whole.

    A sample stands under the rarest of its labels, or under none. Those that stand under one are ordered by their other
    labels in the same way; sample k of its m then stands at (k + u) / m, with one uniform u. So each stretch of 1/r of the
    permutation holds m/r of them, rounded down or up, and of a label that is rare nearly all stand under it.

    Args:
        labels: [N, K] of 0 and 1.
        rng: the generator of this draw and of nothing else.
    """
    rare_first = np.argsort(labels.sum(axis=0, dtype=np.int64), kind="stable")
    return _spread(np.arange(len(labels)), labels[:, rare_first], rng)


def _spread(rows: Ints, labels: Ints, rng: np.random.Generator) -> Ints:
    """Order rows by the labels [N, K'] that they may still carry, the rarest first."""
    carried = labels[rows]
    if len(rows) < 2 or not carried.any():
        return rng.permutation(rows)
    rarest = np.where(carried.any(axis=1), carried.argmax(axis=1), carried.shape[1])
    parts, places = [], []
    for label in np.unique(rarest):
        part = _spread(rows[rarest == label], labels[:, label + 1 :], rng)
        parts.append(part)
        places.append((np.arange(len(part)) + rng.random()) / len(part))
    order: Ints = np.concatenate(parts)[np.argsort(np.concatenate(places), kind="stable")]
    return order


def draw_per_class(labels: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Draw exactly `size` positions without replacement so that each class keeps its share.

    Args:
        labels: [N] class indices, or [N, K] of 0 and 1.
        size: samples to draw, 0..N.
        rng: the generator of this draw and of nothing else.

    Returns:
        [size] sorted positions into `labels`.
    """
    if labels.ndim == 2:
        if not 0 <= size <= len(labels):
            raise ValueError(f"size={size} must lie in 0..{len(labels)}, the samples there are")
        return np.sort(label_order(labels, rng)[:size])
    class_sizes = np.bincount(labels, minlength=1)
    wanted = share_out(class_sizes, size, rng)
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(class_sizes)[:-1])
    drawn = [rng.permutation(rows)[:count] for rows, count in zip(by_class, wanted, strict=True)]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def draw_group_share(
    labels: Ints, groups: NDArray[np.str_], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Take whole groups, as `draw_groups` does, that hold a share of every class.

    Args:
        labels: [N] class indices, or [N, K] of 0 and 1; then of all samples as well.
        groups: [N] group of every sample.
        share: of the samples.
        rng: the generator of this draw and of nothing else.

    Returns:
        [N] whether a sample is taken.
    """
    if labels.ndim == 2:
        labels = np.column_stack([labels, np.ones(len(labels), labels.dtype)])
    return draw_groups(labels, groups, count_labels(labels, 1) * share, rng)


def draw_groups(
    labels: Ints, groups: NDArray[np.str_], wanted: ArrayLike, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Take whole groups, in random order, each if it brings the class counts nearer to their target.

    Args:
        labels: [N] class indices, or [N, K] of 0 and 1.
        groups: [N] group of every sample.
        wanted: [K] samples of each class, whole numbers or not.
        rng: the generator of this draw and of nothing else.

    Returns:
        [N] whether a sample is taken.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    missing = np.asarray(wanted, dtype=np.float64)
    counts = np.zeros((len(names), len(missing)))
    if labels.ndim == 2:
        np.add.at(counts, group_of, labels)
    else:
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
    splits = full(len(labels), TRAIN)
    splits[draw_per_class(labels, round(fraction * len(labels)), generator(seed, "test part"))] = TEST
    return splits


def keep_sizes(
    labels: Ints | None, splits: NDArray[np.str_], *, train_size: int | None, test_size: int | None, seed: int
) -> Ints:
    """Draw a class-aware sub-sample of training and test part; a pool is kept.

    Args:
        labels: [N] class indices, or [N, K] of 0 and 1; None takes all samples for one class.
        splits: [N] parts.
        train_size: training samples to keep, or None for all.
        test_size: test samples to keep, or None for all.
        seed: of the dataset.

    Returns:
        Sorted positions of the samples kept.

    Raises:
        ValueError: a part has fewer samples than asked for.
    """
    classes = np.zeros(len(splits), np.int64) if labels is None else labels
    kept = [np.flatnonzero(splits == POOL)]
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
