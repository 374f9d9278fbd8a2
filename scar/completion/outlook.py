"""What a plan promises: accuracy over budgets, and what to collect where there is no reserve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import replacing
from scar.common.spreadsheets import write_rows
from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.class_prospects import ClassProspects, class_prospects
from scar.completion.co_labels import buy
from scar.completion.forecast import REFUSALS, Forecast, Forecaster, NoForecaster
from scar.completion.planner import Planner
from scar.completion.problem import UNBOUNDED, CompletionProblem, check_budget, resolve_budgets
from scar.completion.tempered import TAUS, TemperedPlanner

NOWHERE = np.empty(0, np.int64)
PARTS = ("reserve", "collect", "mixes", "shopping", "classes")
"""Of an `Outlook`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WhatIf:
    """A strategy over G budgets.

    Attributes:
        fractions: [G] shares of the reserve, or of what there is.
        costs: [G] what is spent, in the unit of the budgets.
        sizes: [G] samples in the training set then.
        added: [G, K] samples to add of each class.
        forecast: of the training sets then.
    """

    fractions: Floats
    costs: Floats
    sizes: Ints
    added: Ints
    forecast: Forecast


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetMixes(WhatIf):
    """Classes raised towards target mixes, budget by budget: of equal classes, the mix of deployment, and between them.

    Attributes:
        taus: [G] powers of the deployment mix, of `scar.completion.tempered.TAUS`; empty where that mix is even.
    """

    taus: Floats


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
        forecast: of the training set with all of it: one set.
        flags: what a reader should know.
    """

    class_names: tuple[str, ...]
    have: Ints
    needs: Floats
    need_intervals: Floats
    add: Ints
    costs: Floats
    forecast: Forecast
    flags: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Outlook:
    """The forecast of a strategy: from the reserve, and where data are still to be collected.

    `mixes` are other target mixes from the reserve, `classes` what twice the data would do, both whatever the strategy.
    """

    reserve: WhatIf
    collect: WhatIf
    mixes: TargetMixes
    shopping: ShoppingList
    classes: ClassProspects

    def save(self, path: Path) -> None:
        """Write everything to one ``.npz`` file without pickling."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for part in PARTS:
            values = vars(getattr(self, part))
            ahead = {} if part == "classes" else vars(values["forecast"])
            flat = {**values, **{f"forecast.{name}": value for name, value in ahead.items()}}
            arrays |= {f"{part}.{name}": np.asarray(value) for name, value in flat.items() if name != "forecast"}
        np.savez(path, allow_pickle=False, **{k: v if v.size else v.astype(np.str_) for k, v in arrays.items()})

    @classmethod
    def load(cls, path: Path) -> Outlook:
        """Read what `save` wrote."""
        parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        ahead: dict[str, dict[str, Any]] = {part: {} for part in parts}
        with np.load(path, allow_pickle=False) as archive:
            for name, value in archive.items():
                part, _, field_name = name.partition(".")
                _, inner, forecast_name = field_name.partition("forecast.")
                if inner:
                    ahead[part][forecast_name] = value
                else:
                    parts[part][field_name] = value
        for part, forecast in ahead.items():
            if part != "classes":
                parts[part]["forecast"] = Forecast(**forecast)
        text = {name: tuple(map(str, parts["shopping"].pop(name))) for name in ("class_names", "flags")}
        made = {part: WhatIf(**parts[part]) for part in ("reserve", "collect")}
        return cls(
            **made,
            mixes=TargetMixes(**parts["mixes"]),
            shopping=ShoppingList(**(parts["shopping"] | text)),
            classes=ClassProspects(**parts["classes"]),
        )


def look_ahead(
    planner: Planner,
    problem: CompletionProblem,
    everything: CompletionProblem,
    forecaster: Forecaster | NoForecaster,
    *,
    order: Ints,
    fractions: Sequence[float],
    collect: float | None,
) -> Outlook:
    """Forecast a strategy over budgets, and write its shopping list.

    Args:
        planner: the strategy.
        problem: from primary set and reserve.
        everything: of primary set and reserve together, with nothing in reserve but all the world.
        forecaster: from compositions of the primary set.
        order: [R] class of every reserve sample, in the shared random order.
        fractions: budgets as shares of the reserve, and of everything there is.
        collect: what the shopping list may cost; None: what the finite needs ask for.
    """
    budgets = _affordable(problem, resolve_budgets_freely(fractions, problem))
    there = everything.limits.cost(everything.counts if everything.co_labels is None else everything.co_labels.standing)
    further = _affordable(everything, {f: _rounded(everything, f * there) for f in fractions})
    return Outlook(
        reserve=what_if(planner, problem, budgets, forecaster, order=order),
        collect=what_if(planner, everything, further, forecaster, order=NOWHERE),
        mixes=target_mixes(problem, budgets, forecaster, order=order),
        shopping=shopping_list(planner, everything, collect, forecaster),
        classes=class_prospects(forecaster, len(problem.counts)),
    )


def to_collect(problem: CompletionProblem) -> CompletionProblem:
    """Return the same state with all the world in reserve; an unreachable need counts as much as the largest finite one."""
    everywhere = np.full(len(problem.counts), UNBOUNDED)
    together = None if problem.co_labels is None else replace(problem.co_labels, room=everywhere)
    return replace(problem, reserve=everywhere, co_labels=together)


def resolve_budgets_freely(fractions: Sequence[float], problem: CompletionProblem) -> dict[float, float]:
    """Return the budgets of `resolve_budgets` without refusing those that cannot buy the minimum."""
    free = resolve_budgets(fractions, replace(problem, minimum=None)) if fractions else {}
    return dict(free)


