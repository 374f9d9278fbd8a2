"""A plan that several encoders stand for: the need of a class is what enough of them agree on.

One encoder's estimate says what that encoder lacks. Of E encoders with needs ``n_ej`` the consensus need of class j is
the largest n that at least the share `quorum` of the encoders call necessary,

    need_j = the ⌈quorum · E⌉-th largest of n_1j … n_Ej.

``quorum=0.5`` is the median (of an even number the upper one), 0.75 a need that most agree on, 1 the smallest need.
An encoder whose need is undefined does not vote on that class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from scar.completion.allocation import Allocation, allocate
from scar.completion.planners import ScarPlanner
from scar.completion.problem import CompletionProblem, Floats, Ints
from scar.completion.sharing import Limits

if TYPE_CHECKING:
    from scar.encoders.base import Encoder


@dataclass(frozen=True, kw_only=True)
class ConsensusPlanner:
    """Proportional to what each class lacks of the need that enough encoders agree on.

    The budget is the one of every other strategy. Where the consensus asks for less than the budget, the rest follows
    the needs of the job's own encoder, and the plan is flagged ``beyond_consensus``.

    Attributes:
        name: of the strategy.
        quorum: share of the encoders that must call a need necessary, in (0, 1].
        encoders: by any name; those that read the modality that is probed vote, and so does the job's own.
    """

    helpers: ClassVar[tuple[str, ...]] = ("scar.completion.planners",)

    name: str = "consensus"
    quorum: float = 0.5
    encoders: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.quorum <= 1:
            raise ValueError(f"completion.quorum={self.quorum} must be a share in (0, 1]")

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide the budget by the consensus need, and what is left by the own need."""
        if problem.votes is None:
            raise ValueError(f"completion={self.name} needs the estimates of several encoders; run it as a job of scar")
        own = ScarPlanner()
        agreed = replace(problem, needs=consensus_needs(problem.votes, self.quorum))
        first = own.allocate(agreed, budget, order)
        done = Limits(lower=first.counts, upper=np.maximum(problem.wanted, first.counts), prices=problem.prices)
        if not done.affords(budget - done.cost(first.counts))[first.counts < done.upper].any():
            return first
        rest = allocate(needs=problem.needs, counts=problem.counts, reserve=problem.reserve, budget=budget, limits=done)
        return Allocation(counts=rest.counts, flags=(*rest.flags, "beyond_consensus"))


def consensus_needs(votes: Floats, quorum: float) -> Floats:
    """Return [K] the need of each class that enough encoders agree on; NaN where no encoder has one.

    Args:
        votes: [E, K] needs; NaN where an encoder has none, infinity where it calls no size enough.
        quorum: share of the encoders, in (0, 1].
    """
    needs = np.full(votes.shape[1], np.nan)
    for step, column in enumerate(votes.T):
        cast = np.sort(column[~np.isnan(column)])[::-1]
        if len(cast):
            needs[step] = cast[int(np.ceil(quorum * len(cast) - 1e-9)) - 1]
    return needs


def voters(planner: Any, own: Encoder, modality: str) -> tuple[Encoder, ...]:
    """Return the encoders that vote beside a job's own; none for a planner that asks nobody."""
    if not isinstance(planner, ConsensusPlanner):
        return ()
    return tuple(each for each in planner.encoders.values() if each != own and modality in each.towers())
