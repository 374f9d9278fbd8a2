"""A plan: which samples to add, why, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.common.files import replacing
from scar.common.randomness import generator
from scar.common.spreadsheets import write_rows
from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.co_label_table import NO_LABEL
from scar.completion.co_labels import buy
from scar.completion.planner import Planner
from scar.completion.problem import CompletionProblem
from scar.completion.selection.random_order import RandomSelection
from scar.completion.selection.selection import Pool, Selection
from scar.completion.sharing import Limits
from scar.data.stratify import within_class_rank


@dataclass(frozen=True, eq=False, kw_only=True)
class CompletionPlan:
    """Which samples to add, and why.

    Attributes:
        strategy: name of the planner.
        fraction: budget as a share of the reserve.
        budget: what every strategy may spend: samples, or money.
        counts: [K] samples added per class.
        rows: [n] rows of the embeddings that are added; empty when the plan is for classes only.
        needs: [K] the needs it answers.
        costs: [K] of one sample.
        scores: [n] of the selection for each row, NaN where it has none.
        selection: name of the rule that chose the samples.
        flags: what a reader should know.
    """

    strategy: str
    fraction: float
    budget: float
    counts: Ints
    rows: Ints
    needs: Floats
    costs: Floats
    scores: Floats
    selection: str = "random"
    flags: tuple[str, ...] = ()

    @property
    def cost(self) -> float:
        """What the plan costs."""
        return float(self.costs @ self.counts)

    def save(self, path: Path) -> None:
        """Write the plan to one ``.npz`` file without pickling."""
        values = {name: value for name, value in vars(self).items() if name != "flags"}
        np.savez(path, allow_pickle=False, flags=np.array(self.flags, dtype=np.str_), **values)

    @classmethod
    def load(cls, path: Path) -> CompletionPlan:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            values = dict(archive)
        arrays = {name: values[name] for name in ("counts", "rows", "needs", "costs", "scores")}
        return cls(
            strategy=str(values["strategy"]),
            fraction=float(values["fraction"]),
            budget=float(values["budget"]),
            selection=str(values["selection"]),
            flags=tuple(str(flag) for flag in values["flags"]),
            **arrays,
        )


def plan_completion(
    planner: Planner,
    problem: CompletionProblem,
    budgets: Mapping[float, float],
    *,
    reserve: Ints,
    labels: Ints,
    seed: int,
    selection: Selection | None = None,
    pool: Pool | None = None,
) -> list[CompletionPlan]:
    """Carry a strategy out on a labelled reserve, once per budget.

    All strategies of a seed share one random order of the reserve, and a selection ranks the samples of a class by
    itself, so that plans share samples wherever they share counts, and a larger budget contains the smaller one.

    Args:
        planner: the strategy.
        problem: counts, reserve, needs and limits per class.
        budgets: by fraction of the reserve.
        reserve: [R] rows of the embeddings in the reserve.
        labels: [N] class of every row, or the label that it stands under where it may carry several.
        seed: of the job.
        selection: which samples of a class are taken first; the random order if None.
        pool: what the selection sees, its samples in the order of ``random_order(reserve, seed)``; a selection other
            than random needs it.
    """
    order = random_order(reserve, seed)
    order = order[labels[order] != NO_LABEL]
    classes = labels[order]
    allocations = {f: buy(planner, problem, budget, classes) for f, budget in budgets.items()}
    spent = {f: _checked_spending(planner, each, problem, budgets[f]) for f, each in allocations.items()}
    rule = selection or RandomSelection()
    most = np.max([each.counts for each in allocations.values()], axis=0, initial=0).astype(np.int64)
    ranking = rule.rank(pool or Pool(features=None, classes=classes), np.broadcast_to(most, problem.counts.shape))
    plans = []
    for fraction, allocation in allocations.items():
        places = take_first(ranking.order, classes[ranking.order], allocation.counts)
        places = places[np.argsort(order[places])]
        plans.append(
            CompletionPlan(
                strategy=planner.name,
                fraction=fraction,
                budget=budgets[fraction],
                counts=allocation.counts,
                rows=order[places],
                needs=problem.needs,
                costs=np.ones(len(problem.counts)) if problem.costs is None else problem.costs,
                scores=ranking.scores[places],
                selection=rule.name,
                flags=(*allocation.flags, *spent[fraction]),
            )
        )
    return plans


def random_order(reserve: Ints, seed: int) -> Ints:
    """Return the reserve's rows in the one random order that all strategies and selections of a seed share."""
    return generator(seed, "selection").permutation(reserve)


def _checked_spending(
    planner: Planner, allocation: Allocation, problem: CompletionProblem, budget: float
) -> tuple[str, ...]:
    """Refuse counts that cannot be carried out; flag a budget that is not spent, because arms are then not equal."""
    counts, limits = np.asarray(allocation.counts), problem.limits
    if problem.co_labels is not None:  # the least and the most are of labels, which samples bring together
        limits = Limits.of(problem.co_labels.room, prices=problem.prices)
    if counts.shape != problem.reserve.shape or np.any(counts < limits.lower) or np.any(counts > limits.upper):
        raise ValueError(
            f"completion={planner.name} asks for {counts.tolist()} samples per class; the least is "
            f"{limits.lower.tolist()}, and the reserve holds, or the maximum is, {limits.upper.tolist()}"
        )
    spent, rest = limits.cost(counts), budget - limits.cost(counts)
    cheapest = limits.prices[counts < limits.upper].min(initial=np.inf)
    whole = abs(rest) < 1e-9 * max(budget, 1.0) or (problem.unit == "money" and 0 <= rest < cheapest)
    return () if whole else (f"spent_{spent:g}_of_{budget:g}",)


def take_first(order: Ints, classes: Ints, counts: Ints) -> Ints:
    """Return the first ``counts[j]`` entries of class j from ``order``."""
    return order[within_class_rank(classes) < counts[classes]]


def write_plan(
    path: Path, plan: CompletionPlan, *, ids: NDArray[np.str_], labels: Ints, names: tuple[str, ...]
) -> None:
    """Write a plan as a CSV that a labelling team can use: id, class, reason, cost, and the selection's score."""
    scored = bool(np.isfinite(plan.scores).any())
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        cells = []
        for row, value in zip(plan.rows, plan.scores, strict=True):
            step = labels[row]
            reason = f"{plan.strategy}: {plan.counts[step]} of this class, by {plan.selection}"
            score = [f"{value:.6g}"] if scored else []
            cells.append([str(ids[row]), names[step], reason, f"{plan.costs[step]:g}", *score])
        write_rows(file, ["id", "class_name", "reason", "cost", *(["score"] if scored else [])], cells)
