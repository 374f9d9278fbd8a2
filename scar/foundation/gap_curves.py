"""A small family of falling curves, fitted to gaps of all steps together, and the size at which they cross ε.

Every form is ``c · t^-s · (1 + (t / r)^b)^(-a / b)`` in t = n / n_max: flat or slowly falling while the probe can
still fit its whole training set, then falling with a local exponent that grows towards s + a. For a linear
probe a is about 1. The level c of each step is normal given the shape; the shape is a point of a grid whose
distribution over the steps is estimated from all of them (empirical Bayes). The posterior is therefore a finite
mixture of normals, and the distribution of the crossing has a closed form: nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

from scar.common.types import Floats
from scar.foundation.gaps import Gaps
from scar.foundation.reach import HORIZON

DISCREPANCY = 0.1
"""Relative error of a form per unit of log size below the largest size: small sizes count less."""
DRIFT = 0.3
"""Relative error of a form per unit of log size beyond the largest size, in the intervals. On the linear probes
that it was chosen on, 95 % intervals held the measured crossing in 88 % (steps) and 99 % (set) of cases; the
noise of that measurement counts as a miss."""
TEMPER = 0.25
"""Power of the backtest's likelihood: the steps err alike, so that their scores are not independent."""
ROUNDS = 40
"""Rounds of the estimation of the distribution of shapes."""

_TIMES = np.exp(np.linspace(np.log(0.02), np.log(HORIZON), 180))


@dataclass(frozen=True, eq=False)
class CurveForm:
    """A grid of G shapes with a prior.

    Attributes:
        name: of the form.
        weight: prior probability of the form.
        slope, exponent, turn, sharpness: [G] the s, a, r and b of the module's formula.
        log_prior: [G] logarithms of probabilities that sum to 1.
    """

    name: str
    weight: float
    slope: Floats
    exponent: Floats
    turn: Floats
    sharpness: Floats
    log_prior: Floats

    def values(self, times: Floats) -> Floats:
        """Return the curves [G, T] at t [T], scaled to 1 at t = 1."""

        def logarithm(t: Floats) -> Floats:
            bend = np.log1p((t / self.turn[:, None]) ** self.sharpness[:, None])
            straight = self.slope[:, None] * np.log(t)
            return np.asarray(-straight - (self.exponent / self.sharpness)[:, None] * bend)

        return np.exp(logarithm(times) - logarithm(np.ones(1)))


def curve_forms(decay: float) -> list[CurveForm]:
    """Return the family.

    ``saturating``: a share ``1 / (1 + (t / r)^b)`` of the held-out error, which itself falls like ``t^-decay``.
    ``logistic`` and ``shifted``: from flat to ``t^-a``, sharply or slowly. ``power``: ``t^-a``.

    Args:
        decay: exponent s of the held-out error at the largest sizes.
    """
    powers = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5])
    late = np.exp(np.linspace(np.log(0.03), np.log(10.0), 14))
    wide = np.exp(np.linspace(np.log(0.02), np.log(8.0), 24))
    plain = np.append(np.arange(0.15, 1.3, 0.1), 1.4)
    a, r = (grid.ravel() for grid in np.meshgrid(powers, late, indexing="ij"))
    b, q = (grid.ravel() for grid in np.meshgrid(np.arange(0.7, 2.3, 0.1), wide, indexing="ij"))
    power_prior = -0.5 * ((a - 1.0) / 0.15) ** 2 - 0.5 * np.log(r / 0.3) ** 2
    share_prior = -0.5 * ((b - 1.15) / 0.25) ** 2 - 0.5 * (np.log(q / 0.5) / 1.5) ** 2
    one = np.ones_like
    return [
        CurveForm("saturating", 0.6, decay * one(b), b, q, b, _normalised(share_prior)),
        CurveForm("logistic", 0.2, 0.0 * a, a, r, 2.0 * one(a), _normalised(power_prior)),
        CurveForm("shifted", 0.15, 0.0 * a, a, r, one(a), _normalised(power_prior)),
        CurveForm(
            "power", 0.05, plain, 0.0 * plain, one(plain), one(plain), _normalised(-0.5 * ((plain - 1.0) / 0.15) ** 2)
        ),
    ]


