"""A plan that several encoders stand for: the need of a class is what enough of them agree on.

One encoder's estimate says what that encoder lacks. Of E encoders with step sizes ``n_ej`` (samples of the whole set)
the consensus need of class j is the largest n that at least the share `quorum` of the encoders call necessary,

    need_j = the ⌈quorum · E⌉-th largest of n_1j … n_Ej.

``quorum=0.5`` is the median (of an even number the upper one), 0.75 a need that most agree on, 1 the smallest need.
An encoder whose need is undefined does not vote on that class; where none votes, the class counts as the most needy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.planner import Planner
from scar.completion.planners import ScarPlanner, spend_beyond
from scar.completion.problem import CompletionProblem
from scar.encoders.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class ConsensusPlanner(Planner):
    """Proportional to what each class lacks of the need that enough encoders agree on.

    The budget is the one of every other strategy. Where the consensus asks for less than the budget, the rest follows
    the needs of the job's own encoder, and the plan is flagged ``beyond_consensus``.

    Attributes:
        quorum: share of the encoders that must call a need necessary, in (0, 1].
        encoders: by any name; those that read the modality that is probed vote, and so does the job's own.
    """

    asks_encoders: ClassVar[bool] = True

    name: str = "consensus"
    quorum: float = 0.5
    encoders: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.quorum <= 1:
            raise ValueError(f"completion.quorum={self.quorum} must be a share in (0, 1]")

    def voters(self, own: Encoder, modality: str) -> tuple[Encoder, ...]:
        """Return the encoders that vote beside a job's own."""
        return tuple(each for each in self.encoders.values() if each != own and modality in each.towers())

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide the budget by the consensus need, and what is left by the own need."""
        if problem.votes is None:
            raise ValueError(f"completion={self.name} needs the estimates of several encoders; run it as a job of scar")
        agreed = replace(problem, step_sizes=consensus_needs(problem.votes, self.quorum))
        return spend_beyond(ScarPlanner().allocate(agreed, budget, order), problem, budget, "beyond_consensus")


def consensus_needs(votes: Floats, quorum: float) -> Floats:
    """Return [K] the need of each class that enough encoders agree on; NaN where no encoder has one.

    Args:
        votes: [E, K] step sizes; NaN where an encoder has none, infinity where it calls no size enough.
        quorum: share of the encoders, in (0, 1].
    """
    needs = np.full(votes.shape[1], np.nan)
    for step, column in enumerate(votes.T):
        cast = np.sort(column[~np.isnan(column)])[::-1]
        if len(cast):
            needs[step] = cast[int(np.ceil(quorum * len(cast) - 1e-9)) - 1]
    return needs
