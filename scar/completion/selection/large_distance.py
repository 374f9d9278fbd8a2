"""Large distance: the border of a class or cluster before its middle (the TL;DR paper, Table 2b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.common.vectors import unit_rows
from scar.completion.selection.selection import Pool, Ranking, Selection, features_of, rank_classes


@dataclass(frozen=True, kw_only=True)
class LargeDistanceSelection(Selection):
    """Within a class of the pool, the farthest from its mean first; the score is that distance.

    Distances are Euclidean between embeddings of length 1 and their mean.
    """

    needs_features: ClassVar[bool] = True

    name: str = "large_distance"

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            rows = unit_rows(features[members]).astype(np.float64)
            distance = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
            picked = np.argsort(-distance, kind="stable")
            return picked, distance[picked]

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class, in single and in double precision, and their differences."""
        return 28 * size * dimension + 24 * size
