"""Planners that look at needs and counts; add one by writing a class like these and a YAML that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.allocation import RULES, Allocation, allocate, share_equally
from scar.completion.planner import Planner
from scar.completion.problem import UNBOUNDED, CompletionProblem
from scar.completion.sharing import Limits, share
from scar.data.stratify import within_class_rank

NEED_UNITS = ("whole_set", "class_mix", "even")


@dataclass(frozen=True, kw_only=True)
class ScarPlanner(Planner):
    """Proportional to what each class lacks of its Foundation Data Size: ``w_j = gap_j / Σ gap`` (§4.2).

    An estimator says how many samples ``FDS_j`` of the *whole set* of n step j needs; ``m_j`` of the n are of class j.
    The readings of the gap differ in the unit of the need:

    - ``unit="whole_set"``: ``FDS_j - m_j``, as published. Samples of the set less samples of a class: the weights
      are nearly equal, and somewhat larger where a class is small or learns slowly.
    - ``unit="class_mix"``: ``FDS_j m_j / n - m_j``, the class's share of such a set at the present class mix. The gap
      grows with the present size, so that from a long-tailed primary set most goes to the head.
    - ``unit="even"``: ``FDS_j / K - m_j``, its share of a set of equal classes. Of two classes with the same
      ``FDS_j`` the smaller one receives more.

    The rule ``"capped"`` spends a budget: a class that would exceed its reserve or its gap receives that much, and the
    others share the rest. Where the gaps of ``"class_mix"`` or ``"even"`` are filled before the budget is spent, the
    rest follows the published gaps, flagged ``beyond_class_mix`` or ``beyond_even``; what the published gaps leave is
    not spent (``budget_above_need``).

    Attributes:
        rule: ``"capped"`` (ours) or ``"published"``.
        unit: ``"whole_set"``, ``"class_mix"`` or ``"even"``.
    """

    name: str = "scar"
    rule: str = "capped"
    unit: str = "whole_set"

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"completion.rule={self.rule!r} is unknown; use one of {', '.join(RULES)}")
        if self.unit not in NEED_UNITS:
            raise ValueError(f"completion.unit={self.unit!r} is unknown; use one of {', '.join(NEED_UNITS)}")
        if self.rule == "published" and self.unit != "whole_set":
            raise ValueError(
                f"completion.unit={self.unit!r} goes with rule=capped; the published rule has unit=whole_set"
            )

    @property
    def why_one_class(self) -> str:
        """The rule as published, and a set of equal classes, suppose that classes exclude one another."""
        if self.rule == "published":
            return "the published rule stops all classes where the first runs out, of samples that it counts once"
        return "labels that go together are not parts of a set of equal classes" if self.unit == "even" else ""

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide the budget by need."""
        if self.rule == "published":
            if problem.is_bounded:
                raise ValueError("completion.rule=published knows no money, minimum or maximum; use rule=capped")
            return self._by_need(problem, problem.step_sizes, budget, None)
        if self.unit == "whole_set":
            return self._by_need(problem, problem.step_sizes, budget, problem.limits)
        needs = problem.needs if self.unit == "class_mix" else problem.step_sizes / len(problem.counts)
        first = self._by_need(problem, needs, budget, problem.limits)
        return spend_beyond(first, problem, budget, f"beyond_{self.unit}")

    def _by_need(self, problem: CompletionProblem, needs: Floats, budget: float, limits: Limits | None) -> Allocation:
        return allocate(
            needs=needs, counts=problem.counts, reserve=problem.reserve, budget=budget, rule=self.rule, limits=limits
        )


def spend_beyond(first: Allocation, problem: CompletionProblem, budget: float, flag: str) -> Allocation:
    """Spend what an allocation leaves of a budget by the published gaps (§4.2), and flag that."""
    limits = problem.limits
    done = Limits(lower=first.counts, upper=limits.upper, prices=limits.prices)
    rest = allocate(
        needs=problem.step_sizes, counts=problem.counts, reserve=problem.reserve, budget=budget, limits=done
    )
    if np.array_equal(rest.counts, first.counts):
        return first
    return Allocation(counts=rest.counts, flags=(*rest.flags, flag))


