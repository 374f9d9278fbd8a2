"""What a plan promises: accuracy over budgets, and what to collect where there is no reserve."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.completion.allocation import Allocation
from scar.completion.curves import Forecast, forecast
from scar.completion.problem import UNBOUNDED, CompletionProblem, Planner, check_budget, resolve_budgets
from scar.store import replacing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOWHERE = np.empty(0, np.int64)
FORECASTS = tuple(f.name for f in fields(Forecast))


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIf:
    """A strategy over G budgets.

    Attributes:
        fractions: [G] shares of the reserve, or of what there is.
        costs: [G] what is spent, in the unit of the budgets.
        sizes: [G] samples in the training set then.
        accuracy, balanced_accuracy, gain, balanced_gain: [G, 3] value, low, high; NaN without learning curves.
    """

    fractions: Floats
    costs: Floats
    sizes: Ints
    accuracy: Floats
    balanced_accuracy: Floats
    gain: Floats
    balanced_gain: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class ShoppingList:
    """What to collect, class by class, when anything can be had.

    Attributes:
        class_names: [K] names.
        have: [K] samples there are.
        needs: [K] samples that would be enough; inf where unreachable, NaN where undefined.
        need_intervals: [K, 2].
        add: [K] samples to collect.
        costs: [K] of one sample.
        gain, balanced_gain: [3] expected accuracy less the present one: value, low, high.
        flags: what a reader should know.
    """

    class_names: tuple[str, ...]
    have: Ints
    needs: Floats
    need_intervals: Floats
    add: Ints
    costs: Floats
    gain: Floats
    balanced_gain: Floats
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Outlook:
    """The forecast of a strategy: from the reserve, and where data are still to be collected."""

    reserve: WhatIf
    collect: WhatIf
    shopping: ShoppingList

    def save(self, path: Path) -> None:
        """Write everything to one ``.npz`` file without pickling."""
        parts = {part: vars(getattr(self, part)) for part in ("reserve", "collect", "shopping")}
        arrays = {
            f"{part}.{name}": np.asarray(value) for part, values in parts.items() for name, value in values.items()
        }
        np.savez(path, allow_pickle=False, **{k: v if v.size else v.astype(np.str_) for k, v in arrays.items()})

    @classmethod
    def load(cls, path: Path) -> Outlook:
        """Read what `save` wrote."""
        parts: dict[str, dict[str, NDArray[np.generic]]] = {"reserve": {}, "collect": {}, "shopping": {}}
        with np.load(path, allow_pickle=False) as archive:
            for name, value in archive.items():
                part, _, field_name = name.partition(".")
                parts[part][field_name] = value
        text = {name: tuple(map(str, parts["shopping"].pop(name))) for name in ("class_names", "flags")}
        made = {part: WhatIf(**parts[part]) for part in ("reserve", "collect")}  # type: ignore[arg-type]
        return cls(**made, shopping=ShoppingList(**parts["shopping"], **text))  # type: ignore[arg-type]


def look_ahead(
    planner: Planner,
    problem: CompletionProblem,
    everything: CompletionProblem,
    *,
    order: Ints,
    fractions: Sequence[float],
    collect: float | None,
    level: float,
) -> Outlook:
    """Forecast a strategy over budgets, and write its shopping list.

    Args:
        planner: the strategy.
        problem: from primary set and reserve.
        everything: of primary set and reserve together, with nothing in reserve but all the world.
        order: [R] class of every reserve sample, in the shared random order.
        fractions: budgets as shares of the reserve, and of everything there is.
        collect: what the shopping list may cost; None: what the finite needs ask for.
        level: of the intervals.
    """
    budgets = _affordable(problem, resolve_budgets_freely(fractions, problem))
    there = everything.limits.cost(everything.counts)
    further = _affordable(everything, {f: _rounded(everything, f * there) for f in fractions})
    return Outlook(
        reserve=what_if(planner, problem, budgets, order=order, level=level),
        collect=what_if(planner, everything, further, order=NOWHERE, level=level),
        shopping=shopping_list(planner, everything, collect, level=level),
    )


def to_collect(problem: CompletionProblem) -> CompletionProblem:
    """Return the same state with all the world in reserve; an unreachable need counts as much as the largest finite one."""
    return replace(problem, reserve=np.full(len(problem.counts), UNBOUNDED))


def resolve_budgets_freely(fractions: Sequence[float], problem: CompletionProblem) -> dict[float, float]:
    """Return the budgets of `resolve_budgets` without refusing those that cannot buy the minimum."""
    free = resolve_budgets(fractions, replace(problem, minimum=None)) if fractions else {}
    return dict(free)


def what_if(
    planner: Planner, problem: CompletionProblem, budgets: dict[float, float], *, order: Ints, level: float
) -> WhatIf:
    """Return what a strategy would reach at each budget."""
    added = [planner.allocate(problem, budget, order).counts for budget in budgets.values()]
    counts = np.array(added, dtype=np.int64).reshape(len(added), len(problem.counts))
    sizes = problem.counts + counts
    return WhatIf(
        fractions=np.array(list(budgets)),
        costs=counts @ problem.prices,
        sizes=sizes.sum(axis=1),
        **_forecast(problem, sizes, level),
    )


def shopping_list(planner: Planner, problem: CompletionProblem, budget: float | None, *, level: float) -> ShoppingList:
    """Return what to collect for a budget, or what the finite needs ask for."""
    finite = replace(problem, needs=np.where(np.isinf(problem.needs), np.nan, problem.needs))
    asked = problem.limits.cost(finite.wanted)
    amount = asked if budget is None else budget
    check_budget(problem, amount, "budgets.collect")
    allocation = planner.allocate(problem, amount, NOWHERE) if amount > 0 else Allocation(counts=finite.wanted)
    ahead = _forecast(problem, (problem.counts + allocation.counts)[None], level)
    unknown = np.full((len(problem.counts), 2), np.nan)
    flags = allocation.flags if amount > 0 else _why_nothing(problem)
    return ShoppingList(
        class_names=problem.class_names,
        have=problem.counts,
        needs=problem.needs,
        need_intervals=unknown if problem.need_intervals is None else problem.need_intervals,
        add=allocation.counts,
        costs=np.ones(len(problem.counts)) if problem.costs is None else problem.costs,
        gain=ahead["gain"][0],
        balanced_gain=ahead["balanced_gain"][0],
        flags=flags,
    )


def write_shopping_list(path: Path, listed: ShoppingList, strategy: str) -> None:
    """Write a shopping list as a CSV: class, have, enough with its interval, add, cost of these, reason."""
    gain, balanced = (" to ".join(f"{100 * v:+.2f}" for v in each[1:]) for each in (listed.gain, listed.balanced_gain))
    expected = (
        f"expected with the whole list: accuracy {100 * listed.gain[0]:+.2f} points ({gain}), balanced accuracy "
        f"{100 * listed.balanced_gain[0]:+.2f} ({balanced})"
    )
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class_name", "have", "enough", "low", "high", "add", "cost", "reason"])
        for j, name in enumerate(listed.class_names):
            low, high = listed.need_intervals[j]
            amounts = [f"{value:.0f}" for value in (listed.needs[j], low, high)]
            cost = f"{listed.add[j] * listed.costs[j]:g}"
            writer.writerow([name, listed.have[j], *amounts, listed.add[j], cost, f"{strategy}: {expected}"])


def _forecast(problem: CompletionProblem, sizes: Ints, level: float) -> dict[str, Floats]:
    if problem.curves is None:
        return {name: np.full((len(sizes), 3), np.nan) for name in FORECASTS}
    return vars(forecast(problem.curves, sizes, now=problem.counts, level=level))


def _affordable(problem: CompletionProblem, budgets: dict[float, float]) -> dict[float, float]:
    """Leave out budgets that cannot buy the minimum."""
    least = problem.limits.cost(problem.limits.lower)
    return {fraction: budget for fraction, budget in budgets.items() if budget >= least}


def _rounded(problem: CompletionProblem, budget: float) -> float:
    return round(budget) if problem.unit == "samples" else budget


def _why_nothing(problem: CompletionProblem) -> tuple[str, ...]:
    """Say why no finite need asks for anything."""
    if np.isinf(problem.needs).any():
        return tuple(f"unreachable:{j}" for j in np.flatnonzero(np.isinf(problem.needs)))
    return ("undefined",) if np.isnan(problem.needs).all() else ("met",)
