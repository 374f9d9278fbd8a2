"""The baseline: the random order that all strategies of a seed share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scar.common.types import Ints
from scar.completion.selection.selection import Pool, Ranking, Selection


@dataclass(frozen=True, kw_only=True)
class RandomSelection(Selection):
    """Take the samples of a class as they come in the pool's random order."""

    name: str = "random"

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Return the order of the pool."""
        size = len(pool.classes)
        return Ranking(order=np.arange(size), scores=np.full(size, np.nan))
