"""Tests of paired differences, their correction for many, and the power to have seen an effect."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scar.statistics.intervals import Estimate
from scar.statistics.scores import Floats


def sign_test(differences: ArrayLike) -> float:
    """Two-sided exact sign test of `[S]` paired differences; ties are left out, all ties give 1."""
    from scipy import stats

    d = np.asarray(differences, dtype=np.float64)
    positive, negative = int(np.sum(d > 0)), int(np.sum(d < 0))
    if positive + negative == 0:
        return 1.0
    return float(stats.binomtest(positive, positive + negative).pvalue)


def wilcoxon_test(differences: ArrayLike) -> float:
    """Two-sided Wilcoxon signed-rank test of `[S]` paired differences (Pratt's zeros); all ties give 1."""
    from scipy import stats

    d = np.asarray(differences, dtype=np.float64)
    return 1.0 if not np.any(d) else float(stats.wilcoxon(d, zero_method="pratt").pvalue)


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Holm's step-down adjustment of a family of p-values; NaN stays NaN and does not count as a member."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def power(estimate: Estimate, effect: float, *, tests: int = 1) -> float:
    """Probability that a true difference of `effect` would have been found significant, given the standard error.

    The two-sided test at 1 − `Estimate.level`, Bonferroni-corrected for a family of `tests` (the first step of Holm,
    so that the power is not overstated), under the noncentral t distribution.

    Args:
        estimate: of the difference; only its error, degrees of freedom and level are used.
        effect: true difference in the unit of the metric, e.g. 0.01 for one point.
        tests: comparisons that are corrected together.

    Returns:
        NaN where the standard error is undefined.
    """
    from scipy import stats

    if effect <= 0 or tests < 1:
        raise ValueError(f"effect={effect} must be positive and tests={tests} at least 1")
    if math.isnan(estimate.error):
        return math.nan
    if estimate.error == 0:
        return 1.0
    critical = float(stats.t.ppf(1 - (1 - estimate.level) / (2 * tests), estimate.freedom))
    shift = effect / estimate.error
    if shift > 30:  # beyond what the noncentral t is computed for, and certain
        return 1.0
    above = stats.nct.sf(critical, estimate.freedom, shift)
    below = np.nan_to_num(stats.nct.cdf(-critical, estimate.freedom, shift))  # NaN where it is as good as 0
    return float(np.clip(above + below, 0.0, 1.0))
