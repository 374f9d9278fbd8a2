"""What is clustered: an image by its codes (§3.2), or by an embedding."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer

from scar.common.types import Floats32
from scar.common.vectors import unit_rows
from scar.data.checks import validate_aligned, validate_embeddings
from scar.reduction.settings import FEATURES

_FLAT = 1e-9
"""Share of the largest variance below which a direction holds nothing but rounding."""


class CodesOf(Protocol):
    """What the captioner says of N images: `scar.reduction.codes.Codes`."""

    @property
    def indices(self) -> NDArray[np.integer]:
        """[N, L] code of every token."""

    @property
    def quantised_mean(self) -> Floats32:
        """[N, d] mean of the codes of an image."""

    @property
    def image_embeddings(self) -> Floats32:
        """[N, d] what the encoder makes of the image before it is quantised."""


def cluster_features(
    name: str,
    codes: CodesOf,
    image: Floats32 | None = None,
    text: Floats32 | None = None,
    *,
    ids: ArrayLike | None = None,
    components: int = 64,
    seed: int = 0,
) -> Floats32:
    """Return what pairs are clustered by.

    - ``"bag_of_codes"``: how often each code occurs, as TF-IDF with logarithmic counts, reduced by an SVD.
    - ``"mean_code"``: the mean of the codes.
    - ``"index_vector"``: as published, the indices themselves as numbers; whitened by PCA and scaled to length 1, since an
      index is a name and its size means nothing.
    - ``"image"``: `image`, or the captioner's own image embeddings.
    - ``"text"``: `text`.

    Args:
        name: one of these.
        codes: of N images.
        image: [N, D] embeddings of the images.
        text: [N, D] embeddings of the captions.
        ids: [N] unique; with them the result of a pair does not depend on the order of the pairs, not even in its last
            digit.
        components: dimensions at most of bags of codes and index vectors.
        seed: of the randomized SVD.

    Returns:
        [N, F] float32.

    Raises:
        ValueError: an unknown name, embeddings that are missing, of another length or not finite.
    """
    if name not in FEATURES:
        raise ValueError(f"reduction.features={name!r} is unknown; use one of {', '.join(FEATURES)}")
    if name in ("image", "text", "mean_code"):
        given = {"image": codes.image_embeddings if image is None else image, "text": text}
        rows = codes.quantised_mean if name == "mean_code" else given[name]
        if rows is None:
            raise ValueError("reduction.features='text' clusters embeddings of the captions, but none are given")
        validate_aligned(codes=codes.indices, **{f"{name}_embeddings": rows})
        return validate_embeddings(rows, name=f"{name}_embeddings")
    indices = np.asarray(codes.indices)
    if indices.ndim != 2 or not indices.size or indices.dtype.kind not in "iu" or indices.min() < 0:
        raise ValueError(
            f"indices of shape {indices.shape} and type {indices.dtype} must be codes [N, L] of at least 0"
        )
    order = np.arange(len(indices)) if ids is None else np.argsort(np.asarray(ids), kind="stable")
    make = _bag_of_codes if name == "bag_of_codes" else _index_vector
    made = make(indices[order], components, seed)
    features = np.empty_like(made)
    features[order] = made
    return features


def _bag_of_codes(indices: NDArray[np.integer], components: int, seed: int) -> Floats32:
    used, columns = np.unique(indices, return_inverse=True)
    rows = np.repeat(np.arange(len(indices)), indices.shape[1])
    ones = np.ones(indices.size)
    counts = csr_matrix((ones, (rows, columns.ravel())), shape=(len(indices), len(used)))
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    if min(weighted.shape) <= components:
        return np.asarray(weighted.todense(), dtype=np.float32)
    reduced = TruncatedSVD(components, random_state=seed).fit_transform(weighted)
    return np.asarray(reduced, dtype=np.float32)


def _index_vector(indices: NDArray[np.integer], components: int, seed: int) -> Floats32:
    """Return the whitened index vectors; those that are all alike become zeros [N, 1]."""
    values = indices.astype(np.float64)
    values -= values.mean(axis=0)
    variance, axes = np.linalg.eigh(values.T @ values / len(values))
    largest_first = np.argsort(-variance, kind="stable")[:components]
    kept = largest_first[variance[largest_first] > _FLAT * max(variance.max(), _FLAT)]
    if not len(kept):
        return np.zeros((len(indices), 1), np.float32)
    return unit_rows((values @ axes[:, kept] / np.sqrt(variance[kept])).astype(np.float32))
