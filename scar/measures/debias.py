"""What the coverage of a truly normal sample would be, and the coverage deficit beyond it.

A histogram of 100 bins differs from a normal density by chance alone: for a normal sample of n logits the
expectation of n · (1 - C) is 7.7, 15.4, 20.5 and 19.0 at n = 10, 30, 100 and 1000. It depends on n and on the
bins only (the statistic ignores mean and standard deviation), so it is simulated once and subtracted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from scar.common.randomness import generator
from scar.common.types import Floats
from scar.measures.coverage import step_coverage
from scar.measures.steps import check_histogram

MIN_TRUE_POSITIVES = 10
"""Fewest true positives for which the expectation is tabulated."""
SIZES = np.rint(10.0 ** np.linspace(1.0, 6.0, 51)).astype(np.int64)
"""Sample sizes of the table, ten per decade from 10 to 1 000 000."""
NORMALS_PER_CALL = 2_000_000
"""Random numbers held at once by the simulation."""
BINS = 100
"""Bins of the committed table."""
# fmt: off
EXPECTED = (
    7.6600, 9.2950, 10.7135, 12.3255, 13.9720, 15.7566, 17.2320, 18.5046, 19.5193, 20.1695, 20.5002,
    20.5626, 20.4323, 20.2103, 19.9632, 19.7469, 19.5638, 19.4001, 19.2584, 19.1580, 19.0585, 18.9580,
    18.8752, 18.7988, 18.7410, 18.6804, 18.6365, 18.5826, 18.5301, 18.5200, 18.4610, 18.4068, 18.3919,
    18.3595, 18.3573, 18.2788, 18.2564, 18.2765, 18.2662, 18.2373, 18.1813, 18.1741, 18.0253, 18.1558,
    18.1053, 18.1274, 18.1008, 17.9543, 17.9737, 18.1222, 18.1482,
)
"""Expectation of n · (1 - C) of a normal sample, at every size of `SIZES` and 100 bins."""
DEVIATION = (
    0.1938, 0.3066, 0.4289, 0.5964, 0.8087, 1.0894, 1.3742, 1.6915, 2.0218, 2.3151, 2.5592,
    2.7271, 2.8136, 2.8250, 2.7920, 2.7555, 2.7226, 2.6857, 2.6625, 2.6422, 2.6216, 2.6249,
    2.6051, 2.6004, 2.5953, 2.5902, 2.5775, 2.5779, 2.5587, 2.5786, 2.5715, 2.5718, 2.5618,
    2.5565, 2.5573, 2.5700, 2.5580, 2.5638, 2.5604, 2.5488, 2.5883, 2.5066, 2.5482, 2.4987,
    2.4721, 2.5967, 2.5694, 2.5067, 2.6050, 2.5774, 2.4626,
)
"""Standard error of n · (1 - C) of one normal sample, likewise."""
# fmt: on


def coverage_deficit(coverage: ArrayLike, true_positives: ArrayLike, *, bins: int = BINS) -> tuple[Floats, Floats]:
    """Return how much coverage is missing beyond what chance takes from a normal sample of that size.

    ``(1 - C) - E[1 - C of n draws from N(0, 1)]``. It is not floored: for normal logits it is as often
    negative as positive, so that its logarithm needs a floor.

    Args:
        coverage: any shape; NaN where undefined.
        true_positives: same shape, the number n of logits behind each coverage.
        bins: histogram bins of the coverage. 100 are tabulated; the table of any other number is simulated
            once per process, in some seconds and more coarsely, which the standard error includes.

    Returns:
        deficit, and its standard error for a normal sample, both of that shape. NaN where the coverage is
        undefined or n < 10. Above n = 1 000 000 the expectation of n · (1 - C) is taken to stay as it is
        there.

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

    The standard error is that of one coverage, widened by the error of the simulated expectation. The
    committed table is ``null_table(100, normals=400_000_000, least_draws=400)`` with at most 200 000 draws
    per size.

    Args:
        bins: histogram bins.
        normals: random numbers to spend on each size.
        least_draws: samples of each size at least.
    """
    draws = np.clip(normals // SIZES, least_draws, 200_000)
    moments = np.array([null_moments(int(n), int(m), bins=bins) for n, m in zip(SIZES, draws, strict=True)])
    return moments[:, 0], moments[:, 1] * np.sqrt(1.0 + 1.0 / draws)


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
