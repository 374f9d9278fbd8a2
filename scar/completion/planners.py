"""Completion strategies; add one by writing a class like these and a YAML that names it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scar.completion.allocation import RULES, Allocation, allocate, share_equally
from scar.completion.problem import CompletionProblem, Ints


@dataclass(frozen=True, kw_only=True)
class ScarPlanner:
    """Proportional to what each class lacks of its Foundation Data Size (§4.2).

    Attributes:
        name: of the strategy.
        rule: ``"capped"`` (ours) or ``"published"``.
    """

    name: str = "scar"
    rule: str = "capped"

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"completion.rule={self.rule!r} is unknown; use one of {', '.join(RULES)}")

    def allocate(self, problem: CompletionProblem, budget: int, order: Ints) -> Allocation:
        """Divide the budget by need."""
        return allocate(
            needs=problem.needs, counts=problem.counts, reserve=problem.reserve, budget=budget, rule=self.rule
        )


@dataclass(frozen=True, kw_only=True)
class RandomPlanner:
    """A simple random sample of the reserve: the first baseline of the paper."""

    name: str = "random"

    def allocate(self, problem: CompletionProblem, budget: int, order: Ints) -> Allocation:
        """Count the classes of the first samples of the random order."""
        return Allocation(counts=np.bincount(order[:budget], minlength=len(problem.counts)), flags=())


@dataclass(frozen=True, kw_only=True)
class ClassAveragePlanner:
    """The same number of samples for every class, as far as the reserve goes: the second baseline of the paper."""

    name: str = "class_average"

    def allocate(self, problem: CompletionProblem, budget: int, order: Ints) -> Allocation:
        """Divide the budget equally under the caps of the reserve."""
        return share_equally(budget, problem.reserve)
