"""The estimator `heldout`: Definition 1 measured, the size at which held-out less training error falls to ε."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats
from scar.foundation.estimator import Flags, FoundationEstimator
from scar.foundation.gap_curves import CurveMixture, fit_mixture, quantiles
from scar.foundation.gaps import NEGATIVE, Gaps, measure_gaps
from scar.foundation.reach import needed, size_flags
from scar.foundation.settings import ERRORS, SET_GAPS, FoundationConfig, check_choices, check_positive, check_shares
from scar.measures.observations import Observations


@dataclass(frozen=True, eq=False)
class Crossings:
    """Sizes at which gaps fall to a threshold, in whole-set samples, whether or not they lie inside the data.

    Attributes:
        set_size: of the set; NaN if undefined, inf beyond 1000 times the data, 0 below the smallest size looked at.
        set_interval: its interval.
        step_sizes: [K] of the steps.
        step_intervals: [K, 2].
    """

    set_size: float
    set_interval: tuple[float, float]
    step_sizes: Floats
    step_intervals: Floats


@dataclass(eq=False, kw_only=True)
class HeldoutEstimator(FoundationEstimator):
    """Foundation Data Size as the size at which the measured generalisation gap falls to ε and stays there.

    The gap g_j(n) is held-out minus training error of step j, signed, averaged over the parts of a factor. Its
    noise is known: binomial, common to all sizes as far as they share samples, plus what differs between parts.
    A small family of falling curves is fitted to all steps together (see `scar.foundation.gap_curves`), weighted by
    backtesting; the size is the median of the distribution of the crossing, the interval its quantiles. The
    noise that all sizes share is not part of the curve, so that the size refers to the gap that fresh data
    would show, not to the one of this held-out part.

    Args:
        epsilon: gap ε that is close enough.
        delta: probability δ in the implied concept sizes (Eq. 5).
        level: of the intervals.
        error: ``"balanced"`` (mean of miss and false-alarm rates, so that a rare class counts) or ``"binary"``
            (share of wrong binary decisions, the paper's).
        set_gap: ``"mean"``: the set's gap is the mean gap of its steps, as Definition 1 has one error for the
            target; ``"every"``: no step's gap may exceed ε, the union of Eq. 1.

    Attributes:
        foundation_size_: samples of the whole set; 0 where met, NaN if undefined, inf beyond 1000 times the data.
        step_sizes_: [K] whole-set samples at the observed class mix, likewise.
        flags_: of the set under ``"set"``, of step j under j: ``met``, ``extrapolated=<factor>`` beyond 4 times
            the data, ``unreachable``, ``undefined``, ``too_few_sizes`` (one), ``few_sizes`` (two: no
            backtest), ``gap_rising``, ``gap_negative`` (``undefined``: training labels are worse than held-out ones); of the set also ``undefined_steps``.
        growth_: ``sizes`` [R], ``gap``, ``gap_error``, ``log_concept_size`` (ln of δ exp(2 n g²), Eq. 5) [R, K],
            ``set_gap`` [R], ``curve_sizes`` [T], ``curve`` [T, K], ``set_curve`` [T], ``pac_sizes`` [K] (what
            Eq. 5 at the largest size implies, n g² / ε²), ``form_weights``, ``set_form_weights`` (order of
            `scar.foundation.gap_curves.curve_forms`).
    """

    epsilon: float = 0.01
    delta: float = 0.01
    level: float = 0.95
    error: str = "balanced"
    set_gap: str = "mean"

    @classmethod
    def configured(cls, config: FoundationConfig) -> Self:
        """Return the estimator with the settings of a configuration."""
        return cls(
            epsilon=config.epsilon, delta=config.delta, level=config.level, error=config.error, set_gap=config.set_gap
        )

    def fit(self, observations: Observations) -> Self:
        """Estimate from the error counts of all probes.

        Raises:
            ValueError: no held-out counts, or a parameter out of range.
        """
        check_shares(self, ("epsilon", "delta", "level"))
        check_choices(self, error=ERRORS, set_gap=SET_GAPS)
        self._gaps = measure_gaps(observations, error=self.error)
        self._steps, self._set = _mixtures(self._gaps)
        found = self.crossings(self.epsilon)
        largest = float(self._gaps.sizes[-1])
        told = ~self._gaps.negative
        sizes = np.where(told, needed(np.append(found.step_sizes, found.set_size), largest), math.nan)
        intervals = needed(np.vstack([found.step_intervals, found.set_interval]), largest)
        intervals = np.where(told[:, None], intervals, math.nan)
        self.step_sizes_, self.step_intervals_ = sizes[:-1], intervals[:-1]
        self.foundation_size_, self.interval_ = float(sizes[-1]), (float(intervals[-1, 0]), float(intervals[-1, 1]))
        self.flags_ = self._flags(largest)
        self.growth_ = self._growth()
        return self

    def crossings(self, epsilon: float) -> Crossings:
        """Return where the fitted gaps fall to any threshold, without fitting again.

        Raises:
            ValueError: a threshold that is not positive.
        """
        check_positive(epsilon=epsilon)
        tail = 0.5 * (1.0 - self.level)
        shares = (0.5, tail, 1.0 - tail)
        defined = self._gaps.defined
        steps, whole = np.full((defined.size, 3), math.nan), np.full(3, math.nan)
        if self._steps is not None and self._set is not None:
            sizes, below = self._steps.below(epsilon)
            steps[defined] = quantiles(sizes, below, shares)
            if self.set_gap == "every":
                together = below.prod(axis=0, keepdims=True)
            else:
                sizes, together = self._set.below(epsilon)
            whole = quantiles(sizes, together, shares)[0]
        return Crossings(float(whole[0]), (float(whole[1]), float(whole[2])), steps[:, 0], steps[:, 1:])

    def _flags(self, largest: float) -> Flags:
        count, defined = self._gaps.sizes.size, self._gaps.defined
        rising = _rising(self._gaps) & defined
        flags: Flags = {j: size_flags(float(size), largest, few=count < 2) for j, size in enumerate(self.step_sizes_)}
        flags["set"] = size_flags(self.foundation_size_, largest, few=count < 2)
        for each in flags.values():
            each.extend(["few_sizes"] if count == 2 else [])
        for j in np.flatnonzero(rising):
            flags[int(j)].append("gap_rising")
        for each, negative in zip((*range(defined.size), "set"), self._gaps.negative, strict=True):
            flags[each].extend([NEGATIVE] if negative else [])
        if not defined.all():
            flags["set"].append("undefined_steps")
        if defined.any() and _rising(self._gaps.steps(defined).mean())[0]:
            flags["set"].append("gap_rising")
        return flags

    def _growth(self) -> dict[str, Floats]:
        gaps, none = self._gaps, ~self._gaps.defined
        shape = (200, none.size)
        square = np.maximum(gaps.gap**2 - gaps.noise, 0.0)
        sizes = np.exp(np.linspace(math.log(gaps.sizes[0]), math.log(gaps.sizes[-1] * 16.0), shape[0]))
        curve, whole = np.full(shape, math.nan), np.full(shape[0], math.nan)
        weights: list[Floats] = [np.full(0, math.nan)] * 2
        if self._steps is not None and self._set is not None:
            curve[:, gaps.defined], whole = self._steps.mean(sizes), self._set.mean(sizes)[:, 0]
            weights = [self._steps.weights, self._set.weights]
        return gaps.observed() | {
            "log_concept_size": np.where(none, math.nan, math.log(self.delta) + 2.0 * gaps.sizes[:, None] * square),
            "curve_sizes": sizes,
            "curve": curve,
            "set_curve": whole,
            "pac_sizes": np.where(none, math.nan, gaps.sizes[-1] * square[-1] / self.epsilon**2),
            "form_weights": weights[0],
            "set_form_weights": weights[1],
        }


def _mixtures(gaps: Gaps) -> tuple[CurveMixture | None, CurveMixture | None]:
    if gaps.sizes.size < 2 or not gaps.defined.any():
        return None, None
    seen = gaps.steps(gaps.defined)
    return fit_mixture(seen), fit_mixture(seen.mean())


def _rising(gaps: Gaps) -> NDArray[np.bool_]:
    """Return [K]: is the gap at the largest size above the smallest size's by more than two standard errors?"""
    change = gaps.gap[-1] - gaps.gap[0]
    shared = gaps.common[:, 0, 0] + gaps.common[:, -1, -1] - 2.0 * gaps.common[:, 0, -1]
    return np.asarray(change > 2.0 * np.sqrt(shared + gaps.own[0] + gaps.own[-1]))
