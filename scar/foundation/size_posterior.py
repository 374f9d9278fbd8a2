"""Posterior of falling curves: one prior over shapes for a set, levels and exponents that classes share in part.

Every curve is ``L · t^-δ · S(t)`` in t = n / n_max with ``S(t) = f + (1 - f) t^-s ((1 + t / r) / (1 + 1 / r))^-a``. For a gap
these are pure power laws (a = f = 0), whose exponent s has a wide prior, and curves that bend from a slow to a faster
power, the likelier the more the training error still rises; for an error, power laws above a floor f. What a shape is
worth is told by the pooled curve of all classes. The exponent of a class departs from it by δ, and its level L is
log-normal around ``exp(μ) (m / m_j)^β`` with a spread τ, where μ, β and τ are told by the other classes. Everything is
a sum over a grid, so that the distribution of the size at which a curve falls to ε has a closed form and nothing is
resampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import logsumexp, ndtr

from scar.common.types import Floats
from scar.foundation.gap_curves import gap_precision
from scar.foundation.gaps import Gaps
from scar.foundation.reach import HORIZON

POWER_WEIGHT = 0.8
"""Prior probability that a gap is a pure power law, where the training error does not rise."""
RISE = 0.1
"""Rise of the training error, as a share of the held-out error per unit of log size, at which that falls to 1 / e of it."""
EXPONENT = (0.4, 0.25)
"""Mean and spread of the prior of its exponent, cut to 0.05 … 1.6."""
LATE = (1.3, 0.4)
"""Mean and spread of the late exponent of the gaps that bend."""
TURN = (1.0, 1.0)
"""Median and logarithmic spread of their turn r."""
DEPARTURE = 0.3
"""Spread of the exponents of classes around that of the set."""
ODD = (0.35, 1.3)
"""Share of classes whose level is unlike that of the others, and the logarithmic spread of these."""
DISCREPANCY = 0.03
"""Relative error of every curve per unit of log size below the largest size: small sizes count less."""
DRIFT = 0.05
"""Relative error of every curve per unit of log size beyond the largest size."""
TIMES = np.exp(np.linspace(np.log(0.02), np.log(HORIZON), 120))
"""Sizes, in multiples of the largest observed one, at which the distribution of a crossing is evaluated."""

_LEVELS = 72
_LEAST, _MOST = np.log(1e-5), np.log(1.6)
_SPREADS = np.array([0.1, 0.2, 0.35, 0.6, 1.0, 1.6])
_TILTS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_CENTRES = np.linspace(np.log(5e-4), np.log(0.5), 60)
_DEPARTURES = np.linspace(-2.0, 2.0, 5)
_NEGLIGIBLE = 1e-3
_SURE = 9.0
# Standard deviations beyond which a normal distribution function is 0 or 1 to the last digit.


@dataclass(frozen=True, eq=False)
class Shapes:
    """A grid of G shapes: early exponent s, added exponent a, turn r, floor f and log prior probability, [G] each."""

    slope: Floats
    bend: Floats
    turn: Floats
    floor: Floats
    log_prior: Floats

    def logs(self, times: Floats) -> Floats:
        """Return the logarithms [G, T] of the shapes at t [T]; 0 at t = 1."""
        turn, floor = self.turn[:, None], self.floor[:, None]
        bent = np.log1p(times / turn) - np.log1p(1.0 / turn)
        falling = -self.slope[:, None] * np.log(times) - self.bend[:, None] * bent
        return np.asarray(np.log(floor + (1.0 - floor) * np.exp(falling)))


def power_weight(gaps: Gaps) -> float:
    """Return the prior probability that the gaps are pure power laws.

    A probe that fits its training set leaves a gap as large as its held-out error. As it ceases to fit, its training
    error rises and the gap falls faster. So a rise of the training error over the three largest sizes speaks against
    power laws.

    Args:
        gaps: of all steps, all defined.
    """
    x = np.log(gaps.sizes[-3:])
    x = x - x.mean()
    training = (gaps.heldout_error - gaps.gap.mean(axis=1))[-3:]
    rise = (x @ training) / (x @ x) / max(float(gaps.heldout_error[-1]), 1e-6)
    return float(POWER_WEIGHT * np.exp(-np.clip(rise, 0.0, 1.0) / RISE))


def gap_shapes(power: float = POWER_WEIGHT) -> Shapes:
    """Return the shapes of a gap: pure power laws, and curves that turn from ``t^-s`` to ``t^-(s + a)``.

    Args:
        power: prior probability of the power laws, above 0; see `power_weight`.
    """
    plain, bent = _power_laws(), _bends()
    slope, bend, turn, floor, log_prior = (np.append(*both) for both in zip(plain, bent, strict=True))
    weights = np.repeat([power, 1.0 - power], [plain[0].size, bent[0].size])
    return Shapes(slope, bend, turn, floor, log_prior + np.log(weights))


@cache
def _power_laws() -> tuple[Floats, ...]:
    """Return the fields of `Shapes` of pure power laws, by themselves."""
    powers = np.arange(0.05, 1.61, 0.05)
    none = np.zeros_like(powers)
    prior = -0.5 * ((powers - EXPONENT[0]) / EXPONENT[1]) ** 2
    return powers, none, none + 1.0, none, _normalised(prior)


@cache
def _bends() -> tuple[Floats, ...]:
    """Return the fields of `Shapes` of curves that bend, by themselves."""
    turns = np.exp(np.log(TURN[0]) + TURN[1] * np.linspace(-2.0, 3.0, 6))
    early, late, turn = (
        each.ravel() for each in np.meshgrid([0.0, 0.2, 0.4, 0.6], [0.7, 0.9, 1.1, 1.3, 1.6, 2.0], turns, indexing="ij")
    )
    prior = -0.5 * ((late - LATE[0]) / LATE[1]) ** 2 - 0.5 * (np.log(turn / TURN[0]) / TURN[1]) ** 2
    return early, late - early, turn, np.zeros_like(early), _normalised(prior)


@cache
def error_shapes() -> Shapes:
    """Return the shapes of an error: power laws above a floor, all alike before anything is seen."""
    floors = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98])
    slope, floor = (each.ravel() for each in np.meshgrid(np.arange(0.1, 1.21, 0.1), floors, indexing="ij"))
    none = np.zeros_like(slope)
    return Shapes(slope, none, none + 1.0, floor, none - np.log(slope.size))


@dataclass(frozen=True, eq=False)
class SizePosterior:
    """Weighted curves of K subjects.

    Attributes:
        largest: size n_max, where t = 1.
        shapes: of the grid.
        weight: for each subject the probabilities [Q] of its curves.
        level: their logarithms [Q] at t = 1.
        shape: their shapes [Q].
        departure: their δ [Q].
    """

    largest: float
    shapes: Shapes
    weight: list[Floats]
    level: list[Floats]
    shape: list[Floats]
    departure: list[Floats]

    def below(self, threshold: float, times: Floats = TIMES) -> Floats:
        """Return the probabilities [K, T] that the curve has fallen below a threshold at t [T]."""
        error, shapes = _drift(times), self.shapes.logs(times)
        found = np.empty((len(self.weight), times.size))
        for k, weight in enumerate(self.weight):
            away = (np.log(threshold) - self._logs(k, times, shapes)) / error
            share = (away > 0).astype(np.float64)
            open_ = np.abs(away) < _SURE
            share[open_] = ndtr(away[open_])
            found[k] = weight @ share
        return np.maximum.accumulate(found, axis=1)

    def centre(self, times: Floats) -> Floats:
        """Return the geometric means [K, T] of the curves at t [T]."""
        of_shape = [np.bincount(h, w, self.shapes.slope.size) for w, h in zip(self.weight, self.shape, strict=True)]
        level, departure = (
            np.array([w @ each for w, each in zip(self.weight, values, strict=True)])
            for values in (self.level, self.departure)
        )
        logs = level[:, None] + np.array(of_shape) @ self.shapes.logs(times) - np.outer(departure, np.log(times))
        return np.asarray(np.exp(logs))

    def quantiles(self, k: int, times: Floats, shares: Floats) -> Floats:
        """Return the quantiles [T, S] of the curve of subject k at t [T]."""
        grid, logs = np.linspace(_LEAST, _MOST, 600), self._logs(k, times, self.shapes.logs(times))
        found = np.empty((times.size, len(shares)))
        for i, error in enumerate(_drift(times)):
            place = np.clip((logs[:, i] - grid[0]) / (grid[1] - grid[0]), 0.0, grid.size - 1.001)
            low = place.astype(np.int64)
            mass = np.bincount(low, self.weight[k] * (1.0 - place + low), minlength=grid.size)
            mass += np.bincount(low + 1, self.weight[k] * (place - low), minlength=grid.size)
            found[i] = np.interp(shares, mass @ ndtr((grid - grid[:, None]) / error), grid)
        return np.asarray(np.exp(found))

    def _logs(self, k: int, times: Floats, shapes: Floats) -> Floats:
        return np.asarray(self.level[k][:, None] + shapes[self.shape[k]] - self.departure[k][:, None] * np.log(times))


def fit_curve(curve: Gaps, shapes: Shapes) -> SizePosterior:
    """Fit one curve by itself, with a vague prior of its level."""
    times = curve.sizes / curve.sizes[-1]
    ((score, information),) = _evidence(curve, np.exp(shapes.logs(times)), times)
    nodes = _nodes(score, information)
    logs = shapes.log_prior[:, None] + _log_likelihood(nodes, score[:, None], information[:, None])
    weight, shape, node = _kept(logs - 0.5 * ((nodes - np.log(0.03)) / 2.0) ** 2)
    return SizePosterior(float(curve.sizes[-1]), shapes, [weight], [nodes[node]], [shape], [np.zeros_like(weight)])


def fit_classes(gaps: Gaps, class_sizes: Floats, shapes: Shapes, *, noise: float = 1.0) -> SizePosterior:
    """Fit the curves of K classes together; see the module.

    Args:
        gaps: of the classes, all defined.
        class_sizes: [K] training samples of each.
        shapes: the grid.
        noise: of their mean, see `scar.foundation.gaps.mean_noise`.
    """
    times = gaps.sizes / gaps.sizes[-1]
    precise = 1.0 / (gaps.own[-1] + gaps.common[:, -1, -1])
    pooled = fit_curve(gaps.mean(precise / precise.sum()).noisier(noise), shapes)
    share = np.bincount(pooled.shape[0], pooled.weight[0], minlength=shapes.slope.size)
    likely = np.flatnonzero(share > _NEGLIGIBLE)
    share = share[likely, None, None] / share[likely].sum()
    departures = DEPARTURE * _DEPARTURES
    prior = _normalised(-0.5 * _DEPARTURES**2)[:, None]
    values = np.exp(shapes.logs(times)[likely][:, None] - departures[:, None] * np.log(times))  # [H, D, R]
    nodes, logs = [], []  # per class log levels [L], log likelihoods [H, D, L]
    for score, information in _evidence(gaps, values, times):
        nodes.append(_nodes(score, information))
        logs.append(prior + _log_likelihood(nodes[-1], score[..., None], information[..., None]))
    of_level = [logsumexp(np.log(share) + each, axis=(0, 1)) for each in logs]
    size = np.log(np.maximum(class_sizes, 1.0))
    weight, level, shape, departure = [], [], [], []
    for node, each, told in zip(nodes, logs, _level_priors(nodes, of_level, size.mean() - size), strict=True):
        own = each + told  # what a shape is worth the pooled curve has said, which holds this class
        own += np.log(share) - logsumexp(own, axis=(1, 2), keepdims=True)
        kept, h, d, n = _kept(own)
        weight.append(kept)
        level.append(node[n])
        shape.append(likely[h])
        departure.append(departures[d])
    return SizePosterior(float(gaps.sizes[-1]), shapes, weight, level, shape, departure)


def _evidence(curves: Gaps, values: Floats, times: Floats) -> list[tuple[Floats, Floats]]:
    """Return for each curve ``vᵀ P g`` and ``vᵀ P v`` [...] of values v [..., R], P the precision of the gaps g."""
    found = []
    for precision, gap in zip(gap_precision(curves, times, DISCREPANCY), curves.gap.T, strict=True):
        weighted = values @ precision
        found.append((weighted @ gap, (weighted * values).sum(axis=-1)))
    return found


def _log_likelihood(nodes: Floats, score: Floats, information: Floats) -> Floats:
    """Return the log likelihood of log levels, up to a constant: ``L vᵀPg - L² vᵀPv / 2``."""
    level = np.exp(nodes)
    return np.asarray(level * score - 0.5 * level**2 * information)


def _nodes(score: Floats, information: Floats) -> Floats:
    """Return log levels [L], evenly spaced over all that a curve can have at any likely shape."""
    mean, error = score / information, information**-0.5
    gain = 0.5 * np.maximum(mean, 0.0) ** 2 * information
    likely = gain > gain.max() - 12.0
    low, high = (mean - 4.5 * error)[likely].min(), (mean + 4.5 * error)[likely].max()
    bottom = float(np.clip(np.log(max(low, 1e-300)), _LEAST, _MOST - 0.1))
    top = float(np.clip(np.log(max(high, 1e-300)), bottom + 0.05, _MOST))
    return np.linspace(bottom, top, _LEVELS)


def _level_priors(nodes: list[Floats], logs: list[Floats], tilt: Floats) -> list[Floats]:
    """Return for each class the log prior of its level at its nodes [L], as the other classes tell it.

    Args:
        nodes: of each class, [L], evenly spaced.
        logs: log likelihoods there.
        tilt: [K] how much smaller than the others the class is, on the log scale.
    """
    centre, slope, spread = np.meshgrid(_CENTRES, _TILTS, _SPREADS, indexing="ij")
    hyper = -0.5 * (np.log(spread / 0.7) / 0.7) ** 2 - 0.5 * ((slope - 0.5) / 0.3) ** 2
    hyper = hyper - 0.5 * ((centre - np.log(0.03)) / 2.0) ** 2
    told = np.stack([_told(*each) for each in zip(nodes, logs, tilt, strict=True)])  # [K, C, T, S]
    weights = hyper + told.sum(axis=0) - told  # what the other classes and the prior say
    weights = np.exp(weights - weights.max(axis=(1, 2, 3), keepdims=True))
    weights /= weights.sum(axis=(1, 2, 3), keepdims=True)
    return [_prior(*each) for each in zip(nodes, weights, tilt, strict=True)]


def _told(nodes: Floats, logs: Floats, smaller: float) -> Floats:
    """Return how likely the data of a class are [C, T, S] at centres, tilts and spreads of the levels, up to a constant."""
    top = logs.max()
    like = _densities(nodes, smaller) @ np.exp(logs - top)
    return np.asarray(np.log(like @ _MIXTURE) + top)


def _prior(nodes: Floats, weights: Floats, smaller: float) -> Floats:
    """Return the log prior [L] of a level at its nodes for the weights [C, T, S] of centres, tilts and spreads."""
    mixed = np.tensordot(weights @ _MIXTURE.T, _densities(nodes, smaller), axes=3)
    return np.asarray(np.log(mixed) + np.log(nodes[1] - nodes[0]))


def _densities(nodes: Floats, smaller: float) -> Floats:
    """Return ``exp(-z²/2)`` [C, T, W, L] of the nodes around each centre, by the tilt, for every width of `_WIDTHS`."""
    away = nodes - (_CENTRES[:, None] + _TILTS * smaller)[:, :, None, None]
    return np.asarray(np.exp(-0.5 * (away / _WIDTHS[:, None]) ** 2))


def _mixture() -> tuple[Floats, Floats]:
    """Return the widths [W] of classes that are like the others and of those that are not, and the factors [W, S] at each spread."""
    odd = np.maximum(_SPREADS, ODD[1])
    widths = np.unique(np.append(_SPREADS, odd))
    factors = np.zeros((widths.size, _SPREADS.size))
    for s in range(_SPREADS.size):
        for share, width in ((1.0 - ODD[0], _SPREADS[s]), (ODD[0], odd[s])):
            factors[np.searchsorted(widths, width), s] += share / width
    return widths, factors


_WIDTHS, _MIXTURE = _mixture()


def _kept(logs: Floats) -> tuple[Floats, ...]:
    """Return the weights of what is not negligible, renormalised, and its index along each axis."""
    weight = np.exp(logs - logs.max())
    order = np.sort(weight, axis=None)[::-1]
    reached = int(np.searchsorted(np.cumsum(order) / order.sum(), 1.0 - _NEGLIGIBLE))
    index = np.nonzero(weight >= order[min(reached, order.size - 1)])
    kept = weight[index]
    return (kept / kept.sum(), *index)


def _drift(times: Floats) -> Floats:
    return np.asarray(np.maximum(DRIFT * np.log(np.maximum(times, 1.0)), 1e-3))


def _normalised(logs: Floats) -> Floats:
    return np.asarray(logs - logsumexp(logs))
