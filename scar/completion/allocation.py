"""From needs to counts per class: the rule of the paper and ours (§4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.completion.sharing import Limits, share

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RULES = ("capped", "published")


@dataclass(frozen=True, eq=False, kw_only=True)
class Allocation:
    """What a strategy adds to each class.

    Attributes:
        counts: [K] samples to add; never negative, never above the reserve.
        flags: what a reader should know, e.g. ``"met"`` when every need is met and the plan is empty.
    """

    counts: Ints
    flags: tuple[str, ...] = ()


def allocate(
    *,
    needs: ArrayLike,
    counts: ArrayLike,
    reserve: ArrayLike,
    budget: float | None = None,
    rule: str = "capped",
    limits: Limits | None = None,
) -> Allocation:
    """Divide a budget over the classes in proportion to what each lacks (§4.2).

    With the gap ``g_j = max(0, need_j - count_j)`` and the weight ``w_j = g_j / Σ g``:

    - ``"published"``: ``B = min(budget, min_{j: w_j > 0} min(reserve_j, g_j) / w_j)`` and class j receives
      ``⌊B w_j⌋``: the first class to run out stops all of them.
    - ``"capped"``: ``min(budget, Σ_j min(reserve_j, ⌈g_j⌉))`` samples in proportion to the gaps; a class that would
      exceed its reserve or its gap receives that much, and the others share the rest. Largest-remainder rounding.

    An undefined need (NaN) receives nothing and is flagged. A class without any sample (count 0) takes the largest
    defined need and is flagged.

    Args:
        needs: [K] samples that would be enough; 0 where the need is met, NaN where it is undefined.
        counts: [K] samples there are.
        reserve: [K] samples that could be added.
        budget: what may be spent at most: samples, or money where `limits` has prices; None sets no limit beside the
            caps (for ``"published"``: the reserve).
        rule: ``"capped"`` or ``"published"``.
        limits: least and most per class, and prices; the reserve and a price of 1 by default. ``"published"`` knows
            none of them.

    Raises:
        ValueError: arrays of different or zero length, a negative entry, a negative budget, an unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f"rule={rule!r} must be one of {list(RULES)}")
    asked, have, available = _checked(needs, counts, reserve)
    if budget is not None and (budget < 0 or (limits is None and budget != int(budget))):
        raise ValueError(f"budget={budget} must be a whole number of at least 0")
    if rule == "published" and limits is not None:
        raise ValueError("rule='published' knows no prices, minimum or maximum; use rule='capped'")
    wanted, flags = _defined(asked, have)
    gaps = np.maximum(np.where(np.isnan(wanted), 0.0, wanted) - have, 0.0)
    bounds = limits or Limits.of(available)
    if not gaps.any():
        met = ("met",) if np.isfinite(wanted).any() else ()
        return Allocation(counts=bounds.lower.copy(), flags=(*flags, *met))
    if rule == "published":
        return Allocation(
            counts=_published(gaps, available, available.sum() if budget is None else budget), flags=flags
        )
    bounds = bounds.within(completion_caps(asked, have, available))
    most = bounds.cost(bounds.upper)
    if budget is not None and most < budget:
        flags = (*flags, "budget_above_need")
    return Allocation(counts=share(most if budget is None else budget, gaps, bounds), flags=flags)


def completion_caps(needs: ArrayLike, counts: ArrayLike, reserve: ArrayLike) -> Ints:
    """Return [K] the most that it makes sense to add to each class: its gap, as far as the reserve goes.

    An undefined need asks for nothing, an unreachable one (infinite) for the whole reserve of its class, and a class
    without any sample for as much as the largest defined need.
    """
    asked, have, available = _checked(needs, counts, reserve)
    wanted = np.where(np.isinf(asked), np.inf, _defined(asked, have)[0])
    gaps = np.maximum(np.nan_to_num(wanted, nan=0.0, posinf=np.inf) - have, 0.0)
    caps: Ints = np.minimum(available, np.ceil(gaps)).astype(np.int64)
    return caps


def share_equally(budget: float, reserve: ArrayLike, limits: Limits | None = None) -> Allocation:
    """Give every class the same number, as far as its reserve goes; capped classes leave their share to the others.

    Args:
        budget: samples to add at most, or money where `limits` has prices.
        reserve: [K] samples that could be added.
        limits: least and most per class, and prices; the reserve and a price of 1 by default.
    """
    bounds = limits or Limits.of(reserve)
    return Allocation(counts=share(budget, np.ones(len(bounds.upper)), bounds))


def _published(gaps: Floats, reserve: Ints, limit: float) -> Ints:
    weights = gaps / gaps.sum()
    used = weights > 0
    bottleneck = np.min(np.minimum(reserve[used], gaps[used]) / weights[used])
    counts: Ints = np.floor(min(limit, bottleneck) * weights).astype(np.int64)
    return counts


def _defined(needs: Floats, counts: Ints) -> tuple[Floats, tuple[str, ...]]:
    """Give unseen classes the largest defined need; name them and those whose need stays undefined."""
    flags: list[str] = []
    unseen, known = counts == 0, np.isfinite(needs) & (counts > 0)
    if unseen.any() and known.any():
        needs = np.where(unseen, needs[known].max(), needs)
        flags += [f"unseen:{j}" for j in np.flatnonzero(unseen)]
    flags += [f"undefined:{j}" for j in np.flatnonzero(np.isnan(needs))]
    # An unreachable need is as large as any: it must not make the weights of the others vanish.
    finite = needs[np.isfinite(needs)]
    if np.isinf(needs).any():
        flags += [f"unreachable:{j}" for j in np.flatnonzero(np.isinf(needs))]
        needs = np.where(np.isinf(needs), max(finite.max(initial=0.0), float(counts.max() + 1)), needs)
    return needs, tuple(flags)


def _checked(needs: ArrayLike, counts: ArrayLike, reserve: ArrayLike) -> tuple[Floats, Ints, Ints]:
    wanted, have, available = np.asarray(needs, np.float64), np.asarray(counts), np.asarray(reserve)
    if wanted.ndim != 1 or not wanted.size:
        raise ValueError(f"needs has shape {wanted.shape}; it must be [K] with K ≥ 1")
    for name, values in (("counts", have), ("reserve", available)):
        if values.shape != wanted.shape:
            raise ValueError(f"{name} has shape {values.shape}, needs has {wanted.shape}")
        if not np.all(np.isfinite(values)) or np.any(values < 0) or np.any(values != np.floor(values)):
            raise ValueError(f"{name} must hold whole numbers of at least 0, got {values.tolist()[:10]}")
    if np.any(wanted < 0):
        first = int(np.argmax(wanted < 0))
        raise ValueError(f"needs[{first}]={wanted[first]} is negative")
    return wanted, have.astype(np.int64), available.astype(np.int64)
