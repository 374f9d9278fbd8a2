"""Per-class learning curves: what a class of a given size would reach on the held-out part, with uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.randomness import generator
from scar.common.types import Floats, Ints
from scar.completion.curve_fit import fit_mixed
from scar.measures.observations import Observations

DRAWS = 100
"""Drawn curves."""
LEAST_SIZES = 3
"""A curve has three parameters."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassCurves:
    """Power laws ``recall_j(m) = limit_j - drop_j (m / scale_j)^(-exponent)`` in the size m of the class itself.

    They are fitted to down-sampled sets in which all classes shrink together, and read as if the other classes stood
    still: the assumption of Slice Tuner (Tae and Whang, 2021). Planners order classes by them; what a plan brings is
    forecast by `scar.completion.forecast`, which sees classes compete. Row 0 of the parameters is the fit, the others are
    drawn from its posterior.

    Attributes:
        scale: [K] class size at which `drop` is the distance from the limit.
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

    def borrow(self, classes: NDArray[np.bool_]) -> ClassCurves:
        """Return the same curves but for some classes [K], which take the mean curve of the other defined ones."""
        lenders = self.defined & ~classes
        if not lenders.any():
            return self
        lent = {
            name: np.where(classes, getattr(self, name)[:, lenders].mean(axis=1, keepdims=True), getattr(self, name))
            for name in ("limit", "drop", "exponent")
        }
        typical = np.exp(np.log(self.scale[lenders]).mean())
        return replace(self, scale=np.where(classes, typical, self.scale), **lent)

    def recall(self, sizes: ArrayLike) -> Floats:
        """Return the recalls [1 + B, …, K] of classes of the given sizes [..., K]; 0 for a class without samples."""
        given = np.asarray(sizes, dtype=np.float64)
        inner = (slice(None), *(None,) * (given.ndim - 1), slice(None))
        relative = np.maximum(given, 1.0) / self.scale
        values = self.limit[inner] - self.drop[inner] * relative ** -self.exponent[inner]
        return np.where(given > 0, np.clip(values, 0.0, 1.0), np.where(np.isnan(values), np.nan, 0.0))


def fit_curves(observations: Observations, counts: Ints, *, draws: int = DRAWS, seed: int = 0) -> ClassCurves | None:
    """Fit the curves of all classes together to the held-out misses of all probes; see `curve_fit`.

    A class that the training set lacks takes the mean curve of the others.

    Args:
        observations: of the training set, with held-out counts.
        counts: [K] class sizes of that training set.
        draws: B.
        seed: of the draws.

    Returns:
        The curves, or None without held-out counts, with fewer than three sizes, or without any class that is both
        held out and trained on.
    """
    if observations.heldout_misses is None or observations.heldout_class_sizes is None:
        return None
    heldout = observations.heldout_class_sizes.astype(np.float64)
    groups = [observations.factors == factor for factor in np.unique(observations.factors)]
    usable = (heldout > 0) & (counts > 0)
    if len(groups) < LEAST_SIZES or not usable.any():
        return None
    misses, sizes = (
        np.stack([values[rows].mean(axis=0) for rows in groups], axis=1)
        for values in (observations.heldout_misses, observations.class_sizes)
    )
    held = heldout[usable]
    fit = fit_mixed(sizes[usable], misses[usable] / held[:, None], held)
    limit, drop, exponent = fit.draw(draws, generator(seed, "class_curves"), spare=1)
    where = np.where(usable, np.cumsum(usable) - 1, usable.sum())  # the spare column is the mean curve
    undefined = heldout == 0
    return ClassCurves(
        scale=np.full(len(counts), fit.scale),
        limit=np.where(undefined, np.nan, limit[:, where]),
        drop=np.where(undefined, np.nan, drop[:, where]),
        exponent=np.broadcast_to(exponent[:, None], (1 + draws, len(counts))).copy(),
        shares=heldout / heldout.sum(),
    )
