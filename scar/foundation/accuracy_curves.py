"""Learning curves ``α + β ψ(t)`` of accuracy in t = n / n_max: four forms, least squares for many series at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats

FORMS = ("power_law", "arctan", "logarithmic", "algebraic_root")
"""Forms of Mahmood et al. (2022)."""


@dataclass(frozen=True, eq=False)
class AccuracyForm:
    """A grid of G shapes ψ: increasing, with limit ψ(∞), infinite for the logarithm.

    Attributes:
        name: of the form.
        shape, power: [G] parameters of the shapes.
        limit: [G] ψ(∞).
        function: (t, shape, power) → ψ, broadcasting.
    """

    name: str
    shape: Floats
    power: Floats
    limit: Floats
    function: Callable[[Floats, Floats, Floats], Floats]

    def values(self, times: Floats) -> Floats:
        """Return ψ [G, T] at t [T]."""
        return self.function(times, self.shape[:, None], self.power[:, None])


def accuracy_form(name: str) -> AccuracyForm:
    """Return one of `FORMS`: ``-t^-g``, ``2/π arctan(g t)``, ``log(t + g)``, ``g t / (1 + (g t)^p)^(1/p)``."""
    exponents = np.linspace(0.05, 2.0, 40)
    rates = np.exp(np.linspace(np.log(0.3), np.log(300.0), 36))
    if name == "power_law":
        return AccuracyForm(name, exponents, 0 * exponents, 0 * exponents, lambda t, g, _: -(t**-g))
    if name == "arctan":
        return AccuracyForm(name, rates, 0 * rates, np.ones_like(rates), lambda t, g, _: 2.0 / np.pi * np.arctan(g * t))
    if name == "logarithmic":
        shifts = np.append(0.0, np.exp(np.linspace(np.log(0.01), np.log(3.0), 20)))
        return AccuracyForm(name, shifts, 0 * shifts, np.full_like(shifts, np.inf), lambda t, g, _: np.log(t + g))
    if name == "algebraic_root":
        g, p = (grid.ravel() for grid in np.meshgrid(rates, np.array([0.5, 1.0, 2.0, 4.0]), indexing="ij"))
        return AccuracyForm(name, g, p, np.ones_like(g), lambda t, g, p: g * t / (1.0 + (g * t) ** p) ** (1.0 / p))
    raise ValueError(f"curve={name!r} must be one of {[*FORMS, 'best']}")


@dataclass(frozen=True, eq=False)
class AccuracyFit:
    """Least-squares fits of one form to M series: α, β ≥ 0, index of the shape, weighted sum of squares; [M]."""

    form: AccuracyForm
    intercept: Floats
    slope: Floats
    index: NDArray[np.int64]
    squares: Floats

    @property
    def limit(self) -> Floats:
        """[M] accuracy that the curve tends to, at most 1."""
        ends = self.form.limit[self.index]
        grown = self.intercept + self.slope * np.where(np.isinf(ends), 0.0, ends)
        return np.where(np.isinf(ends) & (self.slope > 0), 1.0, np.minimum(grown, 1.0))

    def predict(self, times: Floats) -> Floats:
        """Return the accuracies [T, M] at t [T], at most 1."""
        return np.minimum(self.intercept + self.slope * self.form.values(times)[self.index].T, 1.0)


def fit_accuracy(times: Floats, accuracy: Floats, weights: Floats, form: AccuracyForm) -> AccuracyFit:
    """Fit α + β ψ(t) with β ≥ 0 and α + β ψ(∞) ≤ 1.

    For each shape of the grid α and β are in closed form; the best shape is kept.

    Args:
        times: [R] sizes as multiples of the largest.
        accuracy: [R, M] series.
        weights: [R].
        form: the form.
    """
    psi = form.values(times)
    w = weights / weights.sum()
    psi_mean, y_mean = psi @ w, w @ accuracy
    centred, y = psi - psi_mean[:, None], accuracy - y_mean
    variance = (centred**2) @ w
    slope = np.maximum((centred * w) @ y / variance[:, None], 0.0)
    capped = np.isfinite(form.limit)
    rest = np.where(capped, form.limit, 0.0)[:, None] - psi
    over = capped[:, None] & (y_mean + slope * (np.where(capped, form.limit, 0.0) - psi_mean)[:, None] > 1.0)
    bound = np.maximum((rest * w) @ (1.0 - accuracy) / ((rest**2) @ w)[:, None], 0.0)
    slope = np.where(over, bound, slope)
    intercept = np.where(
        over, 1.0 - slope * np.where(capped, form.limit, 0.0)[:, None], y_mean - slope * psi_mean[:, None]
    )
    offset = intercept - y_mean + slope * psi_mean[:, None]
    squares = w @ y**2 - 2.0 * slope * ((centred * w) @ y) + slope**2 * variance[:, None] + offset**2
    index = squares.argmin(axis=0)
    pick = index[None]
    chosen = [np.take_along_axis(values, pick, 0)[0] for values in (intercept, slope, squares)]
    return AccuracyFit(form, chosen[0], chosen[1], index, np.maximum(chosen[2], 0.0))


def best_form(times: Floats, accuracy: Floats, weights: Floats) -> AccuracyForm:
    """Return the form that best predicts the largest size from the smaller ones, over all series [R, M]."""
    forms = [accuracy_form(name) for name in FORMS]
    if times.size < 4:
        return forms[0]
    misses = []
    for form in forms:
        fit = fit_accuracy(times[:-1], accuracy[:-1], weights[:-1], form)
        misses.append(float(((fit.predict(times[-1:])[0] - accuracy[-1]) ** 2).sum()))
    return forms[int(np.argmin(misses))]
