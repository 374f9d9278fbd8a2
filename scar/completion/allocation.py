"""From needs to counts per class: the rule of the paper and ours (§4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scar.common.types import Floats, Ints
from scar.completion.sharing import Limits, share

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
      What a budget has beyond that is not spent, and the plan is flagged ``budget_above_need``.

    An undefined need (NaN) and a class without any sample (count 0) count as the most needy and are flagged; see
    `define_needs`.

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
    wanted, flags = define_needs(asked, have)
    gaps = np.maximum(wanted - have, 0.0)
    bounds = limits or Limits.of(available)
    if not gaps.any():
        return Allocation(counts=bounds.lower.copy(), flags=(*flags, "met"))
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

    An unreachable need (infinite) asks for the whole reserve of its class; what counts as the most needy
    (`define_needs`) for as much as the largest defined need.
    """
    asked, have, available = _checked(needs, counts, reserve)
    wanted = np.where(np.isinf(asked) & (have > 0), np.inf, define_needs(asked, have)[0])
    caps: Ints = np.minimum(available, np.ceil(np.maximum(wanted - have, 0.0))).astype(np.int64)
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


def define_needs(needs: ArrayLike, counts: ArrayLike) -> tuple[Floats, tuple[str, ...]]:
    """Give every class a finite need, and say in flags which ones are not estimates.

    - ``unseen:j``, a class without any sample, and ``undefined:j``, a class whose need is NaN, count as the most needy:
      they take the largest defined need. Where that is no more than they have, for instance because the needs of all
      others are met, they take the size of the largest class, which was enough for it; where no need is known at all,
      the size of the whole set.
    - ``unreachable:j``, an infinite need, counts as the largest defined one, or as one sample more than the largest
      class has: it must not make the weights of the others vanish.

    Args:
        needs: [K] samples, NaN where undefined, infinity where unreachable.
        counts: [K] samples there are.

    Returns:
        [K] needs, and flags.
    """
    needs, counts = np.asarray(needs, np.float64), np.asarray(counts)
    unseen = counts == 0
    unknown, endless = unseen | np.isnan(needs), np.isinf(needs) & ~unseen
    known = ~unknown & ~endless
    if unseen.all():  # nothing is there: what is asked for stands
        unknown, known = np.isnan(needs), np.isfinite(needs)
    top, largest = needs[known].max(initial=0.0), float(counts.max(initial=0))
    spare = np.where(counts < largest, largest, counts + 1.0) if known.any() else np.maximum(counts.sum(), counts + 1.0)
    fallback = np.where(top > counts, top, spare)
    defined: Floats = np.where(known, needs, np.where(unknown, fallback, max(top, largest + 1.0)))
    kinds = (("unseen", unseen), ("undefined", unknown & ~unseen), ("unreachable", endless))
    return defined, tuple(f"{kind}:{j}" for kind, which in kinds for j in np.flatnonzero(which))


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
