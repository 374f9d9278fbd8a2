"""The bound of Eq. 7 on the concept space of a step, and the samples that a concept size asks for (Eq. 2).

`growth` fits the bound, and `paper_text` puts both together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from scar.common.types import Floats
from scar.foundation.settings import check_positive

ROUNDING = 1e-9
"""How far outside [0, 1] a share may lie for having been averaged in floating point."""


def concept_bound(*, scale: ArrayLike, coverage: ArrayLike, authenticity: ArrayLike, richness: ArrayLike) -> Floats:
    """Return the right-hand side of Eq. 7, ``y = (1 - C) · exp(2 S (R - A)²)``.

    Args:
        scale: [R, K] (or [K]) share of the whole set, for R subset sizes and K step functions.
        coverage: same shape. A debiased coverage may exceed 1, which gives a negative bound.
        authenticity: same shape, in [0, 1].
        richness: same shape, in [0, 1].

    Returns:
        y of the same shape, dimensionless; NaN where a measure is NaN, that is, undefined.

    Raises:
        ValueError: an empty array, different shapes, an infinite value, or a share outside [0, 1].
    """
    named = {"scale": scale, "coverage": coverage, "authenticity": authenticity, "richness": richness}
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in named.items()}
    shape = arrays["scale"].shape
    for name, array in arrays.items():
        if array.shape != shape or array.ndim not in (1, 2) or array.size == 0:
            raise ValueError(f"{name} has shape {array.shape}, scale {shape}; all four must be [R, K] or [K] alike")
        if np.isinf(array).any():
            raise ValueError(f"{name} holds an infinite value; mark an undefined measure with NaN")
        if name != "coverage" and ((array < -ROUNDING) | (array > 1 + ROUNDING)).any():
            raise ValueError(f"{name} spans [{np.nanmin(array)}, {np.nanmax(array)}]; it is a share in [0, 1]")
    gap = arrays["richness"] - arrays["authenticity"]
    bound: Floats = (1.0 - arrays["coverage"]) * np.exp(2.0 * arrays["scale"] * gap**2)
    return bound


def reference_concept_sizes(bound: ArrayLike, factors: ArrayLike, *, rate: float = 1e-4) -> Floats:
    """Return the published concept sizes ``h_j = min_i y_ij / (1 - exp(-rate · x_i))``, ``x_i = 1 / r_i``.

    The published grid search of Eq. 7 always ends at its lowest growth rate, which is `rate`.

    Args:
        bound: [R, K] values of Eq. 7; NaN where undefined.
        factors: [R] down-sampling factors r ≥ 1 of the rows (not the fractions 1/r).
        rate: growth rate λ, per whole set.

    Returns:
        [K] concept sizes h; NaN for a step that is undefined at every factor.

    Raises:
        ValueError: an empty array, a shape that does not fit, a negative or infinite bound, a factor that is
            NaN or below 1, or a rate that is not positive.
    """
    y = np.asarray(bound, dtype=np.float64)
    r = np.asarray(factors, dtype=np.float64)
    if y.ndim != 2 or y.size == 0:
        raise ValueError(f"bound has shape {y.shape}; it must be [R, K] and not empty")
    if r.shape != y.shape[:1]:
        raise ValueError(f"factors has shape {r.shape}; bound {y.shape} needs {y.shape[:1]}")
    if not (np.isfinite(r) & (r >= 1)).all():
        raise ValueError(f"factors={r.tolist()} must be down-sampling factors r = 1, 2, 5, …, not fractions 1/r")
    if (y < 0).any() or np.isinf(y).any():
        raise ValueError("bound holds a negative or infinite value; Eq. 7 gives 1 - C ≥ 0 times a finite factor")
    check_positive(rate=rate)
    reach = -np.expm1(-rate / r)
    with np.errstate(over="ignore"):
        sizes = np.where(np.isnan(y), np.inf, y / reach[:, None]).min(axis=0)
    undefined = np.isnan(y).all(axis=0)
    if np.isinf(sizes[~undefined]).any():
        raise ValueError(f"bound / (1 - exp(-rate / r)) exceeds the range of floats at rate={rate}")
    return np.where(undefined, np.nan, sizes)


def step_foundation_size(concept_size: ArrayLike, *, epsilon: float = 0.01, delta: float = 0.01) -> Floats:
    """Return the Foundation Data Size of each step, the smallest n with ``h exp(-2 n ε²) ≤ δ`` (Eq. 2).

    Args:
        concept_size: [K] concept sizes h; NaN where undefined.
        epsilon: generalisation gap ε.
        delta: probability δ that the gap exceeds ε.

    Returns:
        [K] samples ``n = ln(h / δ) / (2 ε²)``, not rounded; 0 where h ≤ δ, because the bound holds without a
        sample; NaN where h is NaN.

    Raises:
        ValueError: an empty array, a negative or infinite h, or an ε or δ that is not positive.
    """
    h = check_concept_sizes(concept_size, epsilon=epsilon, delta=delta)
    logarithm = np.log(h, out=np.full_like(h, -np.inf), where=h > 0) - math.log(delta)
    return np.where(np.isnan(h), np.nan, np.maximum(logarithm, 0.0) / (2.0 * epsilon**2))


def check_concept_sizes(concept_size: ArrayLike, *, epsilon: float, delta: float) -> Floats:
    """Return concept sizes as a float array [K], or raise a ValueError that names the bad argument."""
    h = np.asarray(concept_size, dtype=np.float64)
    if h.ndim != 1 or h.size == 0:
        raise ValueError(f"concept_size has shape {h.shape}; it must be [K] and not empty")
    if (h < 0).any() or np.isinf(h).any():
        bad = np.flatnonzero((h < 0) | np.isinf(h))
        raise ValueError(f"concept_size holds a negative or infinite value for steps {bad[:10].tolist()}")
    check_positive(epsilon=epsilon, delta=delta)
    return h
