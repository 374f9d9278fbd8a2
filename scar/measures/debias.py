"""What the coverage of a truly normal sample would be, and the coverage deficit beyond it.

A histogram of 100 bins differs from a normal density by chance alone: for a normal sample of n logits the expectation of
n · (1 - C) is 7.7, 15.2, 20.6 and about 18.6 at n = 10, 30, 100 and from 1000 on. That expectation depends on n and on the bins
only (the statistic ignores mean and standard deviation), so it is simulated once and subtracted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.measures.coverage import step_coverage
from scar.measures.steps import check_histogram
from scar.randomness import generator

Floats = NDArray[np.float64]

MIN_TRUE_POSITIVES = 10
"""Fewest true positives for which the expectation is tabulated."""
SIZES = np.rint(10.0 ** np.linspace(1.0, 6.0, 51)).astype(np.int64)
"""Sample sizes of the table, ten per decade from 10 to 1 000 000."""
NORMALS_PER_CALL = 2_000_000
"""Random numbers held at once by the simulation."""
BINS = 100
"""Bins of the committed table."""


def coverage_deficit(coverage: ArrayLike, true_positives: ArrayLike, *, bins: int = BINS) -> tuple[Floats, Floats]:
    """Return how much coverage is missing beyond what chance takes from a normal sample of that size.

    ``(1 - C) - E[1 - C of n draws from N(0, 1)]``. It is not floored: for normal logits it is as often negative as
    positive. Whoever takes its logarithm has to floor it and say so.

    Args:
        coverage: any shape; NaN where undefined.
        true_positives: same shape, the number n of logits behind each coverage.
        bins: histogram bins of the coverage. 100 are tabulated; the table of any other number is simulated once per
            process, in some seconds and more coarsely, which the standard error includes.

    Returns:
        deficit, and its standard error for a normal sample, both of that shape. NaN where the coverage is undefined or
        n < 10. Above n = 1 000 000 the expectation of n · (1 - C) is taken to stay as it is there.

    Raises:
        ValueError: shapes that differ, a coverage outside [0, 1], a negative count, or fewer than 2 bins.
    """
    values, counts = np.asarray(coverage, dtype=np.float64), np.asarray(true_positives)
    check_histogram(bins, 1)
    if values.shape != counts.shape or values.size == 0:
        raise ValueError(f"true_positives has shape {counts.shape} and coverage {values.shape}: same, not empty")
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"coverage spans [{np.nanmin(values)}, {np.nanmax(values)}]; it lies in [0, 1]")
    if not (counts >= 0).all():
        raise ValueError("true_positives holds a negative or undefined count")
    n = np.maximum(counts, MIN_TRUE_POSITIVES).astype(np.float64)
    expected, deviation = (_interpolate(column, n) / n for column in _table(bins))
    known = (counts >= MIN_TRUE_POSITIVES) & ~np.isnan(values)
    return np.where(known, 1.0 - values - expected, np.nan), np.where(known, deviation, np.nan)


def null_moments(size: int, draws: int, *, bins: int = BINS, seed: int = 0) -> tuple[float, float]:
    """Return mean and standard deviation of n · (1 - C) over seeded samples of n normal draws.

    Args:
        size: sample size n.
        draws: number of samples.
        bins: histogram bins.
        seed: of the simulation.
    """
    random = generator(seed, "coverage_debias", size, bins)
    scores = []
    for start in range(0, draws, per_call := max(1, NORMALS_PER_CALL // size)):
        batch = min(per_call, draws - start)
        labels = np.repeat(np.arange(batch), size)
        coverage, _ = step_coverage(
            random.standard_normal(batch * size), labels, num_steps=batch, bins=bins, min_count=2
        )
        scores.append(size * (1.0 - coverage))
    pooled = np.concatenate(scores)
    return float(pooled.mean()), float(pooled.std(ddof=1))


def null_table(bins: int = BINS, *, normals: int = 1_000_000, least_draws: int = 8) -> tuple[Floats, Floats]:
    """Return the expectation and the standard error of n · (1 - C) at every size of `SIZES`.

    The standard error is that of one coverage, widened by the error of the simulated expectation. The committed table is
    ``null_table(100, normals=400_000_000, least_draws=400)`` with at most 200 000 draws per size.

    Args:
        bins: histogram bins.
        normals: random numbers to spend on each size.
        least_draws: samples of each size at least.
    """
    draws = np.clip(normals // SIZES, least_draws, 200_000)
    moments = np.array([null_moments(int(n), int(m), bins=bins) for n, m in zip(SIZES, draws, strict=True)])
    return moments[:, 0], moments[:, 1] * np.sqrt(1.0 + 1.0 / draws)


EXPECTED: tuple[float, ...] = ()
DEVIATION: tuple[float, ...] = ()


@lru_cache(maxsize=8)
def _table(bins: int) -> tuple[Floats, Floats]:
    if bins == BINS:
        return np.array(EXPECTED), np.array(DEVIATION)
    return null_table(bins)


def _interpolate(column: Floats, n: Floats) -> Floats:
    """Return the column of the table at sizes n, by the cubic through the four nearest points in log n."""
    knots = np.log(SIZES)
    x = np.log(np.minimum(n, SIZES[-1]))
    first = np.clip(np.searchsorted(knots, x, side="right") - 2, 0, len(knots) - 4)
    nodes = first[..., None] + np.arange(4)
    distance = x[..., None] - knots[nodes]
    gaps = knots[nodes][..., :, None] - knots[nodes][..., None, :]
    same = np.eye(4, dtype=bool)
    factors = np.where(same, 1.0, distance[..., None, :] / np.where(same, 1.0, gaps))
    value: Floats = (column[nodes] * factors.prod(axis=-1)).sum(axis=-1)
    return value
