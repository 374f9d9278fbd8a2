"""Decisions of a probe where the class mix is another than the one it was trained on.

A probe with logits ``z_j(x)``, trained at the class frequencies π, approximates ``log p(x | j) + log π_j`` up to a
constant. Where the mix is π′ it decides by ``argmax_j z_j − log π_j + log π′_j`` (Saerens et al. 2002, Menon et al.
2021): π′ uniform for balanced accuracy, the deployment mix for accuracy. Nothing is trained for it, so that what it gains
is no merit of added data. Where a sample carries any number of labels each is a decision of its own, positive where
``z_j − logit π_j + logit π′_j > 0``: π_j the share of the training samples that carry label j, π′_j that of the samples where
the probe is used, 1/2 for balanced accuracy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scar.common.types import Bools, Floats, Ints

CACHED = 1 << 18
# Shifted logits that are compared at once, so that they stay in the cache.


def smoothed_mix(counts: ArrayLike, prior: ArrayLike) -> Floats:
    """Return the class frequencies [K] of few samples, ``(c_j + α p_j) / (c + α)`` with ``α = K / 2``.

    Args:
        counts: [K] samples c_j by class, c of them together; all may be 0.
        prior: [K] a mix p, or counts that stand for one.
    """
    seen, towards = np.asarray(counts, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    strength = len(seen) / 2
    mixed: Floats = (seen + strength * towards / towards.sum()) / (seen.sum() + strength)
    return mixed


def matched_shift(trained: ArrayLike, mix: ArrayLike) -> Floats:
    """Return ``log π′_j − log π_j`` [K], which logits have to be shifted by; −∞ where either is 0.

    A class without training samples is never decided for, and neither is one that does not occur where it is used.

    Args:
        trained: [K] training samples of each class.
        mix: [K] shares π′ of each class where the probe is used; they need not sum to 1.
    """
    have, wanted = np.asarray(trained, dtype=np.float64), np.asarray(mix, dtype=np.float64)
    usable = (have > 0) & (wanted > 0)
    shift = np.full(len(have), -np.inf)
    np.log(np.divide(wanted, have, where=usable, out=np.ones_like(have)), where=usable, out=shift)
    shift[usable] += np.log(have.sum() / wanted.sum())
    return shift


def decide(logits: ArrayLike, shift: ArrayLike) -> Ints:
    """Return the classes [n] of the largest of the shifted logits [n, K]."""
    values, added = np.asarray(logits), np.asarray(shift, dtype=np.float64)
    classes: Ints = np.empty(len(values), dtype=np.int64)
    size = max(1, CACHED // values.shape[1])
    for start in range(0, len(values), size):
        part = slice(start, start + size)
        np.argmax(values[part] + added, axis=1, out=classes[part])
    return classes


def smoothed_shares(counts: ArrayLike, total: float, prior: ArrayLike) -> Floats:
    """Return the share [K] of the samples that carry each label, from few samples: ``(c_j + p_j) / (c + 1)``.

    It is `smoothed_mix` for a label and its absence, two classes.

    Args:
        counts: [K] samples c_j that carry the label.
        total: samples c; may be 0.
        prior: [K] shares p.
    """
    shares: Floats = (np.asarray(counts, dtype=np.float64) + np.asarray(prior, dtype=np.float64)) / (total + 1)
    return shares


def matched_label_shift(trained: ArrayLike, total: float, shares: ArrayLike) -> Floats:
    """Return ``logit π′_j − logit π_j`` [K], which the logits of labels have to be shifted by.

    A label that no training sample carries, or that does not occur where the probe is used, is never decided for (−∞);
    one that all of them carry always is (∞).

    Args:
        trained: [K] training samples that carry each label.
        total: training samples.
        shares: [K] shares π′ of the samples that carry each label where the probe is used.
    """
    have, wanted = np.asarray(trained, dtype=np.float64) / total, np.asarray(shares, dtype=np.float64)
    shift = np.where((have <= 0) | (wanted <= 0), -np.inf, np.inf)
    inner = (have > 0) & (have < 1) & (wanted > 0) & (wanted < 1)
    p, q = wanted[inner], have[inner]
    shift[inner] = np.log(p) - np.log1p(-p) - np.log(q) + np.log1p(-q)
    return shift


def decide_labels(logits: ArrayLike, shift: ArrayLike) -> Bools:
    """Return [n, K] whether each label is decided for, by the shifted logits [n, K] above 0."""
    return np.asarray(np.asarray(logits, dtype=np.float64) + np.asarray(shift) > 0)
