"""Tests of paired differences, their correction for many, and the power to have seen an effect."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from scar.common.types import Floats
from scar.evaluation.intervals import MeanEstimate

SIGNIFICANCE_LEVEL = 0.05
"""Below it, a p-value is called significant."""
STARRED = f"p < {SIGNIFICANCE_LEVEL:g}"
"""What the star of a difference stands for."""


def is_significant(p_value: float) -> bool:
    """Tell whether a p-value lies below `SIGNIFICANCE_LEVEL`; an undefined one (NaN) does not."""
    return p_value < SIGNIFICANCE_LEVEL


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Holm's step-down adjustment of a family of p-values; NaN stays NaN and does not count as a member."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def equivalence(estimate: MeanEstimate, margin: float) -> float:
    """p-value of two one-sided tests (Schuirmann 1987) that a difference lies within ± `margin`.

    It is at most α exactly if the interval at 1 − 2α lies within the margin.

    Args:
        estimate: of the difference; its value, error and degrees of freedom are used.
        margin: largest difference that counts as none, in the unit of the metric.

    Returns:
        0 for identical arms, NaN where the standard error is undefined.
    """
    if not margin > 0:
        raise ValueError(f"margin={margin} must be positive")
    if estimate.flag == "identical":
        return 0.0
    return float(special.stdtr(estimate.freedom, (abs(estimate.value) - margin) / estimate.error))


def decide(value: float, p_value: float, p_equivalence: float) -> str:
    """Say what a difference shows: ``"better"``, ``"worse"``, ``"equivalent"`` or ``"cannot tell"``.

    A significant difference is called by its sign, however small; what is not significant is equivalent if two one-sided
    tests say so. An undefined p-value (NaN) shows nothing.

    Args:
        value: of the difference.
        p_value: that it is 0, corrected if it is one of several.
        p_equivalence: of `equivalence`.
    """
    if is_significant(p_value):
        return "better" if value > 0 else "worse"
    return "equivalent" if is_significant(p_equivalence) else "cannot tell"


def power(estimate: MeanEstimate, effect: float, *, tests: int = 1) -> float:
    """Probability that a true difference of `effect` would have been found significant, given the standard error.

    The two-sided test at 1 − `MeanEstimate.level`, Bonferroni-corrected for a family of `tests` (the first step of Holm,
    so that the power is not overstated), under the noncentral t distribution.

    Args:
        estimate: of the difference; only its error, degrees of freedom and level are used.
        effect: true difference in the unit of the metric, e.g. 0.01 for one point.
        tests: comparisons that are corrected together.

    Returns:
        NaN where the standard error is undefined.
    """
    if effect <= 0 or tests < 1:
        raise ValueError(f"effect={effect} must be positive and tests={tests} at least 1")
    if math.isnan(estimate.error):
        return math.nan
    if estimate.error == 0:
        return 1.0
    critical = float(special.stdtrit(estimate.freedom, 1 - (1 - estimate.level) / (2 * tests)))
    shift = effect / estimate.error
    if shift > 30:  # beyond what the noncentral t is computed for, and certain
        return 1.0
    above = 1 - special.nctdtr(estimate.freedom, shift, critical)  # scipy.stats would take 0.8 s to import
    below = np.nan_to_num(special.nctdtr(estimate.freedom, shift, -critical))  # NaN where it is as good as 0
    return float(np.clip(above + below, 0.0, 1.0))
