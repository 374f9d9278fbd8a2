"""The estimator `learning_curve`, the peer to beat: curves of held-out accuracy, extrapolated to a target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.randomness import generator
from scar.common.types import Floats
from scar.foundation.accuracy_curves import FORMS, AccuracyFit, AccuracyForm, accuracy_form, best_form, fit_accuracy
from scar.foundation.estimator import Flags, FoundationEstimator
from scar.foundation.gaps import heldout_counts
from scar.foundation.reach import HORIZON, size_flags
from scar.foundation.settings import FoundationConfig, check_shares
from scar.measures.observations import Observations

LEAST_SIZES = 3
"""A curve has three parameters."""
_TIMES = np.exp(np.linspace(0.0, math.log(HORIZON), 140))


@dataclass(eq=False, kw_only=True)
class LearningCurveEstimator(FoundationEstimator):
    """Foundation Data Size as the size at which held-out accuracy reaches a target (Mahmood et al. 2022).

    The accuracy of a step is its recall on the held-out part, averaged over the parts of a factor; that of the set
    is the mean recall. A curve of one of `scar.foundation.accuracy_curves.FORMS` is fitted per step by
    least squares with weights √n. The interval is a parametric bootstrap: the counts of the shared held-out
    part are redrawn with nested errors, so that all sizes err together as they do in the data.

    Args:
        epsilon: without a target, the gain from doubling the data that is not worth having.
        level: of the intervals.
        accuracy_target: recall to be reached, one for all steps or [K] (then the set's is their mean). None: the
            size from which on doubling the data gains less than ε, which needs no knowledge of the limit.
        curve: one of `FORMS`, or ``"best"``: the one that best predicts the largest size from the smaller ones.
        draws: of the bootstrap.
        seed: of the bootstrap.

    Attributes:
        foundation_size_: samples of the whole set; 0 where met, inf where the curve stays below the target or
            reaches it beyond 1000 times the data, NaN if undefined.
        step_sizes_: [K] whole-set samples at the observed class mix, likewise.
        flags_: of the set under ``"set"``, of step j under j: ``met``, ``unreachable``,
            ``extrapolated=<factor>`` beyond 4 times the data, ``undefined`` (not held out, or absent from the data), ``too_few_sizes``
            (fewer than 3); of the set also ``undefined_steps``.
        growth_: ``sizes`` [R], ``accuracy`` [R, K], ``set_accuracy`` [R], ``curve_sizes`` [T], ``curve`` [T, K],
            ``set_curve`` [T], ``limit`` [K].
    """

    epsilon: float = 0.01
    level: float = 0.95
    accuracy_target: ArrayLike | None = None
    curve: str = "best"
    draws: int = 200
    seed: int = 0

    @classmethod
    def configured(cls, config: FoundationConfig) -> Self:
        """Return the estimator with the settings of a configuration."""
        return cls(epsilon=config.epsilon, level=config.level, accuracy_target=config.accuracy_target, seed=config.seed)

    def fit(self, observations: Observations) -> Self:
        """Estimate from the held-out misses of all probes.

        Raises:
            ValueError: no held-out counts, or a parameter out of range.
        """
        target = self._validated_target(observations.num_steps)
        misses, _, heldout = heldout_counts(observations)
        sizes, rates = rates_by_size(observations, misses / np.maximum(heldout, 1.0))
        defined = (heldout > 0) & (observations.class_sizes.max(axis=0) > 0)  # an absent class has no curve
        self._prepare(sizes, 1.0 - np.where(defined, rates, np.nan))
        if sizes.size >= LEAST_SIZES and defined.any():
            chosen = None if target is None else target[defined]
            self._estimate(sizes, rates[:, defined], heldout[defined], defined, chosen)
        self.flags_ = self._flags(defined, sizes)
        return self

    def _prepare(self, sizes: Floats, accuracy: Floats) -> None:
        steps = accuracy.shape[1]
        self.step_sizes_, self.step_intervals_ = np.full(steps, math.nan), np.full((steps, 2), math.nan)
        self.foundation_size_, self.interval_ = math.nan, (math.nan, math.nan)
        seen = ~np.isnan(accuracy[0])
        self.growth_ = {
            "sizes": sizes,
            "accuracy": accuracy,
            "set_accuracy": accuracy[:, seen].sum(axis=1) / max(int(seen.sum()), 1),
            "curve_sizes": sizes[-1] * np.exp(np.linspace(math.log(sizes[0] / sizes[-1]), math.log(16.0), 200)),
            "curve": np.full((200, steps), math.nan),
            "set_curve": np.full(200, math.nan),
            "limit": np.full(steps, math.nan),
        }

    def _estimate(
        self, sizes: Floats, rates: Floats, heldout: Floats, defined: NDArray[np.bool_], target: Floats | None
    ) -> None:
        times, weights = sizes / sizes[-1], np.sqrt(sizes)
        drawn = 1.0 - redraw_rates(rates, heldout, draws=self.draws, seed=self.seed)
        accuracy = 1.0 - rates
        form = best_form(times, accuracy, weights) if self.curve == "best" else accuracy_form(self.curve)
        fitted = fit_accuracy(times, accuracy, weights, form)
        self.step_sizes_[defined] = sizes[-1] * self._reached(fitted, target)
        again = self._refit(times, drawn, weights, form, target)
        self.step_intervals_[defined] = sizes[-1] * _interval(again, self.level)
        goal = None if target is None else target.mean(keepdims=True)
        whole = fit_accuracy(times, accuracy.mean(axis=1, keepdims=True), weights, form)
        self.foundation_size_ = float(sizes[-1] * self._reached(whole, goal)[0])
        again = self._refit(times, drawn.mean(axis=2, keepdims=True), weights, form, goal)
        low, high = sizes[-1] * _interval(again, self.level)[0]
        self.interval_ = (float(low), float(high))
        grid = self.growth_["curve_sizes"] / sizes[-1]
        self.growth_["curve"][:, defined] = fitted.predict(grid)
        self.growth_["set_curve"] = whole.predict(grid)[:, 0]
        self.growth_["limit"][defined] = fitted.limit

    def _refit(
        self, times: Floats, drawn: Floats, weights: Floats, form: AccuracyForm, target: Floats | None
    ) -> Floats:
        """Return the sizes [B, K], in multiples of the data, of the redrawn series [B, R, K].

        Few held-out samples make few different series; each is fitted once.
        """
        draws, count, steps = drawn.shape
        series = np.moveaxis(drawn, 1, 0).reshape(count, draws * steps)
        keyed = series if target is None else np.vstack([series, np.tile(target, draws)])
        _, first, place = np.unique(keyed, axis=1, return_index=True, return_inverse=True)
        goal = None if target is None else keyed[-1, first]
        reached = self._reached(fit_accuracy(times, series[:, first], weights, form), goal)
        return reached[place].reshape(draws, steps)

    def _reached(self, fit: AccuracyFit, target: Floats | None) -> Floats:
        """Return the sizes [M] in multiples of the data: 0 where met, inf where not within the horizon."""
        if target is None:
            lacking = fit.predict(2.0 * _TIMES) - fit.predict(_TIMES) - self.epsilon
        else:
            lacking = target - fit.predict(_TIMES)
        below = lacking > 1e-12
        last = _TIMES.size - 1 - below[::-1].argmax(axis=0)
        after = np.minimum(last + 1, _TIMES.size - 1)
        columns = np.arange(below.shape[1])
        before_gap, after_gap = lacking[last, columns], lacking[after, columns]
        drop = np.maximum(before_gap - after_gap, 1e-300)
        share = np.clip(before_gap / drop, 0.0, 1.0)
        logs = np.log(_TIMES)
        size = np.exp(logs[last] + share * (logs[after] - logs[last]))
        size = np.where(last == _TIMES.size - 1, np.inf, size)
        return np.where(below.any(axis=0), size, 0.0)

    def _validated_target(self, steps: int) -> Floats | None:
        check_shares(self, ("epsilon", "level"))
        if self.curve not in (*FORMS, "best"):
            raise ValueError(f"curve={self.curve!r} must be one of {[*FORMS, 'best']}")
        if self.draws < 20:
            raise ValueError(f"draws={self.draws} must be at least 20 for an interval")
        if self.accuracy_target is None:
            return None
        target = np.asarray(self.accuracy_target, dtype=np.float64)
        if target.shape not in ((), (steps,)) or not np.all((target > 0) & (target <= 1)):
            raise ValueError(f"accuracy_target={self.accuracy_target} must be one value or [{steps}], in (0, 1]")
        return np.broadcast_to(target, (steps,)).copy()

    def _flags(self, defined: NDArray[np.bool_], sizes: Floats) -> Flags:
        few = sizes.size < LEAST_SIZES
        flags: Flags = {}
        for j, size in enumerate(self.step_sizes_):
            flags[j] = size_flags(float(size), float(sizes[-1]), few=few)
        flags["set"] = size_flags(self.foundation_size_, float(sizes[-1]), few=few)
        if not defined.all():
            flags["set"].append("undefined_steps")
        return flags


def rates_by_size(observations: Observations, rates: Floats) -> tuple[Floats, Floats]:
    """Return mean sizes [R] in ascending order and mean rates [R, K] of the factors."""
    groups = [observations.factors == factor for factor in np.unique(observations.factors)]
    sizes = np.array([observations.sizes[rows].mean() for rows in groups], dtype=np.float64)
    order = np.argsort(sizes)
    means = np.stack([rates[rows].mean(axis=0) for rows in groups])
    return sizes[order], means[order]


def redraw_rates(rates: Floats, heldout: Floats, *, draws: int, seed: int) -> Floats:
    """Return error rates [B, R, K] redrawn on the same held-out samples at all sizes.

    A held-out sample has one latent difficulty u, uniform on [0, 1], and errs at the sizes whose error rate exceeds
    u. The counts, sorted by rate, are then successive binomials.
    """
    random = generator(seed, "learning_curve_bootstrap")
    order = np.argsort(-rates, axis=0)
    sorted_rates = np.take_along_axis(rates, order, axis=0)
    counts = np.empty((draws, *rates.shape))
    remaining = np.broadcast_to(heldout.astype(np.int64), (draws, heldout.size))
    previous = np.ones(heldout.size)
    for r, rate in enumerate(sorted_rates):
        share = np.where(previous > 0, rate / np.maximum(previous, 1e-300), 0.0)
        remaining = random.binomial(remaining, np.clip(share, 0.0, 1.0))
        counts[:, r], previous = remaining, rate
    result = np.empty_like(counts)
    np.put_along_axis(result, np.broadcast_to(order, counts.shape), counts / heldout, axis=1)
    return result


def _interval(sizes: Floats, level: float) -> Floats:
    """Return the quantiles [K, 2] of draws [B, K], which may be infinite."""
    ordered = np.sort(sizes, axis=0)
    rank = 0.5 * (1.0 - level) * (len(ordered) - 1)
    return np.stack([ordered[math.floor(rank)], ordered[math.ceil(len(ordered) - 1 - rank)]], axis=1)
