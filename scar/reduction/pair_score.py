"""How well a caption fits its image: scores, what they tell, and a filter."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from scar.common.types import Floats32
from scar.data.checks import validate_embeddings

Scores = NDArray[np.float64]


def pair_score(image: Floats32, text: Floats32) -> Scores:
    """Return the cosine [N] of each image [N, D] and its caption [N, D] in a joint space.

    It stands in place of the paper's score, the probability of an image-text matching head. A row of zeros scores 0.

    Raises:
        ValueError: the two have different shapes, or hold values that are not finite.
    """
    images = validate_embeddings(image, name="image embeddings")
    texts = validate_embeddings(text, name="text embeddings")
    if images.shape != texts.shape:
        raise ValueError(
            f"image embeddings have the shape {images.shape}, text embeddings {texts.shape}; a pair score needs one joint "
            "space and one caption per image"
        )
    product = np.einsum("nd,nd->n", images, texts, dtype=np.float64)
    lengths = np.linalg.norm(images.astype(np.float64), axis=1) * np.linalg.norm(texts.astype(np.float64), axis=1)
    return np.asarray(product / np.where(lengths > 0, lengths, 1.0), dtype=np.float64)


def filter_pairs(
    scores: ArrayLike, *, share: float = 0.0, threshold: float | None = None, ids: ArrayLike | None = None
) -> NDArray[np.bool_]:
    """Return [N] whether a pair stays.

    Args:
        scores: [N].
        share: of the pairs, those with the lowest scores, that are left out: exactly ``round(share · N)``. Of equal
            scores the first id goes first.
        threshold: score below which pairs are left out, in place of a share.
        ids: [N] that break ties; None takes the positions.

    Raises:
        ValueError: both a share and a threshold, a share outside [0, 1), a score that is not finite, nothing is left.
    """
    values = _finite(scores)
    if not 0 <= share < 1:
        raise ValueError(f"reduction.pair_filter_share={share} must be a share in [0, 1)")
    if share and threshold is not None:
        raise ValueError(f"share={share} and threshold={threshold} both filter; give one of them")
    if threshold is not None:
        stays = values >= threshold
        if not stays.any():
            raise ValueError(
                f"reduction.pair_threshold={threshold} leaves no pair: the highest score is {values.max():.4g}; lower it"
            )
        return np.asarray(stays)
    names = np.arange(len(values)) if ids is None else np.asarray(ids)
    stays = np.ones(len(values), bool)
    stays[np.lexsort((names, values))[: round(share * len(values))]] = False
    return stays


def mismatch_auroc(scores: ArrayLike, mismatched: ArrayLike) -> float:
    """Return how well a low score tells mismatched pairs from the others: 1 if it always does, 0.5 by chance.

    Args:
        scores: [N].
        mismatched: [N] which pairs are known to be mismatched.

    Raises:
        ValueError: all pairs are mismatched, or none is.
    """
    wrong = np.asarray(mismatched, bool)
    if wrong.all() or not wrong.any():
        raise ValueError(f"{int(wrong.sum())} of {len(wrong)} pairs are mismatched; an AUROC needs both kinds")
    return float(roc_auc_score(wrong, -_finite(scores)))


def _finite(scores: ArrayLike) -> Scores:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"scores have the shape {values.shape}; one score per pair is needed, [N] with N ≥ 1")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"scores[{row}]={values[row]} is no finite number; score that pair again or leave it out")
    return values
