"""Finding the partner of an item in the other modality: recall at 1, 5, 10 and the median rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Bools, Floats32, Ints
from scar.common.vectors import chunks

DEPTHS = (1, 5, 10)
TIES = ("expected", "pessimistic")
_QUERIES = 1024
_EQUAL = 1e-6
"""Difference of two cosines that is rounding."""


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """How well the items of one modality find their partners in the other.

    Attributes:
        recall: depth → share of the queries whose partner is among so many nearest.
        median_rank: of the partner, 1 for the nearest.
        queries: number of them.
        candidates: number of items that are ranked.
    """

    recall: dict[int, float]
    median_rank: float
    queries: int
    candidates: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranks:
    """Where the best partner of every query stands among the targets that are not its partners.

    Attributes:
        above: [Q] strangers with a higher score.
        ties: [Q] strangers with the same score.
    """

    above: Ints
    ties: Ints

    def found(self, depth: int, *, ties: str = "expected") -> NDArray[np.float64]:
        """Return [Q] whether the partner is among the nearest: a probability in 0..1 where ``ties="expected"``."""
        if _pessimistic(ties):
            return (self.above + self.ties < depth).astype(np.float64)
        return np.clip((depth - self.above) / (self.ties + 1), 0, 1)

    def ranks(self, *, ties: str = "expected") -> NDArray[np.float64]:
        """Return [Q] the rank of the partner, 1 for the nearest; its expectation where ``ties="expected"``."""
        behind = self.ties.astype(np.float64) if _pessimistic(ties) else self.ties / 2
        return 1 + self.above + behind


def rank_partners(queries: Floats32, query_owner: Ints, targets: Floats32, target_owner: Ints) -> Ranks:
    """Rank all targets for every query by their dot product.

    A query with several partners (the captions of an image) counts the best of them, one of those where several are
    equally good, among the targets that are not its partners.

    Args:
        queries: [Q, D] rows of length 1.
        query_owner: [Q] item that each query belongs to.
        targets: [T, D] rows of length 1.
        target_owner: [T] item that each target belongs to.
    """
    return _rank(queries, targets, lambda part: query_owner[part, None] == target_owner)


def rank_relevant(queries: Floats32, targets: Floats32, relevant: Bools) -> Ranks:
    """Rank all targets for every query where partners are many to many: of several the best counts, as in `rank_partners`.

    Args:
        queries: [Q, D] rows of length 1.
        targets: [T, D] rows of length 1.
        relevant: [Q, T] whether a target is a partner of a query; each query has one or more.

    Raises:
        ValueError: a query without a partner.
    """
    if not relevant.any(axis=1).all():
        raise ValueError(f"relevant[{int((~relevant.any(axis=1)).argmax())}] marks no partner; leave the query out")
    return _rank(queries, targets, lambda part: relevant[part])


def _rank(queries: Floats32, targets: Floats32, partners: Callable[[slice], Bools]) -> Ranks:
    above, ties = np.empty(len(queries), np.int64), np.empty(len(queries), np.int64)
    for part in chunks(len(queries), _QUERIES):
        scores, own = queries[part] @ targets.T, partners(part)
        best = np.where(own, scores, -np.inf).max(axis=1, keepdims=True)
        above[part] = np.count_nonzero(~own & (scores > best + _EQUAL), axis=1)
        ties[part] = np.count_nonzero(~own & (np.abs(scores - best) <= _EQUAL), axis=1)
    return Ranks(above=above, ties=ties)


def retrieve(
    queries: Floats32, query_owner: Ints, targets: Floats32, target_owner: Ints, *, ties: str = "expected"
) -> Retrieval:
    """Return recall and median rank of `rank_partners`.

    Args:
        queries: [Q, D] rows of length 1.
        query_owner: [Q] item that each query belongs to.
        targets: [T, D] rows of length 1.
        target_owner: [T] item that each target belongs to.
        ties: ``"expected"``: equal scores are in random order, and the expectation over it is reported: of two items
            with the same caption each is found at rank 1 half the time, and a constant embedding is as good as chance.
            ``"pessimistic"``: the partner stands behind all strangers with its score.
    """
    placed = rank_partners(queries, query_owner, targets, target_owner)
    recall = {depth: float(placed.found(depth, ties=ties).mean()) for depth in DEPTHS}
    rank = float(np.median(placed.ranks(ties=ties)))
    return Retrieval(recall=recall, median_rank=rank, queries=len(queries), candidates=len(targets))


def _pessimistic(ties: str) -> bool:
    if ties not in TIES:
        raise ValueError(f"ties={ties!r} is unknown; use one of {', '.join(TIES)}")
    return ties == "pessimistic"


def linear_map(inputs: Floats32, outputs: Floats32, rng: np.random.Generator) -> tuple[Floats32, Floats32, Floats32]:
    """Return the ridge regression from one modality to the other, for encoders without a joint space.

    Args:
        inputs: [n, D] of the training pairs.
        outputs: [n, E].
        rng: draws the tenth of the pairs on which the penalty is chosen by its squared error.

    Returns:
        Weights [D, E], mean of the inputs [D] and of the outputs [E]: ``(x - mean_x) @ weights + mean_y``.
    """
    order = rng.permutation(len(inputs))
    held, used = order[: max(1, len(order) // 10)], order[max(1, len(order) // 10) :]
    mean_x, mean_y = inputs[used].mean(axis=0), outputs[used].mean(axis=0)
    x, y = inputs[used] - mean_x, outputs[used] - mean_y
    values, vectors = np.linalg.eigh((x.T @ x).astype(np.float64) / len(x))
    values = np.maximum(values, 0)
    projected = vectors.T @ (x.T @ y / len(x))
    best, weights = np.inf, np.zeros((x.shape[1], y.shape[1]))
    for penalty in values.mean() * np.logspace(-4, 2, 7):
        fitted = vectors @ (projected / (values + penalty)[:, None])
        error = float(np.square((inputs[held] - mean_x) @ fitted + mean_y - outputs[held]).sum())
        if error < best:
            best, weights = error, fitted
    return weights.astype(np.float32), mean_x, mean_y
