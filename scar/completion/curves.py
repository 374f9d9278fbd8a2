"""Per-class learning curves: what a class of a given size would reach on the held-out part, with uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.measures.observations import Observations

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXPONENTS = np.linspace(0.05, 1.5, 24)
"""Exponents that are tried."""
DRAWS = 100
"""Redrawn curves behind an interval."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassCurves:
    """Power laws ``recall_j(m) = limit_j - drop_j (m / scale_j)^(-exponent)`` in the size m of the class itself.

    They are fitted to down-sampled sets in which all classes shrink together, and read as if the other classes stood
    still: the assumption of Slice Tuner (Tae and Whang, 2021). Row 0 of the parameters is the fit, the others are
    fits to redrawn held-out counts.

    Attributes:
        scale: [K] class sizes of the training set that was observed.
        limit, drop: [1 + B, K] parameters; NaN for a class without held-out samples.
        exponent: [1 + B, K].
        shares: [K] share of each class in the held-out part: the natural class mix.
    """

    scale: Floats
    limit: Floats
    drop: Floats
    exponent: Floats
    shares: Floats

    @property
    def defined(self) -> NDArray[np.bool_]:
        """[K] whether there is a curve."""
        return np.asarray(np.isfinite(self.limit[0]))

    def recall(self, sizes: ArrayLike) -> Floats:
        """Return the recalls [1 + B, …, K] of classes of the given sizes [..., K]; 0 for a class without samples."""
        given = np.asarray(sizes, dtype=np.float64)
        inner = (slice(None), *(None,) * (given.ndim - 1), slice(None))
        relative = np.maximum(given, 1.0) / self.scale
        values = self.limit[inner] - self.drop[inner] * relative ** -self.exponent[inner]
        return np.where(given > 0, np.clip(values, 0.0, 1.0), np.where(np.isnan(values), np.nan, 0.0))


def fit_curves(observations: Observations, counts: Ints, *, draws: int = DRAWS, seed: int = 0) -> ClassCurves | None:
    """Fit the curves to the held-out misses of all probes.

    Limit and drop belong to each class, the exponent is the one that fits all classes best: an exponent of its own is
    not identified by a handful of sizes and a few dozen held-out samples. A flat curve (a class that more samples did
    not help) has a drop of 0. A class that the training set lacks takes the curve of the smallest class there is.

    Args:
        observations: of the training set, with held-out counts.
        counts: [K] class sizes of that training set.
        draws: B; the counts are redrawn with nested errors, as in `scar.foundation.learning_curve`.
        seed: of the draws.

    Returns:
        The curves, or None without held-out counts or with fewer than three sizes.
    """
    from scar.foundation.learning_curve import LEAST_SIZES, rates_by_size, redraw_rates

    if observations.heldout_misses is None or observations.heldout_class_sizes is None:
        return None
    heldout = observations.heldout_class_sizes.astype(np.float64)
    sizes, rates = rates_by_size(observations, observations.heldout_misses / np.maximum(heldout, 1.0))
    if len(sizes) < LEAST_SIZES:
        return None
    usable = (heldout > 0) & (counts > 0)
    shape = (1 + draws, len(counts))
    limit, drop, exponent = (np.full(shape, np.nan) for _ in range(3))
    if usable.any():
        smooth = (rates * heldout + 0.5) / (heldout + 1.0)  # a class without a miss would be redrawn without any
        drawn = redraw_rates(smooth[:, usable], heldout[usable], draws=draws, seed=seed)
        recalls = 1.0 - np.concatenate([rates[None, :, usable], drawn])
        fitted = _fit(sizes / sizes[-1], recalls, np.sqrt(sizes), heldout[usable])
        limit[:, usable], drop[:, usable], exponent[:, usable] = fitted
    curves = ClassCurves(
        scale=np.maximum(counts, 1).astype(np.float64),
        limit=limit,
        drop=drop,
        exponent=exponent,
        shares=heldout / heldout.sum(),
    )
    return _with_unseen(curves, usable, unseen=(heldout > 0) & (counts == 0))


def _fit(times: Floats, recalls: Floats, weights: Floats, heldout: Floats) -> tuple[Floats, Floats, Floats]:
    """Return limit, drop and exponent, each [B, K], of recalls [B, R, K] at sizes t [R] in multiples of the largest."""
    from scar.foundation.accuracy_curves import AccuracyForm, fit_accuracy

    draws, count, steps = recalls.shape
    series = np.moveaxis(recalls, 1, 0).reshape(count, draws * steps)
    zero = np.zeros(1)
    best = np.full(draws, np.inf)
    limit, drop, exponent = (np.zeros((draws, steps)) for _ in range(3))
    for power in EXPONENTS:
        form = AccuracyForm("power_law", np.array([power]), zero, zero, lambda t, g, _: -(t**-g))
        fit = fit_accuracy(times, series, weights, form)
        squares = fit.squares.reshape(draws, steps) @ heldout
        better = squares < best
        best = np.where(better, squares, best)
        limit[better] = fit.intercept.reshape(draws, steps)[better]
        drop[better] = fit.slope.reshape(draws, steps)[better]
        exponent[better] = power
    return limit, drop, exponent


def _with_unseen(curves: ClassCurves, seen: NDArray[np.bool_], unseen: NDArray[np.bool_]) -> ClassCurves:
    """Lend the curve of the smallest class to classes that the training set lacks."""
    if not unseen.any() or not seen.any():
        return curves
    lender = int(np.argmin(np.where(seen, curves.scale, np.inf)))

    def lent(values: Floats) -> Floats:
        return np.where(unseen, values[..., lender, None], values)

    return replace(
        curves,
        scale=lent(curves.scale),
        limit=lent(curves.limit),
        drop=lent(curves.drop),
        exponent=lent(curves.exponent),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Forecast:
    """What the curves expect of G sets of class sizes; each [G, 3]: value, low, high.

    Attributes:
        accuracy: at the natural class mix.
        balanced_accuracy: mean recall.
        gain: accuracy less that of the present sizes, by the same redrawn curves.
        balanced_gain: likewise.
    """

    accuracy: Floats
    balanced_accuracy: Floats
    gain: Floats
    balanced_gain: Floats


def forecast(curves: ClassCurves, sizes: ArrayLike, *, now: Ints, level: float) -> Forecast:
    """Return what the curves expect of class sizes [G, K], compared with the present sizes [K].

    The intervals are the wider of the percentile and the basic bootstrap at either end. On planted power laws of 8
    classes, 90 % intervals of the gain from doubling held the truth in 84, 90 and 92 % of cases with 30, 60 and 300
    held-out samples per class. They hold the noise of the held-out part; they know nothing of a wrong form, nor of
    classes that compete.
    """
    kept = curves.defined
    recalls, before = curves.recall(np.asarray(sizes))[..., kept], curves.recall(now)[:, None, kept]
    shares = curves.shares[kept] / max(curves.shares[kept].sum(), 1e-12)

    def summed(values: Floats) -> Floats:
        if not kept.any():
            return np.full((values.shape[1], 3), np.nan)
        low, high = np.quantile(values[1:], [0.5 - level / 2, 0.5 + level / 2], axis=0)
        low, high = np.minimum(low, 2 * values[0] - high), np.maximum(high, 2 * values[0] - low)
        return np.stack([values[0], low, high], axis=1)

    return Forecast(
        accuracy=summed(recalls @ shares),
        balanced_accuracy=summed(recalls.sum(axis=-1) / max(kept.sum(), 1)),
        gain=summed((recalls - before) @ shares),
        balanced_gain=summed((recalls - before).sum(axis=-1) / max(kept.sum(), 1)),
    )
