"""Term weights reduced to a few dimensions (latent semantic analysis), learned from the training part of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._learned import Learned, LearningEncoder, drawn, require_positive
from scar.encoders.encoder import Embed


@dataclass(frozen=True, kw_only=True)
class TfidfSvd(LearningEncoder):
    """Words and pairs of words by tf-idf, then a truncated singular value decomposition.

    It has no weights: the vocabulary, the document frequencies and the directions come from the texts of the training
    part of the source, without labels. No text of the test part is seen; those of the primary set, the reserve, the
    validation and the held-out part are, so that one extraction serves every seed. A text without a known word is zero.

    Attributes:
        dimension: singular vectors to keep, fewer where the vocabulary is smaller.
        words: longest sequence of words that is a term.
        min_texts: texts that a term must occur in.
        max_terms: most frequent terms to keep.
    """

    name: str = "tfidf"
    modality: str = "text"
    dimension: int = 256
    words: int = 2
    min_texts: int = 2
    max_terms: int = 50_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "dimension", "words", "min_texts", "max_terms")

    def fit(self, payloads: Sequence[Any]) -> Embed:
        """Learn terms, their weights and the directions from texts.

        Raises:
            ValueError: no term occurs in `min_texts` texts.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        terms = TfidfVectorizer(
            ngram_range=(1, self.words),
            min_df=self.min_texts,
            max_features=self.max_terms,
            sublinear_tf=True,
            dtype=np.float32,
        )
        try:
            matrix = terms.fit_transform(drawn(payloads, self.fit_samples, self.seed))
        except ValueError as error:
            raise ValueError(f"encoder={self.name}: {error}; lower encoder.min_texts={self.min_texts}") from error
        kept = min(self.dimension, min(matrix.shape) - 1)
        if kept < 1:
            raise ValueError(f"encoder={self.name} found {matrix.shape[1]} terms in {matrix.shape[0]} texts: too few")
        reduction = TruncatedSVD(kept, random_state=self.seed).fit(matrix)

        def embed(texts: Sequence[Any]) -> NDArray[np.float32]:
            return np.asarray(terms.transform(texts) @ reduction.components_.T, dtype=np.float32)

        return Learned(embed, parameters=reduction.components_.size + len(terms.idf_))
