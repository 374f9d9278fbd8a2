"""One plan for both modalities of pairs: every added pair serves both directions of supervision (§4.3).

In direction ``d`` (image probed under clusters of text, or text under clusters of image) step ``j`` lacks the gap
``g_dj = max(0, need_dj - count_dj)`` of its share of a set that is enough at the present class mix; an undefined need
counts as the largest. A plan that adds ``x_c`` pairs of each joint cell ``c = (j, l)`` adds ``X_dj``
samples to step j of direction d, the sum over the cells of that step. The plan maximises, over both directions, the
covered share of the need with diminishing returns:

    F(x) = Σ_d Σ_j (g_dj / G_d) φ(X_dj / g_dj),   φ(t) = t - t²/2 up to t = 1, then 1/2,   G_d = Σ_j g_dj,
    subject to  0 ≤ x_c ≤ reserve_c,  Σ_c x_c = budget.

A pair is worth the uncovered shares of its two steps, ``(1 - X_dj / g_dj) / G_d`` summed over d. With one direction
alone the maximum is the rule ``capped`` of `allocate`: all steps are covered to the same share. Pairs are added one
by one, each to the cell of the largest marginal value, so that a larger budget contains the smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.allocation import allocate, completion_caps
from scar.completion.plan import CompletionPlan, random_order, take_first
from scar.completion.planner import PairPlanner
from scar.completion.problem import UNBOUNDED, CompletionProblem, resolve_budgets
from scar.sampling.splits import Split


@dataclass(frozen=True, kw_only=True)
class JointPlanner(PairPlanner):
    """The covered share of need in both directions; see the module."""

    name: str = "joint"

    def allocate_pairs(
        self, cells: Ints, room: Ints, problems: Sequence[CompletionProblem], budgets: Sequence[int]
    ) -> dict[int, Ints]:
        """Add pairs one by one, each to the cell of the largest marginal value; pairs that serve no need are left."""
        return greedy_cells(cells, room, [_gaps(each) for each in problems], budgets)


@dataclass(frozen=True, eq=False, kw_only=True)
class Direction:
    """One direction of supervision.

    Attributes:
        problem: counts, reserve and needs of its steps.
        labels: [N] step of every row.
        primary: rows that are there.
        reserve: rows that could be added.
    """

    problem: CompletionProblem
    labels: Ints
    primary: Ints
    reserve: Ints

    @classmethod
    def of(cls, problem: CompletionProblem, split: Split, labels: Ints) -> Direction:
        """Take the rows from the split of the direction."""
        return cls(problem=problem, labels=labels, primary=split.primary, reserve=split.reserve)


def plan_jointly(
    planner: PairPlanner, directions: Mapping[str, Direction], *, probed: str, fractions: Sequence[float], seed: int
) -> list[CompletionPlan]:
    """Return the joint plan for each budget, as one of the two directions sees it; its rows are the same in both.

    A budget is the larger of what the two directions can spend.

    Args:
        planner: the strategy.
        directions: by the modality that is probed; their order does not matter.
        probed: the direction whose counts and needs the plans show.
        fractions: of the reserve.
        seed: of the job.

    Raises:
        ValueError: a direction has limits or prices, which this rule does not know, or the directions differ in what
            there is and what could be added.
    """
    both = [directions[modality] for modality in sorted(directions)]
    for each in both:
        if each.problem.is_bounded:
            raise ValueError(f"completion={planner.name} knows no money, minimum or maximum; use budgets=default")
    if not all(np.array_equal(getattr(both[0], part), getattr(both[1], part)) for part in ("primary", "reserve")):
        raise ValueError(
            f"completion={planner.name}: the two directions have different primary sets, because the regime changes them "
            "by the labels of one; use regime=natural"
        )
    resolved = [resolve_budgets(list(fractions), each.problem) for each in both]
    budgets = {fraction: int(max(each[fraction] for each in resolved)) for fraction in fractions}
    order = random_order(both[0].reserve, seed)
    cells, cell_of = np.unique(np.stack([each.labels[order] for each in both]), axis=1, return_inverse=True)
    room = np.bincount(cell_of.ravel(), minlength=cells.shape[1])
    counts = planner.allocate_pairs(cells, room, [each.problem for each in both], sorted(budgets.values()))
    own = directions[probed]
    return [
        _as_seen(planner, own, fraction, budget, rows=take_first(order, cell_of.ravel(), counts[budget]))
        for fraction, budget in budgets.items()
    ]


def greedy_cells(cells: Ints, room: Ints, gaps: Sequence[Floats], budgets: Sequence[int]) -> dict[int, Ints]:
    """Add pairs to joint cells by their marginal value.

    Args:
        cells: [2, M] step of each cell in the two directions.
        room: [M] pairs of each cell in the reserve.
        gaps: [K_d] what each step lacks, for each direction.
        budgets: pairs to add, ascending; pairs that serve no need are not added.

    Returns:
        Budget → [M] pairs of each cell; equal values go to the cell that comes first.
    """
    added = [np.zeros(len(each)) for each in gaps]
    counts, spent, found = np.zeros(len(room), np.int64), 0, {}
    values = sum(_values(gap, more)[steps] for gap, more, steps in zip(gaps, added, cells, strict=True))
    worth = np.where(room > 0, values, 0.0)
    for budget in budgets:
        while spent < budget and worth.max(initial=0.0) > 0:
            cell = int(worth.argmax())
            counts[cell] += 1
            spent += 1
            for more, steps in zip(added, cells, strict=True):
                more[steps[cell]] += 1
            values = sum(_values(gap, more)[steps] for gap, more, steps in zip(gaps, added, cells, strict=True))
            worth = np.where(counts < room, values, 0.0)
        found[budget] = counts.copy()
    return found


def _values(gaps: Floats, added: Floats) -> Floats:
    """Return [K] what one more sample of each step adds to F: the increase of φ over that sample."""
    uncovered = np.maximum(1 - (added + 0.5) / np.maximum(gaps, 1e-12), 0.0)
    shares: Floats = uncovered / max(gaps.sum(), 1e-12)
    return shares


def _gaps(problem: CompletionProblem) -> Floats:
    """Return [K] what each step lacks; an unreachable need lacks as much as the largest one that can be reached."""
    gaps = completion_caps(problem.needs, problem.counts, np.full_like(problem.counts, UNBOUNDED)).astype(np.float64)
    unreachable = gaps >= UNBOUNDED
    return np.where(unreachable, max(gaps[~unreachable].max(initial=0.0), problem.counts.max() + 1.0), gaps)


def _as_seen(planner: PairPlanner, direction: Direction, fraction: float, budget: int, *, rows: Ints) -> CompletionPlan:
    problem = direction.problem
    said = allocate(needs=problem.needs, counts=problem.counts, reserve=problem.reserve, budget=0).flags
    short = () if len(rows) == budget else (f"spent_{len(rows)}_of_{budget}",)
    return CompletionPlan(
        strategy=planner.name,
        fraction=fraction,
        budget=budget,
        counts=np.bincount(direction.labels[rows], minlength=len(problem.counts)),
        rows=rows,
        needs=problem.needs,
        costs=np.ones(len(problem.counts)) if problem.costs is None else problem.costs,
        scores=np.full(len(rows), np.nan),
        flags=tuple(flag for flag in said if flag != "budget_above_need") + short,
    )
