"""The nearest samples of every sample, with memory that is planned and said beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32
from scar.common.vectors import unit_rows
from scar.completion.selection._memory_needs import CHUNK_BYTES
from scar.completion.selection._similarities import APPROXIMATE_FROM, nearest

BLOCK = 8192
"""Samples that are normalised and searched at once."""
TRAINED = 64
"""Samples per cell that the cells are fitted on."""
ITERATIONS = 10
"""Of the k-means that fits the cells."""
PROBED = 16
"""Cells that are searched."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest samples of every sample but itself, most similar first.

    Attributes:
        similarity: [N, k] cosine of the centred embeddings; -1 where fewer were found.
        index: [N, k] positions; -1 where fewer were found.
    """

    similarity: Floats32
    index: NDArray[np.int32]


def planned_bytes(samples: int, dimension: int, count: int) -> int:
    """Return the bytes that `find_neighbours` takes at most, above the embeddings themselves.

    Up to `APPROXIMATE_FROM` samples: the normalised rows and chunks of similarities. Beyond, the index holds half
    precision, its cells are fitted on a sample, and rows are normalised a block at a time.
    """
    answer = samples * (count + 1) * (4 + 8) + samples * count * 4
    if samples < APPROXIMATE_FROM:
        return answer + 4 * samples * dimension + 3 * CHUNK_BYTES
    cells = _cells(samples)
    index = samples * (2 * dimension + 8) * 5 // 4 + 4 * cells * dimension  # lists of a cell grow by doubling
    training = 2 * 4 * min(samples, TRAINED * cells) * dimension
    return answer + index + training + 4 * 4 * BLOCK * dimension + (1 << 28)


def find_neighbours(features: Floats32, count: int) -> Neighbours:
    """Return the nearest samples by the cosine of centred embeddings; beyond 50 000 samples they are approximate.

    Args:
        features: [N, D]; may be memory-mapped.
        count: neighbours k of each sample, fewer where there are fewer samples.
    """
    centre = _mean(features)
    count = min(count, len(features) - 1)
    if len(features) < APPROXIMATE_FROM:
        rows = unit_rows(np.asarray(features, np.float32) - centre)
        found = nearest(rows, rows, count + 1)
        return _without_self(*found)
    return _approximate(features, centre, count)


def _approximate(features: Floats32, centre: Floats32, count: int) -> Neighbours:
    import faiss

    size, dimension = features.shape
    cells = _cells(size)
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dimension, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.niter = ITERATIONS
    step = max(size // (TRAINED * cells), 1)
    index.train(unit_rows(np.asarray(features[::step][: TRAINED * cells], np.float32) - centre))
    for start in range(0, size, BLOCK):
        index.add(unit_rows(features[start : start + BLOCK] - centre))
    index.nprobe = PROBED
    values, places = np.empty((size, count), np.float32), np.empty((size, count), np.int32)
    for start in range(0, size, BLOCK):
        block = slice(start, start + BLOCK)
        found = _without_self(*index.search(unit_rows(features[block] - centre), count + 1), first=start)
        values[block], places[block] = found.similarity, found.index
    return Neighbours(values, places)


def _without_self(values: Floats32, indices: NDArray[np.int64], *, first: int = 0) -> Neighbours:
    """Drop the sample itself from each row, or the last neighbour where it is not among its nearest."""
    own = indices == np.arange(first, first + len(indices))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(indices), indices.shape[1] - 1)
    return Neighbours(values[~own].reshape(shape).astype(np.float32), indices[~own].reshape(shape).astype(np.int32))


def _cells(samples: int) -> int:
    return int(4 * np.sqrt(samples))


def _mean(features: Floats32) -> Floats32:
    total = np.zeros(features.shape[1], np.float64)
    for start in range(0, len(features), BLOCK):
        total += features[start : start + BLOCK].sum(axis=0, dtype=np.float64)
    mean: Floats32 = (total / len(features)).astype(np.float32)
    return mean
