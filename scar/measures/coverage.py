"""Coverage of step functions: how near the logits of their true positives are to a normal distribution (§3.2.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PSEUDO_DENSITY = 1e-12
"""Added to both densities, so that an empty bin has a finite divergence."""
EDGE_TOLERANCE = 1e-9
"""Distance to a bin edge, in bins, below which a sample is compared with the edge itself."""


def step_coverage(
    logits: NDArray[np.floating], steps: Ints, *, num_steps: int, bins: int = 100, min_count: int = 30
) -> tuple[Floats, Bools]:
    """Return ``C_j = 1 - JSD₂(P_j ‖ G_j)`` of every step function (§3.2.2), all steps at once.

    P is the histogram of the step's logits between their own minimum and maximum (the bins of `numpy.histogram`), G the
    normal density with their mean and standard deviation (ddof = 1) at the bin centres. Both densities get 1e-12 and
    are normalised; JSD₂ is the Jensen-Shannon divergence in bits.

    Args:
        logits: [M] logits of the true positives of all steps.
        steps: [M] the step of each, 0..K-1.
        num_steps: K.
        bins: histogram bins.
        min_count: true positives that a defined coverage needs.

    Returns:
        [K] coverage, NaN where undefined, and [K] whether it is defined. It is not for fewer than `min_count` samples,
        nor for samples that are all equal or too close for the bins to be distinct floats.
    """
    values = np.asarray(logits, dtype=np.float64)
    counts = np.bincount(steps, minlength=num_steps)
    low, high = np.full(num_steps, np.inf), np.full(num_steps, -np.inf)
    np.minimum.at(low, steps, values)
    np.maximum.at(high, steps, values)
    filled = counts > 0
    low, high = np.where(filled, low, 0.0), np.where(filled, high, 0.0)
    width = (high - low) / bins
    defined = (counts >= max(min_count, 2)) & (width > 2.0 * np.spacing(high))
    coverage = np.full(num_steps, np.nan)
    if not defined.any():
        return coverage, defined
    if not defined[filled].all():
        kept = defined[steps]
        values, steps = values[kept], steps[kept]
    counts, width = np.where(defined, counts, 2), np.where(defined, width, 1.0)
    divergence = _divergence(values, steps, counts=counts, low=low, width=width, bins=bins)
    coverage[defined] = 1.0 - divergence[defined]
    return coverage, defined


def _divergence(values: Floats, steps: Ints, *, counts: Ints, low: Floats, width: Floats, bins: int) -> Floats:
    """Return [K] the divergence of each step; rows of steps without values are meaningless."""
    num_steps = len(counts)
    position = (values - low.take(steps)) / width.take(steps)  # in bins, 0..bins
    index = _bin_index(position, values, steps, low, width, bins)
    histogram = np.bincount(steps * bins + index, minlength=num_steps * bins).reshape(num_steps, bins)
    mean = np.bincount(steps, position, minlength=num_steps) / counts
    deviation = position - mean.take(steps)
    deviation *= deviation
    std = np.sqrt(np.bincount(steps, deviation, minlength=num_steps) / (counts - 1))
    std = np.where(std > 0, std, 1.0)  # of steps without values
    # The densities of the text, each multiplied by a constant of its step that the normalisation removes again: so
    # written, neither overflows for a narrow distribution.
    standardised = (np.arange(bins) + 0.5 - mean[:, None]) / std[:, None]
    pseudo = np.maximum(PSEUDO_DENSITY * width, np.finfo(np.float64).tiny)[:, None]
    normal = np.exp(-0.5 * standardised**2) + np.sqrt(2.0 * np.pi) * std[:, None] * pseudo
    density = histogram / counts[:, None] + pseudo
    return jensen_shannon(density, normal)


def _bin_index(position: Floats, values: Floats, steps: Ints, low: Floats, width: Floats, bins: int) -> Ints:
    """Return [M] bins as `numpy.histogram` assigns them: closed below, open above, the last one closed."""
    index = position.astype(np.int64)
    rounding = float((low / width).max() + bins) * 8.0 * np.finfo(np.float64).eps  # of an edge, in bins
    at_edge = np.flatnonzero(np.abs(position - np.rint(position)) <= EDGE_TOLERANCE + rounding)
    near, step = np.minimum(index[at_edge], bins - 1), steps[at_edge]
    value = values[at_edge]
    near -= value < near * width[step] + low[step]
    near += (value >= (near + 1) * width[step] + low[step]) & (near < bins - 1)
    index[at_edge] = near
    return index


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Return [K] the Jensen-Shannon divergence in bits of the rows of p and q [K, bins], normalised here.

    All entries must be positive.
    """
    p = p / p.sum(axis=1, keepdims=True)
    q = q / q.sum(axis=1, keepdims=True)
    log_mean = np.log2(0.5 * (p + q))
    divergence = 0.5 * (p * (np.log2(p) - log_mean) + q * (np.log2(q) - log_mean)).sum(axis=1)
    return np.clip(divergence, 0.0, 1.0)