def what_if(
    planner: Planner,
    problem: CompletionProblem,
    budgets: dict[float, float],
    forecaster: Forecaster | NoForecaster,
    *,
    order: Ints,
) -> WhatIf:
    """Return what a strategy would reach at each budget."""
    added = [buy(planner, problem, budget, order).counts for budget in budgets.values()]
    counts = np.array(added, dtype=np.int64).reshape(len(added), len(problem.counts))
    sizes = problem.counts + counts
    return WhatIf(
        fractions=np.array(list(budgets)),
        costs=counts @ problem.prices,
        sizes=problem.samples + counts.sum(axis=1),
        added=counts,
        forecast=forecaster.expect(sizes, now=problem.counts),
    )


def target_mixes(
    problem: CompletionProblem, budgets: dict[float, float], forecaster: Forecaster | NoForecaster, *, order: Ints
) -> TargetMixes:
    """Return what raising the classes towards each target mix would reach at each budget, by matched scores.

    Nothing where nothing is forecast, or where the deployment mix is even, so that all target mixes are one.
    """
    mix = problem.deployment
    one = mix is None or np.allclose(mix[mix > 0], mix.max())
    taus = TAUS if isinstance(forecaster, Forecaster) and not one else ()
    if isinstance(forecaster, Forecaster):  # raw scores need a surface for every plan
        matched = tuple(score for score in forecaster.scores if score.startswith("matched"))
        forecaster = replace(forecaster, scores=matched)
    tried = {(tau, fraction): budget for tau in taus for fraction, budget in budgets.items()}
    added = [
        TemperedPlanner(tau=tau, leave_out=False).allocate(problem, budget, order).counts
        for (tau, _), budget in tried.items()
    ]
    counts = np.array(added, dtype=np.int64).reshape(len(added), len(problem.counts))
    sizes = problem.counts + counts
    return TargetMixes(
        taus=np.array([tau for tau, _ in tried], dtype=np.float64),
        fractions=np.array([fraction for _, fraction in tried], dtype=np.float64),
        costs=counts @ problem.prices,
        sizes=sizes.sum(axis=1),
        added=counts,
        forecast=forecaster.expect(sizes, now=problem.counts),
    )


def shopping_list(
    planner: Planner, problem: CompletionProblem, budget: float | None, forecaster: Forecaster | NoForecaster
) -> ShoppingList:
    """Return what to collect for a budget, or what the finite needs ask for."""
    finite = replace(problem, step_sizes=np.where(np.isinf(problem.step_sizes), 0.0, problem.step_sizes))
    wanted = finite.samples_for(finite.wanted)
    asked = problem.limits.cost(wanted)
    amount = asked if budget is None else budget
    check_budget(problem, amount, "budgets.collect")
    allocation = buy(planner, problem, amount, NOWHERE) if amount > 0 else Allocation(counts=wanted)
    unknown = np.full((len(problem.counts), 2), np.nan)
    flags = allocation.flags if amount > 0 else _why_nothing(problem)
    return ShoppingList(
        class_names=problem.class_names,
        have=problem.counts,
        needs=problem.needs,
        need_intervals=unknown if problem.need_intervals is None else problem.need_intervals,
        add=allocation.counts,
        costs=np.ones(len(problem.counts)) if problem.costs is None else problem.costs,
        forecast=forecaster.expect((problem.counts + allocation.counts)[None], now=problem.counts),
        flags=flags,
    )


def write_shopping_list(path: Path, listed: ShoppingList, strategy: str) -> None:
    """Write a shopping list as a CSV: class, have, enough with its interval, add, cost of these, reason."""
    expected = f"expected with the whole list: {_say(listed.forecast)}"
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        cells = []
        for j, name in enumerate(listed.class_names):
            low, high = listed.need_intervals[j]
            amounts = [f"{value:.0f}" for value in (listed.needs[j], low, high)]
            cost = f"{listed.add[j] * listed.costs[j]:g}"
            cells.append([name, listed.have[j], *amounts, listed.add[j], cost, f"{strategy}: {expected}"])
        write_rows(file, ["class_name", "have", "enough", "low", "high", "add", "cost", "reason"], cells)


def _say(ahead: Forecast) -> str:
    """Say what the first set of a forecast gains, or why that is not forecast."""
    if ahead.refused[0]:
        return f"not forecast: {REFUSALS[str(ahead.refused[0])]}"
    gains = {"accuracy": ahead.matched_gain[0], "balanced accuracy": ahead.matched_balanced_gain[0]}
    said = [
        f"matched {name} {100 * value:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})"
        for name, (value, low, high) in gains.items()
        if np.isfinite(value)
    ]
    return ", ".join(said) or "no matched score is forecast"


def _affordable(problem: CompletionProblem, budgets: dict[float, float]) -> dict[float, float]:
    """Leave out budgets that cannot buy the minimum."""
    least = problem.limits.cost(problem.limits.lower)
    return {fraction: budget for fraction, budget in budgets.items() if budget >= least}


def _rounded(problem: CompletionProblem, budget: float) -> float:
    return round(budget) if problem.unit == "samples" else budget


def _why_nothing(problem: CompletionProblem) -> tuple[str, ...]:
    """Say why no finite need asks for anything."""
    return tuple(f"unreachable:{j}" for j in np.flatnonzero(np.isinf(problem.step_sizes))) or ("met",)
