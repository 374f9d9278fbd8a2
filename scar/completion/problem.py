"""The problem that a planner is given: the state of a training set, class by class, and what bounds a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.allocation import completion_caps
from scar.completion.class_curves import ClassCurves
from scar.completion.co_label_table import CoLabels
from scar.completion.forecast import Forecaster
from scar.completion.sharing import Limits

UNITS = ("samples", "money")
UNBOUNDED = int(np.iinfo(np.int32).max)
"""Reserve of a class of which anything may be collected."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CompletionProblem:
    """The state of a primary set, class by class.

    Attributes:
        counts: [K] samples in the primary set.
        reserve: [K] samples that could be added; `UNBOUNDED` where anything may be collected.
        step_sizes: [K] samples of the *whole set* that would be enough for the step of each class, by the driver's
            estimate: FDS_j of §4.2. 0 where the need is met, infinity where unreachable, NaN where undefined.
        class_names: [K] names.
        need_intervals: [K, 2] of `needs`, or None.
        miss_rates: [K] held-out miss rate of the probe trained on the primary set (Laplace's estimate), NaN for a
            class that is not held out; None where nothing is held out.
        curves: learning curves of the classes, or None where nothing is held out.
        forecaster: of what any class sizes would reach; None where no planner asks for it.
        deployment: [K] class mix where the trained probe is used, summing to 1; None where nobody can know it. A
            class of share 0 is never met there.
        truth: for `oracle` alone: the curves measured with the labels of the reserve.
        votes: for `consensus` alone: [E, K] the step sizes by encoder.
        costs: [K] of one sample; None: 1 each.
        unit: what a budget counts, ``"samples"`` or ``"money"`` (the costs).
        minimum: [K] least samples to add, or None.
        maximum: [K] most samples to add, or None.
        pools: [M, K] class sizes of the pools that are compared, of whose smallest a budget is a share; None: a budget
            is a share of the reserve.
        co_labels: where a sample may carry several labels: counts, reserve, needs and limits are then of samples that carry
            each label, a budget is of samples (`scar.completion.co_labels`). None: a sample is of one class.

    Raises:
        ValueError: limits that contradict each other or the reserve; the message names the limit and the class.
    """

    counts: Ints
    reserve: Ints
    step_sizes: Floats
    class_names: tuple[str, ...]
    need_intervals: Floats | None = None
    miss_rates: Floats | None = None
    curves: ClassCurves | None = None
    forecaster: Forecaster | None = None
    deployment: Floats | None = None
    truth: ClassCurves | None = None
    votes: Floats | None = None
    costs: Floats | None = None
    unit: str = "samples"
    minimum: Ints | None = None
    maximum: Ints | None = None
    pools: Ints | None = None
    co_labels: CoLabels | None = None

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
    def needs(self) -> Floats:
        """[K] samples of each class in a set that is enough at the present class mix, ``step_sizes · m_j / n``.

        NaN where undefined, and for a class without samples.
        """
        needs: Floats = np.where(self.counts > 0, self.step_sizes, np.nan) * self.counts / max(self.samples, 1)
        return needs

    @property
    def samples(self) -> int:
        """Samples n of the primary set."""
        return int(self.counts.sum()) if self.co_labels is None else self.co_labels.samples

    def samples_for(self, wanted: Ints) -> Ints:
        """Return [K] the samples to buy for so many of each class: these, unless some carry several labels."""
        return wanted if self.co_labels is None else self.co_labels.cover(wanted)

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
        """[K] the most that it makes sense to add at the present class mix: what is asked for, and what `needs` lack."""
        caps = completion_caps(self.needs, self.counts, self.reserve)
        return self.limits.within(caps).upper


def resolve_budgets(fractions: Sequence[float], problem: CompletionProblem) -> dict[float, float]:
    """Turn shares of the reserve into budgets that every strategy can spend (§4.2).

    In samples a budget is ``min(fraction · |reserve|, Σ_j min(reserve_j, need_j - count_j))``, in money likewise with
    every sample at its price: it never exceeds what any reading of `scar` can spend, so that all strategies are
    compared at exactly the same size. Where pools are compared (`CompletionProblem.pools`), both terms are the least over
    these pools, so that a budget is the same in each of them. A plan for an unlabelled pool sees predicted classes; it may
    want still less.

    Raises:
        ValueError: the minimum per class costs more than a budget.
    """
    pools = () if problem.pools is None else problem.pools
    each = [problem, *(replace(problem, reserve=sizes, minimum=None, pools=None) for sizes in pools)]
    reserve = min(one.limits.cost(one.reserve if one.co_labels is None else one.co_labels.room) for one in each)
    wanted = min(one.limits.cost(one.samples_for(one.wanted)) for one in each)
    whole = problem.unit == "samples"
    budgets = {f: min(round(f * reserve) if whole else f * reserve, wanted) for f in fractions}
    for fraction, budget in budgets.items():
        check_budget(
            problem,
            budget,
            f"budgets.fractions: {fraction:g} of the {'reserve' if problem.pools is None else 'smallest pool'}",
        )
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
