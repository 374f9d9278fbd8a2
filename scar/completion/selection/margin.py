"""Margin: take first what the probe is least sure of (Scheffer et al., 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.completion.selection.selection import Pool, Ranking, Selection, rank_classes


@dataclass(frozen=True, kw_only=True)
class MarginSelection(Selection):
    """Within a class, the smallest margin between the two likeliest classes first; the score is the margin.

    The probe is that of the primary set, and the margin does not look at the label of the sample.

    Attributes:
        smallest_first: False takes the surest samples first.
    """

    needs_margins: ClassVar[bool] = True

    name: str = "margin"
    smallest_first: bool = True

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        margins = pool.margins
        if margins is None:
            raise ValueError(f"selection={self.name} reads a probe's margins, but the pool has none")
        towards = 1.0 if self.smallest_first else -1.0

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            picked = np.argsort(towards * margins[members], kind="stable")[:count]
            return picked, margins[members][picked]

        return rank_classes(pool, counts, choose)
