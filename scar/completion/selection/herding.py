"""Herding: keep the mean of what is taken near the mean of the class (Welling, 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints
from scar.common.vectors import unit_rows
from scar.completion.selection.selection import Pool, Ranking, Selection, features_of, rank_classes


@dataclass(frozen=True, kw_only=True)
class HerdingSelection(Selection):
    """Take the samples whose running mean follows the mean of their class in the pool.

    On embeddings of length 1: with ``w_0 = μ`` the sample of the largest ``w · x`` is taken and ``w += μ - x``. The
    score is that product.
    """

    needs_features: ClassVar[bool] = True

    name: str = "herding"

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            return herd(unit_rows(features[members]), count)

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class and two vectors over them."""
        return 8 * size * dimension + 16 * size


def herd(rows: Floats32, count: int) -> tuple[Ints, NDArray[np.float64]]:
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
