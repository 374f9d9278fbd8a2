"""Learning curves that accuracy is extrapolated with elsewhere: a power law above a floor, and M4."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, least_squares

from scar.common.types import Floats


def power_law_error(sizes: Floats, errors: Floats, at: Floats) -> Floats:
    """Extrapolate ``e(n) = e∞ + c n^-a``, least squares with weights √n (Mahmood et al. 2022).

    Args:
        sizes: [R] samples.
        errors: [R] held-out errors.
        at: [M] samples.
    """
    times, weight = sizes / sizes[-1], (sizes / sizes[-1]) ** 0.25
    best = None
    for floor in (0.0, 0.5, 0.9):
        start = [floor * errors[-1], (1.0 - floor) * errors[-1], 0.5]
        fitted = least_squares(
            lambda p: weight * (p[0] + p[1] * times ** -p[2] - errors), start, bounds=([0, 0, 0.01], [1, 1, 2])
        )
        best = fitted if best is None or fitted.cost < best.cost else best
    assert best is not None
    limit, scale, power = best.x
    return np.asarray(limit + scale * (at / sizes[-1]) ** -power)


def m4_error(sizes: Floats, errors: Floats, at: Floats, *, chance: float) -> Floats:
    """Extrapolate M4, ``(e - e∞) / (e0 - e)^α = β n^-c`` (Alabdulmohsin et al. 2022), fitted on the logarithmic scale.

    Args:
        sizes: [R] samples.
        errors: [R] held-out errors.
        at: [M] samples.
        chance: error e0 of guessing.
    """
    times = np.log(sizes / sizes[-1])
    seen = np.clip(errors, 1e-4, chance - 1e-4)

    def residual(p: Floats) -> Floats:
        limit = p[0] * seen.min()
        left = np.log(seen - limit) - p[1] * np.log(chance - seen)
        return np.append(left - p[2] + p[3] * times, 0.05 * (p[1] - 1.0))  # four sizes do not tell α

    best = None
    for share in (0.05, 0.5, 0.9):
        start = [share, 1.0, np.log(max(seen[-1] * (1.0 - share), 1e-4)), 0.5]
        fitted = least_squares(residual, start, bounds=([0, 0, -20, 0.01], [0.999, 5, 20, 3]))
        best = fitted if best is None or fitted.cost < best.cost else best
    assert best is not None
    limit, alpha, scale, power = best.x[0] * seen.min(), *best.x[1:]

    def solve(size: float) -> float:
        goal = scale - power * np.log(size / sizes[-1])
        low, high = limit + 1e-9, chance - 1e-9
        return float(brentq(lambda e: np.log(e - limit) - alpha * np.log(chance - e) - goal, low, high))

    return np.array([solve(float(size)) for size in at])
