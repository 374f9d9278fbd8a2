"""Herding: keep the mean of what is taken near the mean of the class (Welling, 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.selection.base import Floats, Ints, Pool, Ranking, features_of, rank_classes, unit


@dataclass(frozen=True, kw_only=True)
class HerdingSelection:
    """Take the samples whose running mean follows the mean of their class in the pool.

    On embeddings of length 1: with ``w_0 = μ`` the sample of the largest ``w · x`` is taken and ``w += μ - x``. The
    score is that product.
    """

    name: str = "herding"
    needs_features: ClassVar[bool] = True
    needs_margins: ClassVar[bool] = False

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            return herd(unit(features[members]), count)

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class and two vectors over them."""
        return 8 * size * dimension + 16 * size


def herd(rows: Floats, count: int) -> tuple[Ints, NDArray[np.float64]]:
    """Return `count` indices of rows [r, D] in herding order, and the products at which they were taken."""
    mean = rows.mean(axis=0, dtype=np.float64)
    towards = (rows @ mean.astype(np.float32)).astype(np.float64)  # μ · x
    product = towards.copy()  # w · x, kept up to date instead of w
    taken, at = np.empty(count, np.int64), np.empty(count)
    free = np.ones(len(rows), bool)
    for place in range(count):
        best = int(np.argmax(np.where(free, product, -np.inf)))
        taken[place], at[place], free[best] = best, product[best], False
        product += towards - rows @ rows[best]
    return taken, at
