"""Scores of pairs beyond the cosine: the negative CLIP loss and the norm similarity (Wang et al., 2024)."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from scar.common.randomness import generator
from scar.common.types import Floats32
from scar.common.vectors import unit_rows
from scar.reduction.pair_score import Scores, pair_score

_ROUNDS = 10
"""Divisions into batches over which the loss of a pair is averaged."""


def negative_clip_loss(image: Floats32, text: Floats32, *, temperature: float, batch_size: int, seed: int) -> Scores:
    """Return [N] the negative CLIP loss of every pair, averaged over random batches (Wang et al., 2024, Eq. 2).

    The cosine of a pair, less what its image and its caption are to the others of a batch:
    ``cos_ii − τ/2 (log Σ_j exp(cos_ij / τ) + log Σ_j exp(cos_ji / τ))``.

    Args:
        image: [N, D] embeddings in a joint space.
        text: [N, D].
        temperature: τ, learned with the embeddings.
        batch_size: pairs of a batch, as in training.
        seed: of the batches.

    Raises:
        ValueError: shapes differ, values that are not finite, a temperature or batch size that is not positive.
    """
    if not temperature > 0 or batch_size < 1:
        raise ValueError(f"temperature={temperature} must be above 0 and batch_size={batch_size} at least 1")
    cosine = pair_score(image, text)
    images, texts = unit_rows(image), unit_rows(text)
    count = len(cosine)
    parts, total = max(1, round(count / batch_size)), np.zeros(count)
    for turn in range(_ROUNDS):
        for rows in np.array_split(generator(seed, "clip loss batches", turn).permutation(count), parts):
            logits = (images[rows] @ texts[rows].T).astype(np.float64) / temperature
            total[rows] += logsumexp(logits, axis=1) + logsumexp(logits, axis=0)
    return np.asarray(cosine - temperature / 2 * total / _ROUNDS)


def norm_similarity(image: Floats32, target: Floats32, *, order: float = np.inf) -> Scores:
    """Return [N] the norm of the cosines of each image to those of a target task (Wang et al., 2024, Eq. 4).

    Args:
        image: [N, D] embeddings.
        target: [M, D] embeddings of images of the task.
        order: of the norm: infinity takes the nearest target, 2 all of them.

    Raises:
        ValueError: there is no target, or another dimension.
    """
    if not len(target) or image.shape[1] != target.shape[1]:
        raise ValueError(f"target has the shape {target.shape}; it needs a row and {image.shape[1]} columns")
    return np.asarray(np.linalg.norm(unit_rows(image) @ unit_rows(target).T, ord=order, axis=1), np.float64)
