"""Embeddings that are there already: the vectors of the dataset, unchanged or scaled to length 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders.encoder import Embed, Encoder


@dataclass(frozen=True, kw_only=True)
class Precomputed(Encoder):
    """Passes on the vectors of ``dataset=embeddings_file``; there are no weights.

    Attributes:
        normalize: scale each vector to length 1.
    """

    name: str = "precomputed"
    modality: str = "embedding"
    batch_size: int = field(default=8192, metadata={"runtime": True})
    normalize: bool = False

    def weights(self) -> list[Path]:
        """Return no files: there are no weights."""
        return []

    def open(self) -> Embed:
        """Return the function that stacks the vectors of a batch."""

        def embed(vectors: Sequence[Any]) -> NDArray[np.float32]:
            sizes = {np.shape(vector) for vector in vectors}
            if len(sizes) != 1 or len(next(iter(sizes))) != 1:
                raise ValueError(f"encoder={self.name} needs vectors of one length, got the shapes {sorted(sizes)}")
            matrix = np.stack([np.asarray(vector, np.float32) for vector in vectors])
            if not self.normalize:
                return matrix
            lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
            if not lengths.all():
                raise ValueError(
                    f"encoder={self.name}: a vector of zeros has no direction; use encoder.normalize=false"
                )
            scaled: NDArray[np.float32] = (matrix / lengths).astype(np.float32)
            return scaled

        return embed
