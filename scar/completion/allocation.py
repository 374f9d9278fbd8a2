"""From needs to counts per class: the rule of the paper and ours (§4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    budget: int | None = None,
    rule: str = "capped",
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
        budget: samples to add at most; None sets no limit beside the caps (for ``"published"``: the reserve).
        rule: ``"capped"`` or ``"published"``.

    Raises:
        ValueError: arrays of different or zero length, a negative entry, a negative budget, an unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f"rule={rule!r} must be one of {list(RULES)}")
    asked, have, available = _checked(needs, counts, reserve)
    if budget is not None and (budget != int(budget) or budget < 0):
        raise ValueError(f"budget={budget} must be a whole number of at least 0")
    wanted, flags = _defined(asked, have)
    gaps = np.maximum(np.where(np.isnan(wanted), 0.0, wanted) - have, 0.0)
    limit = int(available.sum()) if budget is None else int(budget)
    if not gaps.any():
        met = ("met",) if np.isfinite(wanted).any() else ()
        return Allocation(counts=np.zeros(len(gaps), np.int64), flags=(*flags, *met))
    if rule == "published":
        return Allocation(counts=_published(gaps, available, limit), flags=flags)
    caps = completion_caps(asked, have, available)
    if caps.sum() < limit and budget is not None:
        flags = (*flags, "budget_above_need")
    return Allocation(counts=share_by_weight(limit, gaps, caps), flags=flags)


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


def share_equally(budget: int, reserve: ArrayLike) -> Allocation:
    """Give every class the same number, as far as its reserve goes; capped classes leave their share to the others.

    Args:
        budget: samples to add at most.
        reserve: [K] samples that could be added.
    """
    caps = np.asarray(reserve, dtype=np.int64)
    return Allocation(counts=share_by_weight(budget, np.ones(len(caps)), caps))


def share_by_weight(total: int, weights: Floats, caps: Ints) -> Ints:
    """Divide ``min(total, Σ caps)`` in proportion to the weights under the caps, by the largest remainder.

    Args:
        total: samples to divide.
        weights: [K] not negative; a class of weight 0 receives nothing.
        caps: [K] most that each class can take.

    Returns:
        [K] whole numbers; equal remainders go to the class of the lower index.
    """
    caps = np.where(weights > 0, caps, 0)
    total = min(total, int(caps.sum()))
    if total == 0:
        return np.zeros(len(caps), np.int64)
    scaled = weights / weights.max()
    fill = _water_level(total, scaled, caps)
    exact = np.minimum(scaled * fill, caps)
    counts = np.floor(exact + 1e-9).astype(np.int64)
    counts = np.minimum(counts, caps)
    rest = total - int(counts.sum())
    order = np.lexsort((np.arange(len(caps)), counts - exact))
    order = order[counts[order] < caps[order]]
    counts[order[:rest]] += 1
    shares: Ints = counts
    return shares


def _water_level(total: int, weights: Floats, caps: Ints) -> float:
    """Return the level t at which ``Σ min(t w_j, cap_j) = total``, by sorting the levels at which classes fill up."""
    used = weights > 0
    ratio = caps[used] / weights[used]
    order = np.argsort(ratio, kind="stable")
    level, w, c = ratio[order], weights[used][order], caps[used][order].astype(np.float64)
    full = np.concatenate([[0.0], np.cumsum(c)])  # samples in the classes that are full
    growing = np.concatenate([np.cumsum(w[::-1])[::-1], [0.0]])  # weight of those that are not
    held = full[:-1] + level * growing[:-1]  # samples held when the next class fills up
    index = int(np.searchsorted(held, total))
    if index == len(level):
        return float(level[-1])
    return float((total - full[index]) / growing[index])


def _published(gaps: Floats, reserve: Ints, limit: int) -> Ints:
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
