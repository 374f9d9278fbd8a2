"""Down-sampling: which samples each probe of the characterization is trained on (§3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.stratify import label_order, within_class_rank

DRAWS = ("partition", "independent")


@dataclass(frozen=True, kw_only=True)
class SubsetsConfig:
    """The plan of factors and parts.

    Attributes:
        factors: down-sampling factors r; a subset of factor r holds 1/r of the samples. Factor 1 is required.
        max_parts: at most so many of the r parts of each factor are used; None uses all.
        draw: ``"partition"`` cuts one class-aware permutation into r disjoint parts; ``"independent"`` draws r
            class-aware subsets, as published.
    """

    name: str = "paper"
    factors: tuple[int, ...] = (1, 2, 5, 10, 15, 20, 30)
    max_parts: int | None = None
    draw: str = "partition"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        if 1 not in self.factors or min(self.factors) < 1 or len(set(self.factors)) < len(self.factors):
            raise ValueError(f"subsets.factors={list(self.factors)}: distinct factors of at least 1, 1 among them")
        if self.max_parts is not None and self.max_parts < 1:
            raise ValueError(f"subsets.max_parts={self.max_parts} must be at least 1, or null for all parts")
        if self.draw not in DRAWS:
            raise ValueError(f"subsets.draw={self.draw!r} is unknown; use one of {', '.join(DRAWS)}")


@dataclass(frozen=True, eq=False)
class Subset:
    """The rows of one part of one factor."""

    factor: int
    part: int
    rows: Ints


def draw_subsets(rows: Ints, labels: Ints, config: SubsetsConfig, *, seed: int) -> list[Subset]:
    """Draw the subsets of a training set.

    Args:
        rows: [n] rows of the embeddings that form the training set.
        labels: [N] class of every row of the embeddings, or [N, K] zeros and ones.
        config: factors and parts.
        seed: of the job.

    Returns:
        The subsets, factor by factor; a factor above n would leave a part empty and is left out.
    """
    subsets = []
    for factor in sorted(config.factors):
        if factor > len(rows):
            continue
        parts = min(factor, config.max_parts or factor)
        order = np.zeros(0, np.int64)
        for part in range(parts):
            draw, index = (0, part) if config.draw == "partition" else (part, 0)
            if index == 0:  # the parts of a partition have one order in common
                order = stratified_order(labels[rows], generator(seed, "subsets", factor, draw))
            subsets.append(Subset(factor, part, np.sort(rows[np.array_split(order, factor)[index]])))
    return subsets


def stratified_order(labels: Ints, rng: np.random.Generator) -> Ints:
    """Return a random permutation in which every contiguous stretch has the class mix of the whole.

    Sample k of a class with m samples (in random order) stands at (k + u) / m with one uniform u per class, so that a
    stretch of 1/r of the permutation holds m/r of its samples, rounded down or up. Labels [N, K] of 0 and 1 are ordered by
    `scar.data.stratify.label_order`.
    """
    if labels.ndim == 2:
        return label_order(labels, rng)
    shuffled = rng.permutation(len(labels))
    classes, inverse, counts = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
    position = (within_class_rank(inverse) + rng.random(len(classes))[inverse]) / counts[inverse]
    return shuffled[np.argsort(position, kind="stable")]