@dataclass(frozen=True, eq=False)
class CurvePosterior:
    """One form fitted to K steps: for each shape its probability [K, G] and the level's mean and error [K, G]."""

    form: CurveForm
    largest: float
    probability: Floats
    level: Floats
    error: Floats

    def below(self, threshold: float, times: Floats) -> Floats:
        """Return the probabilities [K, T] that the curve lies below the threshold at t [T]."""
        keep = self.probability.max(axis=0) > 1e-4
        weight = self.probability[:, keep] / self.probability[:, keep].sum(axis=1, keepdims=True)
        curves = self.form.values(times)[keep]
        drift = DRIFT * np.log(np.maximum(times, 1.0))
        result = np.empty((weight.shape[0], times.size))
        for i, curve in enumerate(curves.T):
            mean = self.level[:, keep] * curve
            error = np.hypot(self.error[:, keep] * curve, mean * drift[i])
            result[:, i] = (weight * ndtr((threshold - mean) / error)).sum(axis=1)
        return result

    def mean(self, times: Floats) -> Floats:
        """Return the expected curves [T, K] at t [T]."""
        return ((self.probability * np.maximum(self.level, 0.0)) @ self.form.values(times)).T

    def log_density(self, size: float, gap: Floats, variance: Floats) -> Floats:
        """Return the log predictive density [K] of gaps [K] at another size, with the variance [K] of their noise."""
        curve = self.form.values(np.array([size / self.largest]))[:, 0]
        drift = DRIFT * np.log(size / self.largest) * np.maximum(gap, 0.0)
        total = (self.error * curve) ** 2 + (variance + drift**2)[:, None]
        exponent = -0.5 * (gap[:, None] - self.level * curve) ** 2 / total - 0.5 * np.log(2.0 * np.pi * total)
        return _log_sum(exponent + np.log(np.maximum(self.probability, 1e-300)))


def fit_form(gaps: Gaps, form: CurveForm) -> CurvePosterior:
    """Fit one form to all steps together."""
    times = gaps.sizes / gaps.sizes[-1]
    curves = form.values(times)
    precision = gap_precision(gaps, times)
    flat = curves[:, :, None] * curves[:, None, :]
    information = np.tensordot(precision, flat, axes=([1, 2], [1, 2]))
    score = np.einsum("krs,sk->kr", precision, gaps.gap) @ curves.T
    level, spread = _level_prior(information, score, form.log_prior)
    total = information + 1.0 / spread**2
    mean, error = (score + level / spread**2) / total, total**-0.5
    evidence = 0.5 * mean**2 * total - 0.5 * np.log(total) + log_ndtr(mean / error)
    log_shapes = form.log_prior
    steps = gaps.gap.shape[1]
    for _ in range(ROUNDS if steps > 1 else 0):
        shares = _softmax(evidence + log_shapes)
        log_shapes = np.log((shares.sum(axis=0) + 0.5 * np.exp(form.log_prior)) / (steps + 0.5))
    return CurvePosterior(form, float(gaps.sizes[-1]), _softmax(evidence + log_shapes), mean, error)


@dataclass(frozen=True, eq=False)
class CurveMixture:
    """The forms with the probabilities that backtesting gives them."""

    posteriors: Sequence[CurvePosterior]
    weights: Floats

    def below(self, threshold: float) -> tuple[Floats, Floats]:
        """Return sizes [T] and the probabilities [K, T] that the gap has fallen below the threshold for good."""
        shares = zip(self.weights, self.posteriors, strict=True)
        probability = sum(weight * each.below(threshold, _TIMES) for weight, each in shares)
        return _TIMES * self.posteriors[0].largest, np.maximum.accumulate(probability, axis=1)

    def mean(self, sizes: Floats) -> Floats:
        """Return the expected gaps [T, K] at sizes n [T]."""
        times = sizes / self.posteriors[0].largest
        shares = zip(self.weights, self.posteriors, strict=True)
        return np.asarray(sum(weight * each.mean(times) for weight, each in shares))


