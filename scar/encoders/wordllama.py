"""WordLlama: static vectors of the tokens of Llama 2, 256 numbers per text, from a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from scar.common.vectors import unit_rows
from scar.encoders.encoder import Embed, Encoder, existing, packaged_folder


@dataclass(frozen=True, kw_only=True)
class WordLlama(Encoder):
    """The mean of the vectors of a text's tokens, read without the package's own loader.

    Attributes:
        normalize: scale embeddings to length 1.
        folder: of the two files; None for those of the package.
    """

    name: str = "wordllama"
    modality: str = "text"
    normalize: bool = False
    batch_size: int = field(default=1024, metadata={"runtime": True})
    folder: str | None = field(default=None, metadata={"runtime": True})

    def weights(self) -> list[Path]:
        """Return the vectors and the tokenizer."""
        if self.folder is not None:
            folder = Path(self.folder).expanduser()
            return existing(folder, ["l2_supercat_256.safetensors", "l2_supercat_tokenizer_config.json"])
        folder = packaged_folder("wordllama", "wordllama")
        return existing(folder, ["weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"])

    def open(self) -> Embed:
        """Read the vectors and the tokenizer."""
        vector_file, tokenizer_file = self.weights()
        vectors = load_file(vector_file)["embedding.weight"].astype(np.float32)
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        tokenizer.no_padding()
        tokenizer.no_truncation()

        def embed(texts: Sequence[Any]) -> NDArray[np.float32]:
            encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
            means = mean_of_vectors(vectors, [each.ids for each in encoded])
            return unit_rows(means, copy=False, zero_length=np.nan) if self.normalize else means

        return embed


def mean_of_vectors(vectors: NDArray[np.float32], tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Return [B, D] the mean vector of each list of tokens; NaN for an empty list, which has no mean."""
    means = np.full((len(tokens), vectors.shape[1]), np.nan, np.float32)
    for row, ids in enumerate(tokens):
        if ids:
            means[row] = vectors[ids].mean(axis=0)
    return means
