"""Facility location: take samples that stand for the others (Mirzasoleiman et al., 2015; Wei et al., 2015)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints
from scar.common.vectors import unit_rows
from scar.completion.selection import _memory_needs as memory
from scar.completion.selection._memory_needs import chunk_rows
from scar.completion.selection._similarities import nearest
from scar.completion.selection.selection import Pool, Ranking, Selection, features_of, rank_classes


@dataclass(frozen=True, kw_only=True)
class FacilityLocationSelection(Selection):
    """Greedily maximise ``Σ_i max_{j taken} max(0, cos(x_i, x_j))`` within a class.

    Lazy greedy: the gain of a sample only falls, so that it is computed anew only when it comes up. Each sample
    counts for its nearest neighbours alone, found in chunks, which bounds the memory; with `neighbours` at least the
    size of the class this is the exact objective. The score is the gain with which a sample was taken.

    Attributes:
        neighbours: per sample.
    """

    needs_features: ClassVar[bool] = True

    name: str = "facility_location"
    neighbours: int = 128

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ValueError(f"selection.neighbours={self.neighbours} must be at least 1")

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            return lazy_greedy(unit_rows(features[members]), count, self.neighbours)

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class, the graph in both directions, and a chunk of similarities."""
        links = size * min(self.neighbours, size)
        return 8 * size * dimension + 40 * links + 3 * min(memory.CHUNK_BYTES, 4 * size * chunk_rows(size))


def lazy_greedy(rows: Floats32, count: int, neighbours: int) -> tuple[Ints, NDArray[np.float64]]:
    """Return `count` indices of rows [r, D] of length 1, greedily, and the gains with which they were taken."""
    starts, served, similar = _served(rows, min(neighbours, len(rows)))
    best = np.zeros(len(rows), np.float64)

    def gain(j: int) -> float:
        span = slice(starts[j], starts[j + 1])
        return float(np.maximum(similar[span] - best[served[span]], 0.0).sum())

    heap = [(-gain(j), j, 0) for j in range(len(rows))]
    heapq.heapify(heap)
    taken, at = np.empty(count, np.int64), np.empty(count)
    for place in range(count):
        while heap[0][2] != place:
            _, j, _ = heap[0]
            heapq.heapreplace(heap, (-gain(j), j, place))
        value, j, _ = heapq.heappop(heap)
        taken[place], at[place] = j, -value
        span = slice(starts[j], starts[j + 1])
        best[served[span]] = np.maximum(best[served[span]], similar[span])
    return taken, at


def _served(rows: Floats32, neighbours: int) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Return whom each row stands for: starts [r + 1], and the rows and similarities that lie between them."""
    values, indices = nearest(rows, rows, neighbours)
    by_server = np.argsort(indices.ravel(), kind="stable")
    known = indices.ravel()[by_server] >= 0  # an approximate index may find fewer
    by_server = by_server[known]
    servers = indices.ravel()[by_server]
    starts = np.searchsorted(servers, np.arange(len(rows) + 1))
    similar = np.maximum(values.ravel()[by_server], 0.0).astype(np.float64)
    return starts, by_server // neighbours, similar
