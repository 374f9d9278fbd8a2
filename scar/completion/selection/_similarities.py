"""Cosine similarities in chunks, so that no similarity matrix of a whole class is ever held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints
from scar.completion.selection._memory_needs import chunk_rows

APPROXIMATE_FROM = 50_000
"""Samples of a class from which on neighbours come from an approximate index (faiss)."""
PROBED = 16
"""Cells of that index that are searched."""


def nearest(queries: Floats32, base: Floats32, count: int) -> tuple[NDArray[np.float32], Ints]:
    """Return the similarities and indices [n, count] of the nearest rows of `base`, most similar first.

    Args:
        queries: [n, D] rows of length 1.
        base: [r, D] rows of length 1.
        count: neighbours, at most r. Beyond `APPROXIMATE_FROM` rows they are approximate.
    """
    if len(base) >= APPROXIMATE_FROM:
        return _nearest_approximate(queries, base, count)
    values = np.empty((len(queries), count), np.float32)
    indices = np.empty((len(queries), count), np.int64)
    step = chunk_rows(len(base))
    for start in range(0, len(queries), step):
        similar = queries[start : start + step] @ base.T
        top = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        best = np.take_along_axis(similar, top, axis=1)
        order = np.lexsort((top, -best), axis=1)
        values[start : start + step] = np.take_along_axis(best, order, axis=1)
        indices[start : start + step] = np.take_along_axis(top, order, axis=1)
    return values, indices


def largest(queries: Floats32, base: Floats32) -> NDArray[np.float32]:
    """Return [n] the similarity of each query to its nearest row of `base`; -1 where that is empty."""
    best = np.full(len(queries), -1.0, np.float32)
    step = chunk_rows(len(base))
    for start in range(0, len(queries) if len(base) else 0, step):
        best[start : start + step] = (queries[start : start + step] @ base.T).max(axis=1)
    return best


def largest_earlier(rows: Floats32, anchors: Floats32 | None) -> NDArray[np.float32]:
    """Return [n] the largest similarity of each row to an anchor or to a row before it; -1 where there is neither."""
    best = np.full(len(rows), -1.0, np.float32) if anchors is None else largest(rows, anchors)
    step = chunk_rows(len(rows))
    for start in range(0, len(rows), step):
        here = rows[start : start + step]
        before = here @ rows[: start + len(here)].T
        before[np.arange(before.shape[1])[None, :] >= start + np.arange(len(here))[:, None]] = -1.0
        best[start : start + step] = np.maximum(best[start : start + step], before.max(axis=1))
    return best


def _nearest_approximate(queries: Floats32, base: Floats32, count: int) -> tuple[NDArray[np.float32], Ints]:
    import faiss

    cells = int(np.sqrt(len(base)))
    quantizer = faiss.IndexFlatIP(base.shape[1])
    index = faiss.IndexIVFFlat(quantizer, base.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.train(np.ascontiguousarray(base[: 64 * cells]))
    index.add(np.ascontiguousarray(base))
    index.nprobe = PROBED
    values, indices = index.search(np.ascontiguousarray(queries), count)
    return values, indices.astype(np.int64)
