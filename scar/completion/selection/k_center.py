"""k-center: cover the space (Gonzalez, 1985; as core-set in Sener and Savarese, 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints
from scar.common.vectors import unit_rows
from scar.completion.selection._memory_needs import chunk_rows
from scar.completion.selection._similarities import largest
from scar.completion.selection.selection import Pool, Ranking, Selection, features_of, rank_classes


@dataclass(frozen=True, kw_only=True)
class KCenterSelection(Selection):
    """Farthest first: again and again the sample that is farthest from all that are there or taken.

    Distances are Euclidean between embeddings of length 1, within a class. The score is the distance at which a
    sample was taken. Of a class that is not there yet the first sample is the one nearest to its mean.
    """

    needs_features: ClassVar[bool] = True

    name: str = "k_center"

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            rows = unit_rows(features[members])
            distance = _to_anchors(rows, pool, step)
            return farthest_first(rows, distance, count)

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class, its distances and one chunk of similarities."""
        return 4 * size * (2 * dimension + 3) + 4 * min(size, chunk_rows(anchors)) * max(anchors, 1)


def farthest_first(rows: Floats32, distance: NDArray[np.float32], count: int) -> tuple[Ints, NDArray[np.float64]]:
    """Return `count` indices of rows [r, D] of length 1 and the squared-root distances at which they were taken.

    Args:
        rows: of length 1.
        distance: [r] squared distance to what is there already; infinite where nothing is.
        count: rows to take.
    """
    taken, at = np.empty(count, np.int64), np.empty(count)
    distance = distance.copy()
    for place in range(count):
        if place == 0 and np.isinf(distance).all():
            best = int(np.argmax(rows @ rows.mean(axis=0)))
        else:
            best = int(np.argmax(distance))
        taken[place], at[place] = best, distance[best]
        distance = np.minimum(distance, np.maximum(2.0 - 2.0 * (rows @ rows[best]), 0.0))
        distance[best] = -1.0  # stays the minimum: never taken again
    return taken, np.sqrt(np.maximum(np.where(np.isinf(at), np.nan, at), 0.0))


def _to_anchors(rows: Floats32, pool: Pool, step: int) -> NDArray[np.float32]:
    """Return [r] squared distances to the nearest sample of the class that is there already."""
    if pool.anchors is None or pool.anchor_classes is None or not (pool.anchor_classes == step).any():
        return np.full(len(rows), np.inf, np.float32)
    anchors = unit_rows(pool.anchors[pool.anchor_classes == step])
    return np.asarray(np.maximum(2.0 - 2.0 * largest(rows, anchors), 0.0), dtype=np.float32)
