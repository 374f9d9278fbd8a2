"""What a selection is given, and the ranking that comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


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
    """

    features: Floats | None
    classes: Ints
    anchors: Floats | None = None
    anchor_classes: Ints | None = None
    margins: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking:
    """The order in which samples are taken.

    Attributes:
        order: [R] positions in the pool: of each class the first come first.
        scores: [R] what the rule saw in each sample, in the order of the pool; NaN where it did not look.
    """

    order: Ints
    scores: NDArray[np.float64]


class Selection(Protocol):
    """A rule for which samples of a class are taken first."""

    @property
    def name(self) -> str:
        """Of the selection."""
        ...

    needs_features: ClassVar[bool]
    needs_margins: ClassVar[bool]

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank the samples of a pool.

        Args:
            pool: features and classes.
            counts: [K] samples of each class that will be taken at most; beyond them the order is random.

        Returns:
            A ranking in which a smaller number of samples is contained in a larger one.
        """
        ...


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


def features_of(pool: Pool, name: str) -> Floats:
    """Return the features [R, D] of a pool that has them."""
    if pool.features is None:
        raise ValueError(f"selection={name} looks at embeddings, but the pool has none")
    return pool.features


def unit(features: Floats) -> Floats:
    """Divide every row [N, D] by its length; a row of zeros stays."""
    rows = np.asarray(features, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
