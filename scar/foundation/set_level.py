"""Foundation Data Size of a set of step functions: Eq. 9 solved for its largest root, the bound of Eq. 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from scar.common.types import Floats
from scar.foundation.bound import check_concept_sizes
from scar.foundation.settings import ORDERS

NEWTON_STEPS = 100
"""More than the polishing of a root ever needs: the iteration stops when the root no longer moves."""
NEGLIGIBLE = 1e-17
"""A coefficient a below this moves the root v = 1 + a + … by less than a unit in the last place."""


def elementary_symmetric(log_h: ArrayLike, order: int) -> Floats:
    """Return ``log e_1 .. log e_order``, the elementary symmetric polynomials of ``h_1 .. h_K``.

    ``e_q(h_1..h_k) = e_q(h_1..h_{k-1}) + h_k e_{q-1}(h_1..h_{k-1})``, as prefix sums of logarithms: no term
    is subtracted, so nothing cancels, and no power of h leaves the range of floats. O(K · order).

    Args:
        log_h: [K] natural logarithms of h; ``-inf`` stands for h = 0.
        order: highest degree q, at least 1.

    Returns:
        [order] logarithms; ``-inf`` where the polynomial is 0, as for q > K.

    Raises:
        ValueError: an empty array, a NaN, ``+inf``, or an order below 1.
    """
    logs = np.asarray(log_h, dtype=np.float64)
    if logs.ndim != 1 or logs.size == 0:
        raise ValueError(f"log_h has shape {logs.shape}; it must be [K] and not empty")
    if np.isnan(logs).any() or np.isposinf(logs).any():
        raise ValueError("log_h holds NaN or +inf; leave undefined steps out by name first")
    if order != int(order) or order < 1:
        raise ValueError(f"order={order} must be a whole number of at least 1")
    result = np.full(int(order), -np.inf)
    terms = logs  # log of h_k e_{q-1}(h_1..h_{k-1}), for k = q..K
    for q in range(min(int(order), logs.size)):
        result[q] = _log_sum(terms)
        terms = logs[q + 1 :] + np.logaddexp.accumulate(terms)[:-1]
    return result


def set_foundation_size(
    concept_size: ArrayLike, *, epsilon: float = 0.01, delta: float = 0.01, order: int = 3
) -> float:
    """Return the Foundation Data Size of the set: the largest root n of Eq. 9.

    ``Σ_{q=1..order} (-1)^{q+1} e_q(h) exp(-2 q n ε²) = δ``: from this n on, the bound on the probability that
    any step misses ε stays below δ. Order 3 is the paper's; order 1 is the union bound.

    Args:
        concept_size: [K] concept sizes h ≥ 0, all defined: leave undefined (NaN) steps out by name first.
        epsilon: generalisation gap ε.
        delta: probability δ_E for the set.
        order: 1 or 3.

    Returns:
        Samples of the whole set, not rounded; 0 when there is no non-negative root.

    Raises:
        ValueError: an empty array, a negative, infinite or undefined h, an ε or δ that is not positive,
            another order.
    """
    h = check_concept_sizes(concept_size, epsilon=epsilon, delta=delta)
    if np.isnan(h).any():
        raise ValueError(
            f"concept_size is NaN for steps {np.flatnonzero(np.isnan(h))[:10].tolist()}; "
            "leave undefined steps out by name first"
        )
    if order not in ORDERS:
        raise ValueError(f"order={order} must be one of {list(ORDERS)}: even orders bound from below")
    logs = np.log(h, out=np.full_like(h, -np.inf), where=h > 0) - math.log(delta)
    log_e = elementary_symmetric(logs, order)  # of h / δ
    if np.isneginf(log_e[0]):
        return 0.0
    log_v = 0.0
    if order == 3:
        # With u = exp(-2 n ε²) = v δ / e_1(h) the equation is v - a v² + b v³ = 1, where a ≤ δ/2 and b ≤ δ²/6
        # by Maclaurin's inequality: whatever the size of h, v is about 1. The smallest v is the largest n.
        a = math.exp(log_e[1] - 2 * log_e[0] + math.log(delta))
        b = math.exp(log_e[2] - 3 * log_e[0] + 2 * math.log(delta))
        v = _smallest_root(a, b)
        log_v = math.log(v)
    return max(0.0, float(log_e[0]) - log_v) / (2.0 * epsilon**2)


def reference_set_foundation_size(
    concept_size: ArrayLike, *, error_ratio: float, epsilon: float = 0.01, delta: float = 0.01
) -> float:
    """Return the published size of the set: `set_foundation_size` at order 3 times ``ln(error_ratio)``.

    Args:
        concept_size: [K] concept sizes h ≥ 0, all defined.
        error_ratio: the published factor F, (1 - accuracy) / (1 - mean authenticity) but at least e.
        epsilon: generalisation gap ε.
        delta: probability δ_E for the set.

    Returns:
        Samples of the whole set, not rounded.

    Raises:
        ValueError: as `set_foundation_size`, or an error ratio below 1.
    """
    if not (math.isfinite(error_ratio) and error_ratio >= 1):
        raise ValueError(f"error_ratio={error_ratio} must be at least 1, or the size would be negative: use max(F, e)")
    return math.log(error_ratio) * set_foundation_size(concept_size, epsilon=epsilon, delta=delta, order=3)


def _smallest_root(a: float, b: float) -> float:
    """Return the smallest positive root of ``v - a v² + b v³ = 1`` for a, b ≥ 0, or inf when there is none.

    Of the polynomials of one set, ``b ≤ 2/3 a²`` (Newton's inequality), so that a negligible a leaves v = 1.
    """
    if a < NEGLIGIBLE:
        return 1.0
    low, high = 0.0, math.inf
    curvature = 1.0 - 3.0 * b / a**2
    if curvature >= 0:  # the cubic rises to a maximum, falls to a minimum and rises again
        turn = a * (1.0 + math.sqrt(curvature))
        high = 1.0 / turn
        if _cubic(high, a, b) < 0:
            low, high = turn / (3.0 * b) if b > 0 else math.inf, math.inf
    if math.isinf(low):
        return math.inf
    v = min(max(1.0, low), high)
    for _ in range(NEWTON_STEPS):
        value = _cubic(v, a, b)
        low, high = (v, high) if value < 0 else (low, v)
        slope = (3.0 * b * v - 2.0 * a) * v + 1.0
        candidate = v - value / slope if slope > 0 else math.inf
        if not low <= candidate <= high or math.isinf(candidate):
            candidate = 2.0 * low + 1.0 if math.isinf(high) else 0.5 * (low + high)
        if abs(candidate - v) <= 1e-16 * v:
            break
        v = candidate
    return v


def _cubic(v: float, a: float, b: float) -> float:
    return ((b * v - a) * v + 1.0) * v - 1.0


def _log_sum(logs: Floats) -> float:
    """Return ``log Σ exp(logs)``; pairwise summation keeps the error at a few units in the last place."""
    top = float(logs.max())
    return top if math.isinf(top) else top + math.log(np.exp(logs - top).sum())