def fit_mixture(gaps: Gaps) -> CurveMixture:
    """Fit every form and weigh them by how well they predict the largest sizes from the smaller ones."""
    forms = curve_forms(_decay(gaps))
    scores = np.log([form.weight for form in forms])
    temper = TEMPER / np.sqrt(gaps.gap.shape[1])
    for left_out in (1, 2):
        if gaps.sizes.size - left_out < 2:
            continue
        past = gaps.without_largest(left_out)
        for f, form in enumerate(curve_forms(_decay(past))):
            posterior = fit_form(past, form)
            for i in range(past.sizes.size, gaps.sizes.size):
                density = posterior.log_density(float(gaps.sizes[i]), gaps.gap[i], gaps.own[i])
                scores[f] += temper * density.sum() / left_out
    return CurveMixture([fit_form(gaps, form) for form in forms], _softmax(scores))


def quantiles(sizes: Floats, probability: Floats, shares: Sequence[float]) -> Floats:
    """Return the sizes [K, Q] at which distribution functions [K, T] on a grid of sizes [T] reach the shares [Q].

    0 before the first size of the grid, inf beyond its last.
    """
    logs = np.log(sizes)
    rows = [np.interp(shares, row, logs, left=-np.inf, right=np.inf) for row in probability]
    return np.exp(np.array(rows))


def _decay(gaps: Gaps) -> float:
    """Return the exponent of the mean held-out error at the three largest sizes, within [0, 0.5]."""
    x, y = np.log(gaps.sizes[-3:]), np.log(np.maximum(gaps.heldout_error[-3:], 1e-6))
    x = x - x.mean()
    return float(np.clip(-(x * y).sum() / (x**2).sum(), 0.0, 0.5))


def gap_precision(gaps: Gaps, times: Floats, discrepancy: float = DISCREPANCY) -> Floats:
    """Return the inverse covariance [K, R, R] of the gaps, the misfit of any form at small sizes included."""
    typical = np.maximum(gaps.gap.mean(axis=1), 1e-4)
    level = np.maximum(typical @ gaps.gap / (typical**2).sum(), 0.2)
    misfit = discrepancy * np.log(1.0 / times)[:, None] * typical[:, None] * level
    diagonal = (gaps.own + misfit**2).T[:, :, None] * np.eye(times.size)
    return np.linalg.inv(gaps.common + diagonal)


def _level_prior(information: Floats, score: Floats, log_prior: Floats) -> tuple[float, float]:
    """Return mean and spread of the levels over the steps at the shape that fits them best together."""
    evidence = 0.5 * score**2 / information - 0.5 * np.log(information)
    best = int((log_prior + evidence.sum(axis=0) / np.sqrt(len(score))).argmax())
    level, noise = score[:, best] / information[:, best], 1.0 / information[:, best]
    weight = 1.0 / (noise + level.var() + 1e-12)
    centre = max(float(weight @ level / weight.sum()), 1e-4)
    return centre, float(np.sqrt(max(level.var() - noise.mean(), centre**2)))


def _normalised(logs: Floats) -> Floats:
    return np.asarray(logs - _log_sum(logs[None])[0])


def _log_sum(logs: Floats) -> Floats:
    top = logs.max(axis=-1, keepdims=True)
    return np.asarray((top + np.log(np.exp(logs - top).sum(axis=-1, keepdims=True)))[..., 0])


def _softmax(logs: Floats) -> Floats:
    return np.asarray(np.exp(logs - _log_sum(logs)[..., None]))
