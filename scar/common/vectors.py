"""FloatRows of embeddings: scaled to length 1, and read a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from scar.common.types import Floats, Floats32

FloatRows = TypeVar("FloatRows", Floats, Floats32)

CHUNK = 1 << 14
"""FloatRows of a chunk."""


def chunks(length: int, size: int = CHUNK) -> Iterator[slice]:
    """Yield slices that cover 0..length."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def unit_rows(rows: FloatRows, *, copy: bool = True, zero_length: float = 1.0) -> FloatRows:
    """Return the rows [n, D] scaled to length 1, in their own precision, in place without `copy`.

    Args:
        rows: [n, D].
        copy: False overwrites the rows.
        zero_length: what a row of zeros is divided by: 1 leaves it as it is, NaN makes it undefined.
    """
    scaled = np.array(rows, order="C") if copy else rows
    for part in chunks(len(scaled)):
        lengths = np.linalg.norm(scaled[part], axis=1, keepdims=True)
        scaled[part] /= np.where(lengths > 0, lengths, zero_length)
    return scaled
