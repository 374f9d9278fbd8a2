"""Large distance: the border of a class or cluster before its middle (the TL;DR paper, Table 2b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.selection.base import Ints, Pool, Ranking, features_of, rank_classes, unit


@dataclass(frozen=True, kw_only=True)
class LargeDistanceSelection:
    """Within a class of the pool, the farthest from its mean first; the score is that distance.

    Distances are Euclidean between embeddings of length 1 and their mean.
    """

    name: str = "large_distance"
    needs_features: ClassVar[bool] = True
    needs_margins: ClassVar[bool] = False

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            rows = unit(features[members]).astype(np.float64)
            distance = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
            picked = np.argsort(-distance, kind="stable")
            return picked, distance[picked]

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class, in single and in double precision, and their differences."""
        return 28 * size * dimension + 24 * size
