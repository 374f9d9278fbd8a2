"""Names that people can read for clusters: the words that their texts use more than the others do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scar.common.types import Ints


def typical_words(texts: Sequence[str], labels: Ints, k: int, count: int) -> tuple[str, ...]:
    """Return the most typical words of each cluster, by the mean TF-IDF of its texts less that of all texts.

    Args:
        texts: one per item; several captions are joined.
        labels: [n] cluster of every item.
        k: number of clusters.
        count: words per cluster.

    Returns:
        ``count`` words or fewer for each cluster, joined by a space; empty where its texts have none.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(stop_words="english", token_pattern=r"(?u)\b[^\W\d_]{2,}\b")
    try:
        weights = vectorizer.fit_transform(texts)
    except ValueError:  # no word in any text
        return ("",) * k
    words, overall = vectorizer.get_feature_names_out(), np.asarray(weights.mean(axis=0)).ravel()
    named = []
    for cluster in range(k):
        own = weights[np.flatnonzero(labels == cluster)]
        excess = np.asarray(own.mean(axis=0)).ravel() - overall if own.shape[0] else np.zeros(len(words))
        order = np.argsort(-excess, kind="stable")[:count]
        named.append(" ".join(str(words[i]) for i in order if excess[i] > 0))
    return tuple(named)


def step_names(words: Sequence[str]) -> tuple[str, ...]:
    """Return ``"3 flag country"``, or ``"cluster 3"`` where a cluster has no words."""
    return tuple(f"{index} {each}" if each else f"cluster {index}" for index, each in enumerate(words))
