"""Semantic de-duplication: near duplicates come last (after SemDeDup; Abbas et al., 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.common.vectors import unit_rows
from scar.completion.selection._memory_needs import CHUNK_BYTES
from scar.completion.selection._similarities import APPROXIMATE_FROM, largest, largest_earlier, nearest
from scar.completion.selection.selection import Pool, Ranking, Selection, features_of, rank_classes


@dataclass(frozen=True, kw_only=True)
class SemanticDedupSelection(Selection):
    """The random order, with near duplicates moved to its end, the nearest last.

    A sample is a near duplicate if its cosine similarity to a sample of its class that is there already, or that
    comes before it in the random order, exceeds the threshold. The score is the largest such similarity. In classes
    of 50 000 samples or more neighbours are approximate: of each sample the 16 nearest are compared.

    Attributes:
        threshold: cosine similarity above which samples are near duplicates.
    """

    needs_features: ClassVar[bool] = True

    name: str = "semantic_dedup"
    threshold: float = 0.95

    def __post_init__(self) -> None:
        if not -1 < self.threshold <= 1:
            raise ValueError(f"selection.threshold={self.threshold} is a cosine similarity in (-1, 1]")

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        features = features_of(pool, self.name)

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            rows, anchors = unit_rows(features[members]), None
            if pool.anchors is not None and pool.anchor_classes is not None:
                anchors = unit_rows(pool.anchors[pool.anchor_classes == step])
            if len(rows) < APPROXIMATE_FROM:
                similar = largest_earlier(rows, anchors).astype(np.float64)
            else:
                similar = _largest_approximate(rows, anchors)
            picked = np.argsort(np.where(similar > self.threshold, similar, -2.0), kind="stable")
            return picked, similar[picked]

        return rank_classes(pool, counts, choose)

    def class_bytes(self, size: int, dimension: int, anchors: int) -> int:
        """Return the bytes of the rows of one class and of the chunks of similarities."""
        rows = 8 * (size + anchors) * dimension
        return rows + (3 * CHUNK_BYTES if size < APPROXIMATE_FROM else rows + 12 * 16 * size)


def _largest_approximate(rows: NDArray[np.float32], anchors: NDArray[np.float32] | None) -> NDArray[np.float64]:
    values, indices = nearest(rows, rows, 16)
    earlier = (indices >= 0) & (indices < np.arange(len(rows))[:, None])
    best = np.where(earlier, values, -1.0).max(axis=1).astype(np.float64)
    if anchors is not None and len(anchors):
        best = np.maximum(best, largest(rows, anchors))
    return np.asarray(best, dtype=np.float64)
