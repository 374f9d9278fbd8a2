"""Random vectors for words: the control that every encoder of texts has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.encoders._learned import Learned, require_positive
from scar.encoders.encoder import Embed, Encoder

BUCKETS = 2**15
"""Words share a vector where their hashes meet."""


@dataclass(frozen=True, kw_only=True)
class RandomVectors(Encoder):
    """The mean of one random vector per word: which words a text has, and nothing of what they mean.

    A text without a word of two letters is zero.
    """

    name: str = "random_vectors"
    modality: str = "text"
    batch_size: int = field(default=1024, metadata={"runtime": True})
    dimension: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "dimension")

    def weights(self) -> list[Path]:
        """Return no files: the vectors follow from the seed."""
        return []

    def open(self) -> Embed:
        """Draw the vectors."""
        from sklearn.feature_extraction.text import HashingVectorizer

        words = HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm="l1", dtype=np.float32)
        shape = (BUCKETS, self.dimension)
        vectors = generator(self.seed, "random vectors").standard_normal(shape, dtype=np.float32)

        def embed(texts: Sequence[Any]) -> NDArray[np.float32]:
            return np.asarray(words.transform(texts) @ vectors, dtype=np.float32)

        return Learned(embed, parameters=vectors.size)
