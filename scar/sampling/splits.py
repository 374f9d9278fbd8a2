"""Splits: which samples each step may see.

The test part is given by the dataset. From the training part a validation part (early stopping, choices) and a
held-out part (gaps, learning curves) are cut first; what remains is divided into the primary set and the reserve
(§4.3). Every cut is class-aware and, where a group column is named, keeps groups together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.stratify import count_labels, draw_group_share, draw_per_class


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Shares of the training part.

    Attributes:
        validation: share of the training part that early stopping sees.
        heldout: share that gaps and learning curves are measured on.
        primary: share of what remains that forms the primary set; the rest is the reserve.
        group: column of the dataset whose groups stay together, or None.
        seed: a fixed seed of the split, as published; None redraws the split with the seed of the job.
        train_size: training samples that are divided, drawn class-aware after all have been embedded and labelled; the
            others are in no part. None divides all; ``dataset.train_size`` draws before anything is embedded.
        test_size: test samples that are used, drawn class-aware and for all seeds alike; None uses all.
    """

    name: str = "default"
    validation: float = 0.1
    heldout: float = 0.1
    primary: float = 0.6
    group: str | None = None
    seed: int | None = None
    train_size: int | None = field(default=None, metadata={"optional": True})
    test_size: int | None = field(default=None, metadata={"optional": True})

    def __post_init__(self) -> None:
        for name in ("train_size", "test_size"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"split.{name}={size} must be at least 1, or null for all samples")
        for name in ("validation", "heldout"):
            if not 0 <= getattr(self, name) < 0.5:
                raise ValueError(f"split.{name}={getattr(self, name)} must lie in [0, 0.5)")
        if not 0 < self.primary < 1:
            raise ValueError(f"split.primary={self.primary} must lie strictly between 0 and 1")


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """Rows of the embeddings by part, all sorted, all disjoint; `labels` are those to train on.

    Attributes:
        validation, heldout, primary, reserve, test: rows. The reserve is the pool that can be had; training samples
            that are in no part are out of reach.
        labels: [N] class of every row, or [N, K] zeros and ones: which labels it carries. A regime may have made some of
            those of primary and validation wrong.
    """

    validation: Ints
    heldout: Ints
    primary: Ints
    reserve: Ints
    test: Ints
    labels: Ints

    @property
    def total(self) -> Ints:
        """Rows of primary and reserve together: everything that can be trained on."""
        return np.sort(np.concatenate([self.primary, self.reserve]))

    def class_sizes(self, part: str, num_classes: int) -> Ints:
        """Return [K] samples of each class in a part, e.g. ``"primary"``; those that carry it where there may be several."""
        return count_labels(self.labels[getattr(self, part)], num_classes)

    def with_parts(self, **parts: Ints) -> Split:
        """Return a copy with some parts replaced, sorted again."""
        return replace(self, **{name: np.sort(rows) for name, rows in parts.items()})

    def save(self, path: Path) -> None:
        """Write all arrays to one ``.npz`` file without pickling."""
        np.savez(path, allow_pickle=False, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Split:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            return cls(**archive)


def draw_split(
    labels: Ints,
    *,
    train: Ints,
    test: Ints,
    config: SplitConfig,
    seed: int,
    groups: NDArray[np.str_] | None = None,
    strata: Ints | None = None,
) -> Split:
    """Cut the training part.

    Args:
        labels: [N] class of every row.
        train: rows of the source's training part.
        test: rows of its test part; passed through.
        config: shares.
        seed: of the job; `SplitConfig.seed` takes its place where it is set.
        groups: [N] group of every row, or None.
        strata: [N] what keeps its share in every part; the class if None. For pairs it is the joint cell of the two
            clusterings, so that both directions have the same parts.

    Raises:
        ValueError: a part that should hold samples would be empty.
    """
    seed, strata = seed if config.seed is None else config.seed, labels if strata is None else strata
    train = _sample(train, strata, groups, "train_size", config.train_size, generator(seed, "sample of the split"))
    test = _sample(test, strata, None, "test_size", config.test_size, generator(0, "test sample of the split"))
    heldout, rest = cut(train, strata, groups, config.heldout * len(train), generator(seed, "split", 0))
    validation, rest = cut(rest, strata, groups, config.validation * len(train), generator(seed, "split", 1))
    primary, reserve = cut(rest, strata, groups, config.primary * len(rest), generator(seed, "split", 2))
    parts = {"primary": primary, "reserve": reserve, "test": test}
    parts |= {"heldout": heldout} if config.heldout else {}
    parts |= {"validation": validation} if config.validation else {}
    require_samples(parts, given=len(train) + len(test))
    return Split(
        validation=validation, heldout=heldout, primary=primary, reserve=reserve, test=np.sort(test), labels=labels
    )


def _sample(
    rows: Ints, strata: Ints, groups: NDArray[np.str_] | None, name: str, size: int | None, rng: np.random.Generator
) -> Ints:
    """Return so many of the rows, class-aware and of whole groups where there are groups; all where there is no size."""
    if size is None:
        return rows
    if size > len(rows):
        raise ValueError(f"split.{name}={size} is more than the {len(rows)} samples of that part; null takes all")
    return cut(rows, strata, groups, size, rng)[0]


def require_samples(parts: dict[str, Ints], *, given: int) -> None:
    """Refuse a split that leaves a part without samples.

    Args:
        parts: rows by the name of the part.
        given: samples that were divided.
    """
    empty = [name for name, rows in parts.items() if not len(rows)]
    if empty:
        sizes = ", ".join(f"{name} {len(rows)}" for name, rows in parts.items())
        raise ValueError(
            f"the {empty[0]} part is empty: {given} samples (or their groups) are too few to be divided ({sizes}); "
            "give more samples, finer groups, or other shares in split"
        )


def cut(
    rows: Ints, labels: Ints, groups: NDArray[np.str_] | None, size: float, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Divide rows into a class-aware part of about ``size`` samples and the rest."""
    if groups is None:
        inside = np.zeros(len(rows), bool)
        inside[draw_per_class(labels[rows], round(size), rng)] = True
    else:
        inside = draw_group_share(labels[rows], groups[rows], size / max(len(rows), 1), rng)
    return np.sort(rows[inside]), np.sort(rows[~inside])
