"""The baseline: the random order that all strategies of a seed share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scar.selection.base import Ints, Pool, Ranking


@dataclass(frozen=True, kw_only=True)
class RandomSelection:
    """Take the samples of a class as they come in the pool's random order."""

    name: str = "random"
    needs_features: ClassVar[bool] = False
    needs_margins: ClassVar[bool] = False

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Return the order of the pool."""
        size = len(pool.classes)
        return Ranking(order=np.arange(size), scores=np.full(size, np.nan))
