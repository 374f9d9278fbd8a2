"""Generalisation gap of each step per subset size, with the covariance of its noise (Definition 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.measures.observations import Observations

Floats = NDArray[np.float64]

_UNSEEN = 1e6
"""Variance of a point that was not seen: it has no say in a fit."""
_ROUNDING = 1e-7
"""Least variance of a point, so that errors of zero leave the covariance invertible."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """Gaps at R sizes in ascending order for K steps.

    Attributes:
        sizes: [R] mean samples of the subsets of a factor.
        gap: [R, K] held-out minus training error, signed, averaged over the parts.
        common: [K, R, R] covariance of the noise that all sizes share, because they share the held-out
            samples and, in other parts, the training samples.
        own: [R, K] variance of the noise of each size alone, from the differences between its parts.
        heldout_error: [R] held-out error, averaged over the steps.
        defined: [K] whether the step was seen at the largest size and in the held-out part.
    """

    sizes: Floats
    gap: Floats
    common: Floats
    own: Floats
    heldout_error: Floats
    defined: NDArray[np.bool_]

    def without_largest(self, count: int) -> Gaps:
        """Leave out the largest sizes, to fit what can then be checked."""
        keep = slice(None, self.sizes.size - count)
        return Gaps(
            self.sizes[keep],
            self.gap[keep],
            self.common[:, keep, keep],
            self.own[keep],
            self.heldout_error[keep],
            self.defined,
        )

    def steps(self, chosen: NDArray[np.bool_]) -> Gaps:
        """Keep the chosen steps only."""
        return Gaps(
            self.sizes,
            self.gap[:, chosen],
            self.common[chosen],
            self.own[:, chosen],
            self.heldout_error,
            self.defined[chosen],
        )

    def mean(self) -> Gaps:
        """Average over the steps, whose noise is taken as independent: one step that stands for the set."""
        count = self.gap.shape[1]
        return Gaps(
            self.sizes,
            self.gap.mean(axis=1, keepdims=True),
            self.common.sum(axis=0, keepdims=True) / count**2,
            self.own.sum(axis=1, keepdims=True) / count**2,
            self.heldout_error,
            np.array([True]),
        )


def measure_gaps(observations: Observations, *, error: str) -> Gaps:
    """Measure the gap of every step at every size.

    The ``"balanced"`` error is the mean of the miss rate and the false-alarm rate, the ``"binary"`` error the
    share of wrong binary decisions.

    Raises:
        ValueError: no held-out counts.
    """
    misses, alarms, heldout_sizes = heldout_counts(observations)
    groups = [observations.factors == factor for factor in np.unique(observations.factors)]
    groups.sort(key=lambda rows: float(observations.sizes[rows].mean()))
    kinds = _error_kinds(observations, misses, alarms, heldout_sizes, error=error)
    sizes = np.array([observations.sizes[rows].mean() for rows in groups])
    parts = np.array([rows.sum() for rows in groups])
    shape = (sizes.size, observations.num_steps)
    gap, spread, scale = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    heldout, common = np.zeros(shape), np.zeros((shape[1], shape[0], shape[0]))
    seen = np.ones(shape, dtype=np.bool_)
    difference: Floats = np.zeros((len(observations.sizes), shape[1]))
    for kind in kinds:
        train, test = _rates(kind.train, kind.train_sizes), _rates(kind.test, kind.test_sizes)
        difference = difference + kind.weight * (test - train)
        train_mean, test_mean = _averages(train, groups), _averages(test, groups)
        units = _averages(kind.train_sizes, groups)
        seen &= units > 0
        gap += kind.weight * (test_mean - train_mean)
        heldout += kind.weight * test_mean
        common += kind.weight**2 * shared_covariance(test_mean, kind.test_sizes)
        common += kind.weight**2 * shared_covariance(train_mean, units[-1])
        noise = train_mean * (1.0 - train_mean) + test_mean * (1.0 - test_mean)
        scale += kind.weight**2 * noise / np.maximum(units, 1.0)
    for r, rows in enumerate(groups):
        spread[r] = difference[rows].var(axis=0, ddof=1) if parts[r] > 1 else 0.0
    own = _own_variance(spread, scale, parts)
    defined = seen[-1] & (heldout_sizes > 0) & (heldout_sizes < heldout_sizes.sum())
    chosen = defined if defined.any() else np.ones_like(defined)
    return Gaps(sizes, gap, common, np.where(seen, own, _UNSEEN), heldout[:, chosen].mean(axis=1), np.asarray(defined))


def heldout_counts(observations: Observations) -> tuple[Floats, Floats, Floats]:
    """Return held-out misses [P, K], false alarms [P, K] and class sizes [K] as floats.

    Raises:
        ValueError: naming the field that is missing, and the way out.
    """
    counts = []
    for name in ("heldout_misses", "heldout_false_alarms", "heldout_class_sizes"):
        value = getattr(observations, name)
        if value is None:
            raise ValueError(
                f"observations.{name} is None: this estimator needs a held-out part; cut one (any split but "
                "`reference` does) or leave the estimator out of foundation.estimators"
            )
        counts.append(np.asarray(value, dtype=np.float64))
    return counts[0], counts[1], counts[2]


def shared_covariance(rates: Floats, sizes: Floats) -> Floats:
    """Return the covariance [K, R, R] of error rates [R, K] counted on the same samples, `sizes` [K] of them.

    Errors nest: a sample that is wrong at the lower rate is taken to be wrong at the higher one, which
    gives ``p (1 - q) / n`` for p ≤ q. Half an error is added, so that no error is not taken for certainty.
    """
    smooth = (rates * sizes + 0.5) / (sizes + 1.0)
    low = np.minimum(smooth[:, None], smooth[None])
    high = np.maximum(smooth[:, None], smooth[None])
    return np.moveaxis(low * (1.0 - high) / np.maximum(sizes, 1.0), 2, 0)


@dataclass(frozen=True, eq=False)
class _ErrorKind:
    """Counts [P, K] of one kind of error, and the samples that could show it: [P, K], held out [K]."""

    weight: float
    train: Floats
    train_sizes: Floats
    test: Floats
    test_sizes: Floats


def _error_kinds(
    observations: Observations, misses: Floats, alarms: Floats, heldout_sizes: Floats, *, error: str
) -> list[_ErrorKind]:
    own = observations.class_sizes.astype(np.float64)
    every = np.broadcast_to(observations.sizes[:, None].astype(np.float64), own.shape)
    train_misses = observations.train_misses.astype(np.float64)
    train_alarms = observations.train_false_alarms.astype(np.float64)
    total = np.full_like(heldout_sizes, heldout_sizes.sum())
    if error == "binary":
        return [_ErrorKind(1.0, train_misses + train_alarms, every, misses + alarms, total)]
    return [
        _ErrorKind(0.5, train_misses, own, misses, heldout_sizes),
        _ErrorKind(0.5, train_alarms, every - own, alarms, total - heldout_sizes),
    ]


def _rates(counts: Floats, sizes: Floats) -> Floats:
    return np.asarray(counts / np.maximum(sizes, 1.0))


def _averages(values: Floats, groups: list[NDArray[np.bool_]]) -> Floats:
    return np.stack([values[rows].mean(axis=0) for rows in groups])


def _own_variance(spread: Floats, scale: Floats, parts: NDArray[np.int64]) -> Floats:
    """Return the variance [R, K] of the mean over parts: binomial in shape, its multiple pooled over all."""
    degrees = (parts - 1)[:, None] * (scale > 0)
    multiple = 1.0
    if degrees.any():
        multiple = float((degrees * spread / np.where(scale > 0, scale, 1.0)).sum() / degrees.sum())
    return np.asarray(multiple * scale / parts[:, None] + _ROUNDING)
