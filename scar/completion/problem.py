"""What a planner is given: the state of a training set, class by class, and what bounds a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scar.completion.allocation import Allocation, completion_caps
from scar.completion.curves import ClassCurves
from scar.completion.sharing import Limits

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNITS = ("samples", "money")
UNBOUNDED = int(np.iinfo(np.int32).max)
"""Reserve of a class of which anything may be collected."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CompletionProblem:
    """The state of a primary set, class by class.

    Attributes:
        counts: [K] samples in the primary set.
        reserve: [K] samples that could be added; `UNBOUNDED` where anything may be collected.
        needs: [K] samples of the class that would be enough by the driver's estimate; 0 where the need is met, NaN
            where it is undefined.
        class_names: [K] names.
        need_intervals: [K, 2] of the needs, or None.
        miss_rates: [K] held-out miss rate of the probe trained on the primary set (Laplace's estimate), NaN for a
            class that is not held out; None where nothing is held out.
        curves: learning curves of the classes, or None where nothing is held out.
        truth: for `oracle` alone: the curves measured with the reserve's labels in hand.
        votes: for `consensus` alone: [E, K] the needs by encoder.
        costs: [K] of one sample; None: 1 each.
        unit: what a budget counts, ``"samples"`` or ``"money"`` (the costs).
        minimum: [K] least samples to add, or None.
        maximum: [K] most samples to add, or None.

    Raises:
        ValueError: limits that contradict each other or the reserve; the message names the limit and the class.
    """

    counts: Ints
    reserve: Ints
    needs: Floats
    class_names: tuple[str, ...]
    need_intervals: Floats | None = None
    miss_rates: Floats | None = None
    curves: ClassCurves | None = None
    truth: ClassCurves | None = None
    votes: Floats | None = None
    costs: Floats | None = None
    unit: str = "samples"
    minimum: Ints | None = None
    maximum: Ints | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"budgets.unit={self.unit!r} is unknown; use one of {', '.join(UNITS)}")
        least, most = self.minimum, self.maximum
        if least is not None:
            self._refuse(least > self.reserve, "minimum", least, "is more than the {} in the reserve", self.reserve)
        if least is not None and most is not None:
            self._refuse(least > most, "minimum", least, "is more than the maximum of {}", most)

    def _refuse(self, wrong: NDArray[np.bool_], limit: str, values: Ints, why: str, others: Ints) -> None:
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(
                f"budgets.{limit}: {values[first]} samples of class {self.class_names[first]!r} "
                f"{why.format(others[first])}; lower it"
            )

    @property
    def prices(self) -> Floats:
        """[K] what one sample takes from the budget."""
        counted = self.unit == "samples" or self.costs is None
        return np.ones(len(self.counts)) if counted or self.costs is None else self.costs

    @property
    def is_bounded(self) -> bool:
        """Whether anything beside the reserve and a budget in samples bounds a plan."""
        return not (self.unit == "samples" and self.minimum is None and self.maximum is None)

    @cached_property
    def limits(self) -> Limits:
        """Least and most to add of each class, and prices."""
        most = self.reserve if self.maximum is None else np.minimum(self.reserve, self.maximum)
        return Limits.of(most, lower=self.minimum, prices=self.prices)

    @cached_property
    def wanted(self) -> Ints:
        """[K] the most that it makes sense to add: what is asked for, and what the needs lack."""
        caps = completion_caps(self.needs, self.counts, self.reserve)
        return self.limits.within(caps).upper


class Planner(Protocol):
    """A strategy: how many samples of which class a budget should buy."""

    @property
    def name(self) -> str:
        """Of the strategy."""
        ...

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide a budget over the classes.

        Args:
            problem: counts, reserve, needs and limits.
            budget: samples to add, or money, as `CompletionProblem.unit` says; at least what the minimum costs.
            order: [R] class of every reserve sample, in the random order in which samples of a class are taken.

        Returns:
            ``counts`` [K] samples to add within the problem's limits, and flags.
        """
        ...


def resolve_budgets(fractions: Sequence[float], problem: CompletionProblem) -> dict[float, float]:
    """Turn shares of the reserve into budgets that every strategy can spend (§4.2).

    In samples a budget is ``min(fraction · |reserve|, Σ_j min(reserve_j, need_j - count_j))``, in money likewise with
    every sample at its price: it never exceeds what the `scar` planner would want, so that all strategies are
    compared at exactly the same size.

    Raises:
        ValueError: the minimum per class costs more than a budget.
    """
    reserve, wanted = problem.limits.cost(problem.reserve), problem.limits.cost(problem.wanted)
    whole = problem.unit == "samples"
    budgets = {f: min(round(f * reserve) if whole else f * reserve, wanted) for f in fractions}
    for fraction, budget in budgets.items():
        check_budget(problem, budget, f"budgets.fractions: {fraction:g} of the reserve")
    return {fraction: int(budget) if whole else budget for fraction, budget in budgets.items()}


def check_budget(problem: CompletionProblem, budget: float, name: str = "budget") -> None:
    """Refuse a budget that cannot buy the minimum.

    Raises:
        ValueError: naming the budget and the limit.
    """
    asked = problem.limits.cost(problem.limits.lower)
    if asked > budget * (1 + 1e-9):
        raise ValueError(
            f"{name} is {budget:g} {problem.unit}, but budgets.minimum asks for {asked:g}; raise it or lower the minimum"
        )
