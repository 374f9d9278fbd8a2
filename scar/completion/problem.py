"""What a planner is given, and the plan that comes out."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scar.completion.allocation import Allocation, completion_caps
from scar.data.stratify import within_class_rank
from scar.randomness import generator
from scar.store import replacing

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class CompletionProblem:
    """The state of a primary set, class by class.

    Attributes:
        counts: [K] samples in the primary set.
        reserve: [K] samples that could be added.
        needs: [K] samples of the class that would be enough by the driver's estimate; 0 where the need is met, NaN
            where it is undefined.
        class_names: [K] names.
    """

    counts: Ints
    reserve: Ints
    needs: Floats
    class_names: tuple[str, ...]


class Planner(Protocol):
    """A strategy: how many samples of which class a budget should buy."""

    name: str

    def allocate(self, problem: CompletionProblem, budget: int, order: Ints) -> Allocation:
        """Divide a budget over the classes.

        Args:
            problem: counts, reserve and needs.
            budget: samples to add.
            order: [R] class of every reserve sample, in the random order in which samples of a class are taken.

        Returns:
            ``counts`` [K] samples to add, at most the reserve of each class, and flags.
        """
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class CompletionPlan:
    """Which samples to add, and why.

    Attributes:
        strategy: name of the planner.
        fraction: budget as a share of the reserve.
        budget: samples that every strategy may add.
        counts: [K] samples added per class.
        rows: [budget] rows of the embeddings that are added; empty when the plan is for classes only.
        needs: [K] the needs it answers.
        flags: what a reader should know.
    """

    strategy: str
    fraction: float
    budget: int
    counts: Ints
    rows: Ints
    needs: Floats
    flags: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        """Write the plan to one ``.npz`` file without pickling."""
        values = {name: value for name, value in vars(self).items() if name != "flags"}
        np.savez(path, allow_pickle=False, flags=np.array(self.flags, dtype=np.str_), **values)

    @classmethod
    def load(cls, path: Path) -> CompletionPlan:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            values = dict(archive)
        return cls(
            strategy=str(values["strategy"]),
            fraction=float(values["fraction"]),
            budget=int(values["budget"]),
            counts=values["counts"],
            rows=values["rows"],
            needs=values["needs"],
            flags=tuple(str(flag) for flag in values["flags"]),
        )


def resolve_budgets(fractions: list[float] | tuple[float, ...], problem: CompletionProblem) -> dict[float, int]:
    """Turn shares of the reserve into sample counts that every strategy can spend (§4.2).

    A budget is ``min(fraction · |reserve|, Σ_j min(reserve_j, need_j - count_j))``: it never exceeds what the `scar`
    planner would want, so that all strategies are compared at exactly the same size.
    """
    wanted = int(completion_caps(problem.needs, problem.counts, problem.reserve).sum())
    return {fraction: min(round(fraction * int(problem.reserve.sum())), wanted) for fraction in fractions}


def plan_completion(
    planner: Planner,
    problem: CompletionProblem,
    budgets: dict[float, int],
    *,
    reserve: Ints,
    labels: Ints,
    seed: int,
) -> list[CompletionPlan]:
    """Carry a strategy out on a labelled reserve, once per budget.

    All strategies of a seed take the samples of a class in the same random order, so that their plans share samples
    wherever they share counts, and a larger budget contains the smaller one.

    Args:
        planner: the strategy.
        problem: counts, reserve and needs per class.
        budgets: samples by fraction of the reserve.
        reserve: [R] rows of the embeddings in the reserve.
        labels: [N] class of every row.
        seed: of the job.
    """
    order = generator(seed, "selection").permutation(reserve)
    plans = []
    for fraction, budget in budgets.items():
        allocation = planner.allocate(problem, budget, labels[order])
        spent = _checked_spending(planner, allocation, problem, budget)
        rows = take_first(order, labels[order], allocation.counts)
        plans.append(
            CompletionPlan(
                strategy=planner.name,
                fraction=fraction,
                budget=budget,
                counts=allocation.counts,
                rows=np.sort(rows),
                needs=problem.needs,
                flags=(*allocation.flags, *spent),
            )
        )
    return plans


def _checked_spending(
    planner: Planner, allocation: Allocation, problem: CompletionProblem, budget: int
) -> tuple[str, ...]:
    """Refuse counts that cannot be carried out; flag a budget that is not spent, because arms are then not equal."""
    counts = np.asarray(allocation.counts)
    if counts.shape != problem.reserve.shape or np.any(counts < 0) or np.any(counts > problem.reserve):
        raise ValueError(
            f"completion={planner.name} asks for {counts.tolist()} samples per class, the reserve holds "
            f"{problem.reserve.tolist()}"
        )
    spent = int(counts.sum())
    return () if spent == budget else (f"spent_{spent}_of_{budget}",)


def take_first(order: Ints, classes: Ints, counts: Ints) -> Ints:
    """Return the first ``counts[j]`` entries of class j from ``order``."""
    return order[within_class_rank(classes) < counts[classes]]


def write_plan(
    path: Path, plan: CompletionPlan, *, ids: NDArray[np.str_], labels: Ints, names: tuple[str, ...]
) -> None:
    """Write a plan as a CSV that a labelling team can use: id, class, reason, cost in samples."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "class_name", "reason", "cost"])
        for row in plan.rows:
            step = labels[row]
            writer.writerow([ids[row], names[step], f"{plan.strategy}: {plan.counts[step]} of this class", 1])
