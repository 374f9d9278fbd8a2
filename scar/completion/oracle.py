"""Upper references for simulations: planners that see what nobody has before the data are bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scar.common.types import Ints
from scar.completion.allocation import Allocation
from scar.completion.problem import CompletionProblem
from scar.completion.slice_tuner import SliceTunerPlanner, spend_on_curves


@dataclass(frozen=True, kw_only=True)
class OraclePlanner(SliceTunerPlanner):
    """Minimise the mean miss rate along the true learning curves.

    It may see the labels of the whole reserve and the held-out misses of probes that were trained on primary set and
    reserve together and on their down-sampled subsets: its curves are measured up to the sizes it can reach, where
    those of `slice_tuner` are extrapolated from the primary set. It never sees the test part. As a model of one curve
    per class it is a reference, not a bound: classes that compete can make another plan better.
    """

    sees_reserve: ClassVar[bool] = True

    name: str = "oracle"
    fairness: float = 0.0

    @property
    def why_one_class(self) -> str:
        """Classes have to exclude one another."""
        return "its curves are of classes that exclude one another"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Solve the allocation problem on the true curves."""
        if problem.truth is None:
            raise ValueError(
                f"completion={self.name} reads the learning curves of primary set and reserve together; it is for "
                "simulations with a labelled reserve, a held-out part and at least three subsets.factors"
            )
        return spend_on_curves(problem.truth, problem, budget, fairness=self.fairness)
