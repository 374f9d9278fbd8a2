"""Pairs whose two sides do not belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Floats
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.inspection.crossfit import assign_folds
from scar.pairs.retrieval import linear_map


def pair_agreement(
    towers: Mapping[str, EmbeddingSet], *, joint: bool, groups: NDArray[np.int64], folds: int, seed: int
) -> Floats:
    """Return [N] how well the two sides of each pair agree: a cosine, low where they do not belong together.

    In a joint space it is the cosine of the two embeddings. Independent encoders are joined by ridge regressions, both
    ways, that were fitted without the fold of the pair; their two cosines are averaged.

    Args:
        towers: embeddings of two modalities, aligned.
        joint: whether they share a space.
        groups: [N] pairs of one group are in one fold.
        folds: of the regressions.
        seed: of the folds.
    """
    one, two = (np.asarray(towers[name].array(), np.float32) for name in sorted(towers))
    if joint:
        return _cosine(one, two)
    fold = assign_folds(groups, folds, seed)
    agreement = np.zeros(len(one))
    for index in range(folds):
        here, rest = np.flatnonzero(fold == index), np.flatnonzero(fold != index)
        for way, (a, b) in enumerate(((one, two), (two, one))):
            weights, mean_a, mean_b = linear_map(a[rest], b[rest], generator(seed, "pair agreement", index, way))
            agreement[here] += 0.5 * _cosine((a[here] - mean_a) @ weights, b[here] - mean_b)
    return agreement


def _cosine(one: NDArray[Any], two: NDArray[Any]) -> Floats:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    products = (one.astype(np.float64) * two).sum(axis=1)
    cosine: Floats = np.divide(products, norms, out=np.zeros(len(one)), where=norms > 0)
    return cosine
