"""The estimator `paper`: the paper's own text done properly. Eq. 7 is fitted, Eq. 2 gives the steps, Eq. 9 the set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from scar.common.types import Floats
from scar.foundation.bound import step_foundation_size
from scar.foundation.bound_points import BoundPoints, bound_points
from scar.foundation.estimator import Flags, FoundationEstimator
from scar.foundation.growth import WEAK_PRIOR, GrowthFit, fit_growth
from scar.foundation.set_level import set_foundation_size
from scar.foundation.settings import ORDERS, FoundationConfig
from scar.measures.observations import Observations

FLOORED_VARIANCE = 4.0
"""Variance of log y for a floored point: it says little more than that y is small."""


@dataclass(eq=False, kw_only=True)
class PaperEstimator(FoundationEstimator):
    """Foundation Data Size of the paper's model, with binary correctness, debiased coverage and intervals.

    Per factor, ``y = (1 - C) exp(2 S (R - A)²)`` with the coverage deficit 1 - C debiased for its sample
    size and averaged over the parts before any floor. ``h (1 - exp(-κ x))`` is fitted to log y, weighted by
    a variance that is smooth in n and pooled over steps; steps take ``ln(h / δ) / (2 ε²)``, the set the
    largest root of Eq. 9. A mean below its standard error is replaced by that error inside the logarithm,
    down-weighted and flagged. Intervals come from the profile likelihood; that of the set adds the log
    errors of the h_j in quadrature, with their shares of Σ h as weights.

    Args:
        epsilon: generalisation gap ε.
        delta: probability δ = δ_E.
        order: Bonferroni order of the set-level bound, 1 or 3.
        level: of the intervals.
        bins: histogram bins behind the coverage.
        prior: whether κ has the weak prior `WEAK_PRIOR`.

    Attributes:
        foundation_size_: samples of the whole set; 0 where met, NaN if no step is defined.
        step_sizes_: [K] whole-set samples; 0 where met, NaN where the coverage is undefined at every factor.
        concept_sizes_: [K] h.
        flags_: of the set under ``"set"`` (``met``, ``undefined_steps``, ``undefined``,
            ``bound_decreasing``), of step j under j (``coverage_undefined``, ``partly_undefined``, ``met``,
            ``floored``, ``at_prior``, ``at_edge``, ``unidentified``, ``bound_decreasing``).
        growth_: ``fractions`` [R]; ``bound`` (unfloored), ``bound_error``, ``curve`` [R, K]; ``h``,
            ``kappa``, ``log_residual`` [K]; ``h_interval``, ``kappa_interval`` [K, 2].
    """

    epsilon: float = 0.01
    delta: float = 0.01
    order: int = 3
    level: float = 0.95
    bins: int = 100
    prior: bool = True
    concept_sizes_: Floats = field(init=False, repr=False)

    @classmethod
    def configured(cls, config: FoundationConfig) -> Self:
        """Return the estimator with the settings of a configuration."""
        return cls(
            epsilon=config.epsilon,
            delta=config.delta,
            order=config.order,
            level=config.level,
            bins=config.bins,
            prior=config.prior,
        )

    def fit(self, observations: Observations) -> Self:
        """Estimate from the measures of all probes.

        Raises:
            ValueError: a parameter out of range.
        """
        if self.order not in ORDERS:
            raise ValueError(f"order={self.order} must be one of {list(ORDERS)}")
        points = bound_points(observations, bins=self.bins)
        fit = _fit(points, prior=WEAK_PRIOR if self.prior else None, level=self.level)
        low, high = _bounded(fit, points).T
        self.concept_sizes_ = fit.h
        self.step_sizes_ = self._steps(fit.h)
        self.step_intervals_ = np.stack([self._steps(low), self._steps(high)], axis=1)
        self.foundation_size_, self.interval_ = self._set(fit, low, high)
        self.flags_ = self._flags(fit, points)
        self.growth_ = {
            "fractions": points.fractions,
            "bound": points.bound,
            "bound_error": points.error,
            "curve": fit.predict(points.fractions),
            "h": fit.h,
            "kappa": fit.kappa,
            "log_residual": fit.log_residual,
            "h_interval": np.stack([low, high], axis=1),
            "kappa_interval": fit.kappa_interval,
        }
        return self

    def _steps(self, h: Floats) -> Floats:
        finite = np.where(np.isinf(h), 1.0, h)
        sizes = step_foundation_size(finite, epsilon=self.epsilon, delta=self.delta)
        return np.where(np.isinf(h), np.inf, sizes)

    def _set(self, fit: GrowthFit, low: Floats, high: Floats) -> tuple[float, tuple[float, float]]:
        h = fit.h[fit.defined]
        if h.size == 0:
            return math.nan, (math.nan, math.nan)
        share = h / h.sum()
        with np.errstate(divide="ignore"):
            down = np.log(h) - np.log(low[fit.defined])
            up = np.log(high[fit.defined]) - np.log(h)
        # A step of unknown lower end moves the sum by its own share at most.
        known = np.where(np.isinf(down), 1.0, down) * share
        most = math.inf if np.isinf(up).any() else math.exp(min(math.hypot(*(up * share)), 600.0))
        scales = (1.0, math.exp(-math.hypot(*known)), most)
        size, least, greatest = (
            math.inf
            if math.isinf(scale)
            else set_foundation_size(h * scale, epsilon=self.epsilon, delta=self.delta, order=self.order)
            for scale in scales
        )
        return size, (least, greatest)

    def _flags(self, fit: GrowthFit, points: BoundPoints) -> Flags:
        met = fit.defined & (self.step_sizes_ == 0.0)
        named = {
            "coverage_undefined": ~fit.defined,
            "partly_undefined": fit.defined & points.partly_undefined,
            "met": met,
            "floored": fit.defined & points.floored.any(axis=0),
            "at_prior": fit.at_prior,
            "at_edge": fit.at_edge,
            "unidentified": fit.defined & ~fit.identified,
            "bound_decreasing": fit.decreasing,
        }
        flags: Flags = {j: [name for name, mask in named.items() if mask[j]] for j in range(met.size)}
        conditions = {
            "undefined": not fit.defined.any(),
            "undefined_steps": not fit.defined.all(),
            "met": self.foundation_size_ == 0.0,
            "bound_decreasing": bool(fit.decreasing.any()),
        }
        flags["set"] = [name for name, holds in conditions.items() if holds]
        return flags


def _fit(points: BoundPoints, *, prior: tuple[float, float] | None, level: float) -> GrowthFit:
    """Fit the growth curves; a misfit beyond the noise, pooled over steps, widens all intervals.

    Whether the bound falls with size is judged by the noise alone, or the misfit would hide it.
    """
    seen = ~np.isnan(points.bound)
    error = np.where(seen, np.maximum(points.error, 1e-12), 1.0)
    value = np.where(seen, np.maximum(points.bound, error), np.nan)
    variance = np.where(points.floored, FLOORED_VARIANCE, (error / np.where(seen, value, 1.0)) ** 2)
    weights = 1.0 / np.maximum(variance, 1e-8)
    fit = fit_growth(value, points.fractions, weights=weights, noise=1.0, prior=prior, level=level)
    residual = np.where(seen, np.log(np.where(seen, value, 1.0)), 0.0) - np.log(fit.predict(points.fractions))
    degrees = np.maximum(seen.sum(axis=0) - 2, 0)
    squares = np.where(seen, weights * residual**2, 0.0).sum(axis=0)
    usable = fit.defined & (degrees > 0)
    if not usable.any():
        return fit
    noise = math.sqrt(max(1.0, float(squares[usable].sum() / degrees[usable].sum())))
    wider = fit_growth(value, points.fractions, weights=weights, noise=noise, prior=prior, level=level)
    return replace(wider, decreasing=fit.decreasing)


def _bounded(fit: GrowthFit, points: BoundPoints) -> Floats:
    """Return the interval [K, 2] of h; from 0 on where every point is floored, for then y may be 0."""
    seen = ~np.isnan(points.bound)
    nothing = fit.defined & (points.floored | ~seen).all(axis=0)
    low, high = fit.h_interval.T
    return np.stack([np.where(nothing, 0.0, np.minimum(low, fit.h)), np.maximum(high, fit.h)], axis=1)
