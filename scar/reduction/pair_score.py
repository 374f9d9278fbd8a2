"""How well a caption fits its image: scores, their distribution (Figure 7), and a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.data.checks import validate_aligned, validate_embeddings

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def pair_score(image: Floats, text: Floats) -> Scores:
    """Return the cosine [N] of each image [N, D] and its caption [N, D] in a joint space.

    The paper's matching score is the probability of an image-text matching head; `matching_score` takes one. The cosine
    stands in its place where a model has none. A row of zeros scores 0.

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


def matching_score(
    match: Callable[[Sequence[Any], Sequence[str]], ArrayLike],
    images: Sequence[Any],
    captions: Sequence[str],
    *,
    batch_size: int = 256,
) -> Scores:
    """Return the probability [N] that an image-text matching head gives to each pair.

    Args:
        match: from some images and their captions to the probabilities that they match.
        images: N of what `match` takes; sliced.
        captions: N, one per image.
        batch_size: pairs per call.

    Raises:
        ValueError: lengths differ, or `match` returns something that is no probability.
    """
    size = validate_aligned(images=images, captions=captions)
    scores = np.empty(size)
    for start in range(0, size, batch_size):
        part = slice(start, min(start + batch_size, size))
        found = np.asarray(match(images[part], captions[part]), np.float64)
        if found.shape != (part.stop - part.start,) or not np.all((found >= 0) & (found <= 1)):
            raise ValueError(
                f"the matching head returned {found.shape} values for {part.stop - part.start} pairs, or some outside "
                "[0, 1]; it has to return one probability per pair"
            )
        scores[part] = found
    return scores


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
    from sklearn.metrics import roc_auc_score

    wrong = np.asarray(mismatched, bool)
    if wrong.all() or not wrong.any():
        raise ValueError(f"{int(wrong.sum())} of {len(wrong)} pairs are mismatched; an AUROC needs both kinds")
    return float(roc_auc_score(wrong, -_finite(scores)))


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreDistribution:
    """Scores before and after a reduction, on one axis.

    Attributes:
        edges: [B + 1] of the bins.
        before: [B] share of the pairs in each bin.
        after: [B] the same.
        mean: before and after.
        quantiles: [2, Q] at `QUANTILES`, before and after.
        sizes: pairs before and after.
    """

    edges: Scores
    before: Scores
    after: Scores
    mean: tuple[float, float]
    quantiles: Scores
    sizes: tuple[int, int]


def score_distribution(before: ArrayLike, after: ArrayLike, *, bins: int = 40) -> ScoreDistribution:
    """Return the distributions of the scores of two sets of pairs, such as all pairs and the refined ones (Figure 7)."""
    first, second = _finite(before), _finite(after)
    both = np.concatenate([first, second])
    edges = np.histogram_bin_edges(both, bins=bins)
    shares = [np.histogram(each, edges)[0] / len(each) for each in (first, second)]
    return ScoreDistribution(
        edges=edges,
        before=shares[0],
        after=shares[1],
        mean=(float(first.mean()), float(second.mean())),
        quantiles=np.stack([np.quantile(each, QUANTILES) for each in (first, second)]),
        sizes=(len(first), len(second)),
    )


def _finite(scores: ArrayLike) -> Scores:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"scores have the shape {values.shape}; one score per pair is needed, [N] with N ≥ 1")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"scores[{row}]={values[row]} is no finite number; score that pair again or leave it out")
    return values