@dataclass(frozen=True, kw_only=True)
class RandomPlanner(Planner):
    """A simple random sample of the reserve: the first baseline of the paper.

    A minimum is taken first; what follows skips classes at their maximum and samples that the rest of the budget
    cannot pay. Where nothing is in reserve yet, a random collection is expected to bring the class mix there is.
    """

    name: str = "random"
    draws_samples: ClassVar[bool] = True

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Count the classes of the first samples of the random order."""
        if not len(order) and problem.reserve.max(initial=0) == UNBOUNDED:
            return Allocation(counts=share(budget, problem.counts.astype(np.float64), problem.limits))
        return Allocation(counts=_walk(order, budget, problem.limits))


def _walk(order: Ints, budget: float, limits: Limits) -> Ints:
    """Take samples in their order, after the minimum, within the limits and the budget."""
    counts, rest = limits.lower.copy(), budget - limits.cost(limits.lower)
    rank = within_class_rank(order) if len(order) else order
    left = order[(rank >= limits.lower[order]) & (rank < limits.upper[order])]
    while len(left):
        left = left[limits.affords(rest)[left]]
        paid = np.cumsum(limits.prices[left])
        taken = paid <= rest * (1 + 1e-9)
        if not taken.any():
            break
        counts += np.bincount(left[taken], minlength=len(counts))
        rest -= float(paid[taken][-1])
        left = left[~taken]
    return counts


@dataclass(frozen=True, kw_only=True)
class ClassAveragePlanner(Planner):
    """The same number of samples for every class, as far as the reserve goes: the second baseline of the paper."""

    name: str = "class_average"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide the budget equally under the caps of the reserve."""
        return share_equally(budget, problem.reserve, problem.limits)


@dataclass(frozen=True, kw_only=True)
class ProportionalPlanner(Planner):
    """In proportion to the class sizes of the primary set, so that its class mix stays as it is.

    A class without samples receives nothing beyond its minimum, unless the others are used up.
    """

    name: str = "proportional"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide the budget in proportion to the counts."""
        counts = share(budget, problem.counts.astype(np.float64), problem.limits)
        return Allocation(counts=spend_rest(counts, budget, problem))


@dataclass(frozen=True, kw_only=True)
class WaterFillingPlanner(Planner):
    """Lift the smallest classes to one common size."""

    name: str = "water_filling"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Raise the water level until the budget is spent."""
        return Allocation(counts=share(budget, np.ones(len(problem.counts)), problem.limits, offset=problem.counts))


@dataclass(frozen=True, kw_only=True)
class LongTailFirstPlanner(Planner):
    """One class after the other, the smallest first: each up to the size of the largest, as far as its reserve goes.

    When all are that large, the rest is shared equally.
    """

    name: str = "long_tail_first"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Fill class by class."""
        limits, counts = problem.limits, problem.limits.lower.copy()
        room = limits.within(problem.counts.max() - problem.counts).upper
        for step in np.argsort(problem.counts, kind="stable"):
            rest = budget - limits.cost(counts)
            affordable = int((rest + 1e-9 * budget) // limits.prices[step])
            counts[step] += min(int(room[step] - counts[step]), max(affordable, 0))
        return Allocation(counts=spend_rest(counts, budget, problem))


@dataclass(frozen=True, kw_only=True)
class ErrorProportionalPlanner(Planner):
    """In proportion to the miss rate of each class on the held-out part.

    Errors that no data can mend attract data all the same: of a class of pure noise this planner buys most. A class that
    is not held out takes the largest rate of the others and is flagged.
    """

    name: str = "error_proportional"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide the budget in proportion to the miss rates."""
        if problem.miss_rates is None:
            raise ValueError(f"completion={self.name} needs held-out misses; give split.heldout a share")
        unknown = np.isnan(problem.miss_rates)
        largest = 1.0 if unknown.all() else float(np.nanmax(problem.miss_rates))
        counts = share(budget, np.where(unknown, largest, problem.miss_rates), problem.limits)
        return Allocation(counts=counts, flags=tuple(f"not_held_out:{j}" for j in np.flatnonzero(unknown)))


def spend_rest(counts: Ints, budget: float, problem: CompletionProblem) -> Ints:
    """Share equally, on top of counts [K], what a rule has left of the budget."""
    limits = problem.limits
    if not limits.affords(budget - limits.cost(counts))[counts < limits.upper].any():
        return counts
    return share(
        budget, np.ones(len(counts)), Limits(lower=counts, upper=limits.upper, prices=limits.prices), offset=-counts
    )
