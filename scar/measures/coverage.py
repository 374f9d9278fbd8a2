"""Coverage of step functions: how near to normal the logits of their true positives are (§3.2.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Bools, Floats, Ints

PSEUDO_DENSITY = 1e-12
"""Added to both densities, so that an empty bin has a finite divergence."""
EDGE_TOLERANCE = 1e-9
"""Distance to a bin edge, in bins, below which a sample is compared with the edge itself."""


def step_coverage(
    logits: NDArray[np.floating], steps: NDArray[np.integer], *, num_steps: int, bins: int = 100, min_count: int = 30
) -> tuple[Floats, Bools]:
    """Return ``C_j = 1 - JSD₂(P_j ‖ G_j)`` of every step function (§3.2.2), all steps at once.

    P is the histogram of the step's logits between their own minimum and maximum (the bins of
    `numpy.histogram`), G the normal density with their mean and standard deviation (ddof = 1) at the bin
    centres. Both densities get 1e-12 and are normalised; JSD₂ is the Jensen-Shannon divergence in bits.

    Args:
        logits: [M] logits of the true positives of all steps.
        steps: [M] the step of each, 0..K-1.
        num_steps: K.
        bins: histogram bins.
        min_count: true positives that a defined coverage needs.

    Returns:
        [K] coverage, NaN where undefined, and [K] whether it is defined. It is not for fewer than `min_count`
        samples, nor for samples that are all equal or too close for the bins to be distinct floats.
    """
    counts = np.bincount(steps, minlength=num_steps)
    values = np.asarray(logits, dtype=np.float64)[_order_by_step(steps, num_steps)]
    low, high = np.zeros(num_steps), np.zeros(num_steps)
    filled = np.flatnonzero(counts)
    if filled.size:
        starts = (np.cumsum(counts) - counts)[filled]
        low[filled], high[filled] = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    width = (high - low) / bins
    defined = (counts >= max(min_count, 2)) & (width > 2.0 * np.spacing(high))
    coverage = np.full(num_steps, np.nan)
    if defined.any():
        kept = values if defined[filled].all() else values[np.repeat(defined, counts)]
        divergence = _divergence(kept, counts[defined], low=low[defined], width=width[defined], bins=bins)
        coverage[defined] = 1.0 - divergence
    return coverage, defined


def _order_by_step(steps: NDArray[np.integer], num_steps: int) -> Ints:
    """Return the order that groups samples by step; for 16-bit keys NumPy's stable sort is a radix sort."""
    return np.argsort(steps.astype(np.uint16 if num_steps <= 1 << 16 else np.int64), kind="stable")


def _divergence(values: Floats, counts: Ints, *, low: Floats, width: Floats, bins: int) -> Floats:
    """Return [K] the divergence of each step, of values [M] grouped by step, ``counts`` [K] of each."""
    starts = np.cumsum(counts) - counts
    position = (values - np.repeat(low, counts)) / np.repeat(width, counts)  # in bins, 0..bins
    index = _bin_index(position, values, starts, low, width, bins)
    index += np.repeat(np.arange(len(counts)) * bins, counts)
    histogram = np.bincount(index, minlength=len(counts) * bins).reshape(-1, bins)
    mean = np.add.reduceat(position, starts) / counts
    deviation = position - np.repeat(mean, counts)
    deviation *= deviation
    std = np.sqrt(np.add.reduceat(deviation, starts) / (counts - 1))
    # The densities of the text, each multiplied by a constant of its step that the normalisation removes
    # again: so written, neither overflows for a narrow distribution.
    standardised = (np.arange(bins) + 0.5 - mean[:, None]) / std[:, None]
    pseudo = np.maximum(PSEUDO_DENSITY * width, np.finfo(np.float64).tiny)[:, None]
    normal = np.exp(-0.5 * standardised**2) + np.sqrt(2.0 * np.pi) * std[:, None] * pseudo
    density = histogram / counts[:, None] + pseudo
    return jensen_shannon(density, normal)


def _bin_index(position: Floats, values: Floats, starts: Ints, low: Floats, width: Floats, bins: int) -> Ints:
    """Return [M] bins as `numpy.histogram` assigns them: closed below, open above, the last one closed."""
    index = position.astype(np.int64)
    rounding = float((low / width).max() + bins) * 8.0 * np.finfo(np.float64).eps  # of an edge, in bins
    at_edge = np.flatnonzero(np.abs(position - np.rint(position)) <= EDGE_TOLERANCE + rounding)
    near, step = np.minimum(index[at_edge], bins - 1), np.searchsorted(starts, at_edge, side="right") - 1
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
    divergence: Floats = 0.5 * (p * (np.log2(p) - log_mean) + q * (np.log2(q) - log_mean)).sum(axis=1)
    return np.minimum(np.maximum(divergence, 0.0), 1.0)
