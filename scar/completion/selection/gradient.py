"""Gradient: what would change a linear probe the most first (the TL;DR paper, Table 2b; Paul et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints
from scar.common.vectors import unit_rows
from scar.completion.selection._memory_needs import chunk_rows
from scar.completion.selection.selection import Pool, Ranking, Selection, features_of, rank_classes
from scar.probes.probe_set import ProbeSet


@dataclass(frozen=True, kw_only=True)
class GradientSelection(Selection):
    """Within a class, the largest gradient first; the score is its norm.

    Attributes:
        largest_first: False takes first what changes the probe least.
    """

    needs_features: ClassVar[bool] = True
    needs_gradients: ClassVar[bool] = True

    name: str = "gradient"
    largest_first: bool = True

    def rank(self, pool: Pool, counts: Ints) -> Ranking:
        """Rank class by class."""
        norms = pool.gradients
        if norms is None:
            raise ValueError(f"selection={self.name} reads the gradients of a probe, but the pool has none")
        towards = -1.0 if self.largest_first else 1.0

        def choose(members: Ints, step: int, count: int) -> tuple[Ints, NDArray[np.float64]]:
            picked = np.argsort(towards * norms[members], kind="stable")[:count]
            return picked, norms[members][picked]

        return rank_classes(pool, counts, choose)


def gradient_norms(
    probabilities: NDArray[np.float64], labels: Ints, features: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return [R] the norms of the gradients of a linear probe's cross-entropy.

    The gradient in weights and biases is ``(p - y) [x; 1]ᵀ``, whose Frobenius norm is ``‖p - y‖ · ‖[x; 1]‖``.

    Args:
        probabilities: [R, K] of the probe.
        labels: [R] class indices in 0..K-1.
        features: [R, D] that the probe reads.
    """
    p = np.asarray(probabilities, np.float64)
    rows = np.arange(len(p))
    # ‖p - y‖² = Σ p² - p_y² + (1 - p_y)², without a copy of p
    own = p[rows, labels]
    away = np.maximum(np.einsum("rk,rk->r", p, p) - own**2, 0.0) + (1.0 - own) ** 2
    x = np.asarray(features, np.float64)
    return np.asarray(np.sqrt(away * (1.0 + np.einsum("rd,rd->r", x, x))), dtype=np.float64)


def with_gradients(selection: Selection, pool: Pool, probe: ProbeSet | None) -> Pool:
    """Return the pool, for a selection that needs them with the gradients of the first probe at the pool's classes."""
    if not selection.needs_gradients or probe is None:
        return pool
    features = features_of(pool, selection.name)
    norms = np.empty(len(features))
    step = chunk_rows(2 * features.shape[1] + 4 * probe.biases.shape[1])
    for start in range(0, len(features), step):
        part = slice(start, start + step)
        norms[part] = _norms(probe, features[part], pool.classes[part])
    return replace(pool, gradients=norms)


def _norms(probe: ProbeSet, features: Floats32, classes: Ints) -> NDArray[np.float64]:
    logits = probe.logits(0, features).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    seen = unit_rows(features) if probe.unit_norm else features
    return gradient_norms(powers / powers.sum(axis=1, keepdims=True), classes, seen)
