"""What a selection is given, and the ranking that comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool:
    """The samples that can be taken, in a random order that also breaks ties.

    Attributes:
        features: [R, D] embeddings; None only where nothing looks at them.
        classes: [R] class, or predicted class, or cluster of every sample.
        anchors: [M, D] samples that are there already, or None.
        anchor_classes: [M] their classes, or None.
        margins: [R] probability of the likeliest class less that of the second, by a probe trained on what is there;
            None where there is none.
        gradients: [R] norm of the gradient of that probe's loss of each sample, or None.
    """

    features: Floats32 | None
    classes: Ints
    anchors: Floats32 | None = None
    anchor_classes: Ints | None = None
    margins: NDArray[np.float64] | None = None
    gradients: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking:
    """The order in which samples are taken.

    Attributes:
        order: [R] positions in the pool: of each class the first come first.
        scores: [R] what the rule saw in each sample, in the order of the pool; NaN where it did not look.
    """

    order: Ints
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Selection(ABC):
    """A rule for which samples of a class are taken first; its fields are the keys of its YAML."""

    needs_features: ClassVar[bool] = False
    """Whether it looks at the embeddings of pool and anchors."""
    needs_margins: ClassVar[bool] = False
    """Whether it looks at the margins of a probe."""
    needs_gradients: ClassVar[bool] = False
    """Whether it looks at the gradients of a probe, which the embeddings give."""

    name: str

    @abstractmethod
    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank the samples of a pool.

        Args:
            pool: features and classes.
            counts: [K] samples of each class that will be taken at most; beyond them the order is random.

        Returns:
            A ranking in which a smaller number of samples is contained in a larger one.
        """

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes that ranking one class takes beside the embeddings of the pool.

        Args:
            size: samples of the class.
            dimension: numbers D per sample.
            anchors: samples that are there already.
        """
        return 0


def rank_classes(
    pool: Pool, counts: Ints, choose: Callable[[Ints, int, int], tuple[Ints, NDArray[np.float64]]]
) -> Ranking:
    """Rank class by class.

    Args:
        pool: the samples.
        counts: [K] samples of each class that will be taken at most.
        choose: from the positions [r] of a class, the class and a count, the chosen indices into those positions in
            order (at least the count of them), and a score for each of these.
    """
    scores = np.full(len(pool.classes), np.nan)
    chosen = []
    for step in np.flatnonzero(counts > 0):
        members = np.flatnonzero(pool.classes == step)
        if not len(members):
            continue
        picked, value = choose(members, int(step), min(int(counts[step]), len(members)))
        scores[members[picked]] = value
        chosen.append(members[picked])
    first = np.concatenate(chosen) if chosen else np.empty(0, np.int64)
    rest = np.ones(len(pool.classes), bool)
    rest[first] = False
    return Ranking(order=np.concatenate([first, np.flatnonzero(rest)]).astype(np.int64), scores=scores)


def features_of(pool: Pool, name: str) -> Floats32:
    """Return the features [R, D] of a pool that has them."""
    if pool.features is None:
        raise ValueError(f"selection={name} looks at embeddings, but the pool has none")
    return pool.features
