"""The estimator `recommended`: the size at which the gap falls to ε, in probabilities, and "cannot tell"."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats
from scar.foundation.estimator import Flags, FoundationEstimator
from scar.foundation.gap_curves import quantiles
from scar.foundation.gaps import NEGATIVE, Gaps, mean_noise, measure_error, measure_gaps
from scar.foundation.heldout import Crossings
from scar.foundation.prospect import MULTIPLES, Prospect
from scar.foundation.reach import TRUSTED_REACH, needed, size_flags
from scar.foundation.settings import ERRORS, SET_GAPS, FoundationConfig, check_choices, check_positive, check_shares
from scar.foundation.size_posterior import (
    TIMES,
    SizePosterior,
    error_shapes,
    fit_classes,
    fit_curve,
    gap_shapes,
    power_weight,
)
from scar.measures.observations import Observations

CANNOT_TELL = "cannot_tell"
"""Flag of an answer that the data do not give: neither met nor far away can be ruled out."""
FAR = 0.1
"""A need is met only if it is less likely than this to lie beyond `TRUSTED_REACH` times the data."""
UNDECIDED = 0.25
"""Where met and beyond `TRUSTED_REACH` times the data are both likelier than this, the data cannot tell."""


@dataclass(eq=False, kw_only=True)
class RecommendedEstimator(FoundationEstimator):
    """Foundation Data Size with its probability: the size at which the generalisation gap falls to ε.

    The gaps are those of `heldout`. Their curves are power laws, or bend from a slow power to a faster one, as they do
    where the training error still rises; classes with few held-out samples borrow level and exponent from the others (see
    `scar.foundation.size_posterior`). The size is
    the median of the distribution of the crossing, the interval its quantiles. A need is ``met`` if that is more likely
    than not, unlikely to lie beyond four times the data, and seen: the standard error that the own held-out samples leave
    to the gap is at most ε. What would be met but for that, and what may as well be met as lie beyond four times the data, is ``cannot_tell``: NaN, with
    the interval.

    Args:
        epsilon: gap ε that is close enough.
        level: of the intervals.
        error: ``"balanced"`` or ``"binary"``, as in `heldout`.
        set_gap: ``"mean"`` or ``"every"``, as in `heldout`.

    Attributes:
        foundation_size_: samples of the whole set; 0 where met, NaN if undefined or `cannot_tell`, inf beyond 1000 times
            the data.
        step_sizes_: [K] whole-set samples at the observed class mix, likewise.
        flags_: of the set under ``"set"``, of step j under j: ``met``, ``cannot_tell``, ``extrapolated=<factor>`` beyond 4
            times the data, ``unreachable``, ``undefined``, ``too_few_sizes`` (one), ``gap_negative`` beside ``cannot_tell``; of the set also ``undefined_steps``.
        growth_: ``sizes`` [R], ``gap`` and ``gap_error`` [R, K], ``set_gap`` [R], ``curve_sizes`` [T], and, [T] or [T, K],
            the geometric means ``curve`` and ``set_curve``.
        prospect_: what more data are expected to bring; None where there are too few sizes.
    """

    epsilon: float = 0.01
    level: float = 0.95
    error: str = "balanced"
    set_gap: str = "mean"

    prospect_: Prospect | None = field(init=False, repr=False)

    @classmethod
    def configured(cls, config: FoundationConfig) -> Self:
        """Return the estimator with the settings of a configuration."""
        return cls(epsilon=config.epsilon, level=config.level, error=config.error, set_gap=config.set_gap)

    def fit(self, observations: Observations) -> Self:
        """Estimate from the error counts of all probes.

        Raises:
            ValueError: no held-out counts, or a parameter out of range.
        """
        check_shares(self, ("epsilon", "level"))
        check_choices(self, error=ERRORS, set_gap=SET_GAPS)
        self._gaps = measure_gaps(observations, error=self.error)
        self._noise = mean_noise(observations, error=self.error)
        self._classes, self._set = _posteriors(self._gaps, observations, self._noise)
        found, self._reached = self._crossings(self.epsilon)
        met, untold = self._verdicts()
        sizes = np.append(found.step_sizes, found.set_size)
        intervals = np.vstack([found.step_intervals, found.set_interval])
        largest = float(self._gaps.sizes[-1])
        sizes = np.where(met, 0.0, np.where(untold, math.nan, sizes))
        intervals = needed(intervals, largest)
        self.step_sizes_, self.step_intervals_ = sizes[:-1], intervals[:-1]
        self.foundation_size_, self.interval_ = float(sizes[-1]), (float(intervals[-1, 0]), float(intervals[-1, 1]))
        self.flags_ = self._flags(sizes, untold, largest)
        self.growth_, self.prospect_ = self._growth(), self._prospect(observations)
        return self

    def crossings(self, epsilon: float) -> Crossings:
        """Return where the gaps fall to any threshold, without fitting again and whether or not the data can tell.

        Raises:
            ValueError: a threshold that is not positive.
        """
        check_positive(epsilon=epsilon)
        return self._crossings(epsilon)[0]

    def _crossings(self, epsilon: float) -> tuple[Crossings, Floats]:
        """Return the crossings, and the probability [T] that the gap of the set is at most ε at `TIMES`."""
        tail = 0.5 * (1.0 - self.level)
        shares = (0.5, tail, 1.0 - tail)
        found, whole = np.full((self._gaps.defined.size + 1, 3), math.nan), np.full(TIMES.size, math.nan)
        if self._set is not None:
            steps, whole = self._below(epsilon, TIMES)
            sizes = TIMES * self._set.largest
            found[:-1][self._gaps.defined] = quantiles(sizes, steps, shares)
            found[-1] = quantiles(sizes, whole[None], shares)[0]
        interval = (float(found[-1, 1]), float(found[-1, 2]))
        return Crossings(float(found[-1, 0]), interval, found[:-1, 0], found[:-1, 1:]), whole

    def _below(self, epsilon: float, times: Floats) -> tuple[Floats, Floats]:
        """Return the probabilities that the gaps of the defined steps [K, T] and of the set [T] are at most ε at t [T]."""
        assert self._classes is not None
        assert self._set is not None
        steps = self._classes.below(epsilon, times)
        whole = steps.prod(axis=0) if self.set_gap == "every" else self._set.below(epsilon, times)[0]
        return steps, whole

    def _verdicts(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return [K + 1], the set last, whether the need is met, and whether the data cannot tell."""
        count = self._gaps.defined.size + 1
        met, untold = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        if self._set is None:
            return met, untold
        chosen = np.append(self._gaps.defined, True)
        steps, whole = self._below(self.epsilon, np.array([1.0, TRUSTED_REACH]))
        now, far = np.vstack([steps, whole]).T
        seen = self._gaps.steps(self._gaps.defined)
        error = np.sqrt(np.append(seen.unseen, seen.mean().noisier(self._noise).unseen))
        likely = now >= 0.5
        negative = self._gaps.negative[chosen]
        met[chosen] = likely & (1.0 - far < FAR) & (error <= self.epsilon) & ~negative
        untold[chosen] = (likely & ~met[chosen]) | ((now > UNDECIDED) & (1.0 - far > UNDECIDED)) | negative
        return met, untold

    def _flags(self, sizes: Floats, untold: NDArray[np.bool_], largest: float) -> Flags:
        few = self._gaps.sizes.size < 2
        each = [
            [CANNOT_TELL] if unclear else size_flags(float(size), largest, few=few)
            for size, unclear in zip(sizes, untold, strict=True)
        ]
        for j in np.flatnonzero(self._gaps.negative):
            each[j].append(NEGATIVE)
        flags: Flags = dict(enumerate(each[:-1]))
        flags["set"] = [*each[-1], *([] if self._gaps.defined.all() else ["undefined_steps"])]
        return flags

    def _growth(self) -> dict[str, Floats]:
        gaps, defined = self._gaps, self._gaps.defined
        times = np.exp(np.linspace(math.log(gaps.sizes[0] / gaps.sizes[-1]), math.log(16.0), 60))
        curve, whole = np.full((times.size, defined.size), math.nan), np.full(times.size, math.nan)
        if self._classes is not None and self._set is not None:
            curve[:, defined], whole = self._classes.centre(times).T, self._set.centre(times)[0]
        return gaps.observed() | {"curve_sizes": times * gaps.sizes[-1], "curve": curve, "set_curve": whole}

    def _prospect(self, observations: Observations) -> Prospect | None:
        if self._set is None:
            return None
        tail = 0.5 * (1.0 - self.level)
        shares, times = np.array([0.5, tail, 1.0 - tail]), np.array(MULTIPLES)
        steps, whole = self._below(self.epsilon, times)
        classes = np.full((times.size, self._gaps.defined.size), math.nan)
        classes[:, self._gaps.defined] = steps.T
        error = fit_curve(measure_error(observations), error_shapes()).quantiles(0, times, shares)
        return Prospect(
            multiples=times,
            probability=whole,
            class_probability=classes,
            gap=self._set.quantiles(0, times, shares),
            accuracy=np.clip(1.0 - error[:, [0, 2, 1]], 0.0, 1.0),
            sizes=TIMES * self._set.largest,
            reached=self._reached,
        )


def _posteriors(
    gaps: Gaps, observations: Observations, noise: float
) -> tuple[SizePosterior | None, SizePosterior | None]:
    """Return what is known of the curves of the defined steps and of the set; None with fewer than two sizes."""
    if gaps.sizes.size < 2 or not gaps.defined.any():
        return None, None
    seen = gaps.steps(gaps.defined)
    whole = observations.factors == observations.factors.min()
    counts = observations.class_sizes[whole].mean(axis=0)[gaps.defined]
    shapes = gap_shapes(power_weight(seen))
    return fit_classes(seen, counts, shapes, noise=noise), fit_curve(seen.mean().noisier(noise), shapes)
