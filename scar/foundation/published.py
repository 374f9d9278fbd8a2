"""The estimator `reference`: the published estimate, for checking the published numbers and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats
from scar.foundation.bound import concept_bound, reference_concept_sizes, step_foundation_size
from scar.foundation.estimator import Flags, FoundationEstimator
from scar.foundation.set_level import reference_set_foundation_size
from scar.foundation.settings import FoundationConfig
from scar.measures.observations import Observations


@dataclass(eq=False, kw_only=True)
class ReferenceEstimator(FoundationEstimator):
    """Foundation Data Size as the published numbers were computed.

    Measures are averaged over the parts of a factor and give ``y_ij`` (Eq. 7), the concept sizes
    ``h_j = min_i y_ij / (1 - exp(-rate / r_i))``, the sizes of the steps ``ln(h_j / δ) / (2 ε²)``, and the
    size of the set, the root of Eq. 9 times ``ln F``. The factor ``F = (1 - accuracy) / (1 - mean_j A_j)`` at
    r = 1, at least e, equals K / 2 for every arg-max probe, since an error makes exactly two binary errors.

    A step without a defined bound at any factor has no size (NaN); it is flagged and left out of the set. No
    interval is published, so that the intervals are NaN.

    Args:
        epsilon: generalisation gap ε.
        delta: probability δ = δ_E.
        rate: growth rate λ at which the published grid search ends.

    Attributes:
        foundation_size_: samples of the whole set; NaN if no step is defined.
        interval_: (NaN, NaN).
        step_sizes_: [K] whole-set samples; 0 where met, NaN where undefined.
        step_intervals_: [K, 2] of NaN.
        concept_sizes_: [K] h; NaN where undefined.
        error_ratio_: the factor F that was used.
        flags_: of the set under ``"set"`` (``no_interval``, ``zero_training_error``, ``undefined_steps``,
            ``undefined``, ``met``), of step j under j (``undefined``, ``partly_undefined``, ``met``).
        growth_: ``factors`` [R], ``fractions`` [R], ``bound`` [R, K], ``curve`` [R, K] = h (1 - exp(-rate
            x)).
    """

    epsilon: float = 0.01
    delta: float = 0.01
    rate: float = 1e-4
    concept_sizes_: Floats = field(init=False, repr=False)
    error_ratio_: float = field(init=False, repr=False)

    @classmethod
    def configured(cls, config: FoundationConfig) -> Self:
        """Return the estimator with the settings of a configuration."""
        return cls(epsilon=config.epsilon, delta=config.delta, rate=config.rate)

    def fit(self, observations: Observations) -> Self:
        """Estimate from the measures of all probes.

        Raises:
            ValueError: no probe at factor 1, which F is read from.
        """
        factors, bound = _mean_bound(observations)
        self.concept_sizes_ = reference_concept_sizes(bound, factors, rate=self.rate)
        self.step_sizes_ = step_foundation_size(self.concept_sizes_, epsilon=self.epsilon, delta=self.delta)
        ratio, without_error = _error_ratio(observations)
        self.error_ratio_ = max(ratio, math.e)
        defined = ~np.isnan(self.concept_sizes_)
        self.foundation_size_ = math.nan
        if defined.any():
            self.foundation_size_ = reference_set_foundation_size(
                self.concept_sizes_[defined], error_ratio=self.error_ratio_, epsilon=self.epsilon, delta=self.delta
            )
        self.interval_ = (math.nan, math.nan)
        self.step_intervals_ = np.full((observations.num_steps, 2), math.nan)
        gaps = np.asarray(np.isnan(observations.coverage).any(axis=0))
        self.flags_ = self._flags(gaps, without_error)
        reach = -np.expm1(-self.rate / factors)
        self.growth_ = {
            "factors": factors,
            "fractions": 1.0 / factors,
            "bound": bound,
            "curve": reach[:, None] * self.concept_sizes_,
        }
        return self

    def _flags(self, gaps: NDArray[np.bool_], without_error: bool) -> Flags:
        undefined = np.isnan(self.concept_sizes_)
        step_flags = {"undefined": undefined, "partly_undefined": gaps & ~undefined, "met": self.step_sizes_ == 0}
        set_flags = {
            "no_interval": True,
            "zero_training_error": without_error,
            "undefined_steps": bool(undefined.any()),
            "undefined": bool(undefined.all()),
            "met": self.foundation_size_ == 0,
        }
        flags: Flags = {"set": [name for name, holds in set_flags.items() if holds]}
        for step in range(len(undefined)):
            flags[step] = [name for name, holds in step_flags.items() if holds[step]]
        return flags


def _mean_bound(observations: Observations) -> tuple[Floats, Floats]:
    """Return the factors [R] and Eq. 7 [R, K] of the measures averaged over a factor's defined parts."""
    factors, row = np.unique(observations.factors, return_inverse=True)

    def mean(measure: Floats) -> Floats:
        defined = ~np.isnan(measure)
        total, count = np.zeros((len(factors), measure.shape[1])), np.zeros((len(factors), measure.shape[1]))
        np.add.at(total, row, np.where(defined, measure, 0.0))
        np.add.at(count, row, defined)
        return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)

    bound = concept_bound(
        scale=mean(observations.scale),
        coverage=mean(observations.coverage),
        authenticity=mean(observations.authenticity),
        richness=mean(observations.richness),
    )
    return factors.astype(np.float64), bound


def _error_ratio(observations: Observations) -> tuple[float, bool]:
    """Return F before its floor, and whether the training error is zero.

    Then F is 0/0, and its identity K / 2 serves. ``1 - accuracy`` counts the samples that their own step
    misses, ``1 - A_j`` misses and false alarms.
    """
    whole = observations.factors == 1
    if not whole.any():
        raise ValueError(f"observations.factors={observations.factors.tolist()} must hold the factor 1")
    misses = int(observations.train_misses[whole].sum())
    wrong = misses + int(observations.train_false_alarms[whole].sum())
    steps = observations.num_steps
    return (steps * misses / wrong, False) if wrong else (steps / 2, True)
