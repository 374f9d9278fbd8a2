"""Generalisation gap of each step per subset size, with the covariance of its noise (Definition 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats
from scar.measures.observations import Observations

_UNSEEN = 1e6
"""Variance of a point that was not seen: it has no say in a fit."""
NEGATIVE = "gap_negative"
"""Flag of a gap that is below zero by more than `SURELY` standard errors: what is held out is decided better than what the
probes are trained on, as where the training labels are worse. No size follows from such a gap, and none is met."""
SURELY = 3.0
"""Standard errors."""
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
        unseen: [K] variance of the gap at the largest size that comes from the size of the held-out part.
        defined: [K] whether the step was seen at the largest size and in the held-out part.
    """

    sizes: Floats
    gap: Floats
    common: Floats
    own: Floats
    heldout_error: Floats
    unseen: Floats
    defined: NDArray[np.bool_]

    @property
    def noise(self) -> Floats:
        """[R, K] variance of the noise of each gap."""
        return np.asarray(self.own + np.diagonal(self.common, axis1=1, axis2=2).T)

    @cached_property
    def negative(self) -> NDArray[np.bool_]:
        """[K + 1] whether the gap at the largest size is surely below zero, see `NEGATIVE`; the mean of the defined steps last."""
        mean = self.steps(self.defined).mean() if self.defined.any() else None
        return np.append(self._below_zero(), False if mean is None else mean._below_zero())

    def _below_zero(self) -> NDArray[np.bool_]:
        return np.asarray(self.defined & (self.gap[-1] < -SURELY * np.sqrt(self.noise[-1])))

    def observed(self) -> dict[str, Floats]:
        """Return what was measured, for figures: ``sizes`` [R], ``gap`` and ``gap_error`` [R, K], ``set_gap`` [R]."""
        none = ~self.defined
        return {
            "sizes": self.sizes,
            "gap": np.where(none, np.nan, self.gap),
            "gap_error": np.where(none, np.nan, np.sqrt(self.noise)),
            "set_gap": self.gap[:, self.defined].sum(axis=1) / max(int(self.defined.sum()), 1),
        }

    def without_largest(self, count: int) -> Gaps:
        """Leave out the largest sizes, to fit what can then be checked."""
        keep = slice(None, self.sizes.size - count)
        return Gaps(
            self.sizes[keep],
            self.gap[keep],
            self.common[:, keep, keep],
            self.own[keep],
            self.heldout_error[keep],
            self.unseen,
            self.defined,
        )

    def noisier(self, factor: float) -> Gaps:
        """Multiply the variances of the noise by a factor."""
        common, own, unseen = (factor * each for each in (self.common, self.own, self.unseen))
        return replace(self, common=common, own=own, unseen=unseen)

    def steps(self, chosen: NDArray[np.bool_]) -> Gaps:
        """Keep the chosen steps only."""
        return Gaps(
            self.sizes,
            self.gap[:, chosen],
            self.common[chosen],
            self.own[:, chosen],
            self.heldout_error,
            self.unseen[chosen],
            self.defined[chosen],
        )

    def mean(self, weights: Floats | None = None) -> Gaps:
        """Average over the steps, whose noise is taken as independent: one step that stands for them.

        Args:
            weights: [K] that sum to 1; None weighs all alike.
        """
        count = self.gap.shape[1]
        share = np.full(count, 1.0 / count) if weights is None else weights
        return Gaps(
            self.sizes,
            (self.gap @ share)[:, None],
            np.tensordot(share**2, self.common, axes=1)[None],
            (self.own @ share**2)[:, None],
            self.heldout_error,
            np.array([self.unseen @ share**2]),
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
    groups = _by_size(observations)
    total = float(observations.heldout_size)
    kinds = _error_kinds(observations, misses, alarms, heldout_sizes, total, error=error)
    sizes = np.array([observations.sizes[rows].mean() for rows in groups])
    parts = np.array([rows.sum() for rows in groups])
    shape = (sizes.size, observations.num_steps)
    gap, spread, scale = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    unseen = np.zeros(shape[1])
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
        sampled = kind.weight**2 * shared_covariance(test_mean, kind.test_sizes)
        common += sampled
        unseen += sampled[:, -1, -1]
        common += kind.weight**2 * shared_covariance(train_mean, units[-1])
        noise = train_mean * (1.0 - train_mean) + test_mean * (1.0 - test_mean)
        scale += kind.weight**2 * noise / np.maximum(units, 1.0)
    for r, rows in enumerate(groups):
        spread[r] = difference[rows].var(axis=0, ddof=1) if parts[r] > 1 else 0.0
    own = _own_variance(spread, scale, parts)
    defined = seen[-1] & (heldout_sizes > 0) & (heldout_sizes < total)
    chosen = defined if defined.any() else np.ones_like(defined)
    own = np.where(seen, own, _UNSEEN)
    return Gaps(sizes, gap, common, own, heldout[:, chosen].mean(axis=1), unseen, np.asarray(defined))


def mean_noise(observations: Observations, *, error: str) -> float:
    """Return the variance of the mean gap of all steps over that of as many independent ones; see `Gaps.mean`.

    A wrong decision misses one class and is a false alarm of another, so that both kinds of error rise together: with
    variances a and b of their means it is (√a + √b)² instead of a + b, at the largest size. 2 for the ``"binary"`` error,
    to which both add alike; 1 where samples carry several labels.

    Raises:
        ValueError: no held-out counts.
    """
    misses, alarms, heldout_sizes = heldout_counts(observations)
    if observations.several or error == "binary":
        return 1.0 if observations.several else 2.0
    total = float(observations.heldout_size)
    kinds = _error_kinds(observations, misses, alarms, heldout_sizes, total, error=error)
    largest = _by_size(observations)[-1]
    known = (heldout_sizes > 0) & (heldout_sizes < total)
    variances = []
    for kind in kinds:
        rates = _rates(kind.test, kind.test_sizes)[largest].mean(axis=0)[known]
        variances.append(float((rates * (1.0 - rates) / kind.test_sizes[known]).sum()))
    a, b = variances
    return 1.0 + 2.0 * math.sqrt(a * b) / (a + b) if a + b > 0.0 else 1.0


def measure_error(observations: Observations) -> Gaps:
    """Measure the share of held-out samples that arg-max decides wrongly at every size, in the place of a gap [R, 1].

    Where samples carry several labels it is the balanced error, half of the rates of misses and of false alarms, averaged
    over the labels that are held out.

    Raises:
        ValueError: no held-out counts.
    """
    misses, alarms, heldout_sizes = heldout_counts(observations)
    groups = _by_size(observations)
    total = np.array([float(observations.heldout_size)])
    if observations.several:
        carried, lacked = heldout_sizes, total[0] - heldout_sizes
        known = (carried > 0) & (lacked > 0)
        error_of = 0.5 * (misses[:, known] / carried[known] + alarms[:, known] / lacked[known])
        rates = error_of.mean(axis=1, keepdims=True) if known.any() else np.zeros((len(misses), 1))
    else:
        rates = misses.sum(axis=1, keepdims=True) / max(float(total[0]), 1.0)
    error = _averages(rates, groups)
    parts = np.array([rows.sum() for rows in groups])
    spread = np.stack([rates[rows].var(axis=0, ddof=1) if rows.sum() > 1 else np.zeros(1) for rows in groups])
    sizes = np.array([observations.sizes[rows].mean() for rows in groups])
    own = _own_variance(spread, error * (1.0 - error) / sizes[:, None], parts)
    noise = shared_covariance(error, total)
    return Gaps(sizes, error, noise, own, error[:, 0], noise[:, -1, -1], np.array([True]))


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
    observations: Observations, misses: Floats, alarms: Floats, heldout_sizes: Floats, held: float, *, error: str
) -> list[_ErrorKind]:
    own = observations.class_sizes.astype(np.float64)
    every = np.broadcast_to(observations.sizes[:, None].astype(np.float64), own.shape)
    train_misses = observations.train_misses.astype(np.float64)
    train_alarms = observations.train_false_alarms.astype(np.float64)
    total = np.full_like(heldout_sizes, held)
    if error == "binary":
        return [_ErrorKind(1.0, train_misses + train_alarms, every, misses + alarms, total)]
    return [
        _ErrorKind(0.5, train_misses, own, misses, heldout_sizes),
        _ErrorKind(0.5, train_alarms, every - own, alarms, total - heldout_sizes),
    ]


def _by_size(observations: Observations) -> list[NDArray[np.bool_]]:
    """Return which probes [P] belong to each factor, by ascending size."""
    groups = [observations.factors == factor for factor in np.unique(observations.factors)]
    return sorted(groups, key=lambda rows: float(observations.sizes[rows].mean()))


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
