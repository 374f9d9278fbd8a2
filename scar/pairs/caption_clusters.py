"""From clusters of captions to one cluster per item (§4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.common.vectors import chunks
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.sampling.clusters import Clustering, nearest

_ITEMS = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class Votes:
    """What the captions of the items say.

    Attributes:
        labels: [N] cluster of most captions; among tied clusters the one nearest to the mean of the item's captions,
            which depends neither on the order of the captions nor on that of the clusters.
        tied: [N] whether several clusters had the most captions.
        agreement: [N] share of the item's captions in its cluster; 1 for a single caption.
    """

    labels: Ints
    tied: NDArray[np.bool_]
    agreement: NDArray[np.float64]


def vote(embeddings: EmbeddingSet, clustering: Clustering) -> Votes:
    """Assign every caption to its nearest cluster and let the captions of an item vote; a single one decides."""
    k, n = len(clustering.centroids), len(embeddings)
    labels, tied, agreement = np.empty(n, np.int64), np.empty(n, bool), np.empty(n)
    for part in chunks(n, _ITEMS):
        items = np.arange(part.start, part.stop)
        rows, owners = embeddings.captions(items)
        counts = np.zeros((len(items), k), np.int64)
        np.add.at(counts, (owners - part.start, clustering.assign(rows)), 1)
        most = counts.max(axis=1)
        leading = counts == most[:, None]
        labels[part], tied[part] = counts.argmax(axis=1), leading.sum(axis=1) > 1
        agreement[part] = most / counts.sum(axis=1)
        for item in np.flatnonzero(tied[part]):
            choices = np.flatnonzero(leading[item])
            mean = embeddings.take(items[item : item + 1])
            labels[part.start + item] = choices[
                nearest(mean, clustering.centroids[choices], cosine=clustering.cosine)[0]
            ][0]
    return Votes(labels=labels, tied=tied, agreement=agreement)
