"""The contract of a strategy: what a class that ``completion`` names must offer, and may declare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from scar.common.named import Named
from scar.common.types import Ints
from scar.completion.allocation import Allocation
from scar.completion.problem import CompletionProblem
from scar.encoders.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Strategy(Named, ABC):
    """What `Planner` and `PairPlanner` share; its fields are the keys of its YAML."""

    is_joint: ClassVar[bool] = False
    """Whether one plan serves both modalities of pairs."""
    sees_reserve: ClassVar[bool] = False
    """Whether it reads learning curves that were measured on primary set and reserve together."""
    asks_forecasts: ClassVar[bool] = False
    """Whether it chooses by forecasts where every seed has them (``forecast.seeds=all``)."""
    asks_encoders: ClassVar[bool] = False
    """Whether it reads the needs as other encoders see them; `voters` names these."""

    draws_samples: ClassVar[bool] = False
    """Whether it draws samples as they come, rather than to say how many of each class it wants."""

    @property
    def why_one_class(self) -> str:
        """Why it cannot plan for samples that carry several labels; "" where it can."""
        return ""

    def voters(self, own: Encoder, modality: str) -> tuple[Encoder, ...]:
        """Return the encoders whose needs of a modality are asked for beside those of a job's own encoder."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Planner(Strategy):
    """A strategy for one kind of label: how many samples of which class a budget should buy."""

    @abstractmethod
    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Divide a budget over the classes.

        Args:
            problem: counts, reserve, needs and limits.
            budget: samples to add, or money, as `CompletionProblem.unit` says; at least what the minimum costs.
            order: [R] class of every reserve sample, in the random order in which samples of a class are taken.

        Returns:
            ``counts`` [K] samples to add within the problem's limits, and flags.
        """


@dataclass(frozen=True, kw_only=True)
class PairPlanner(Strategy):
    """A strategy for pairs of modalities, of which each supervises the other (§4.3)."""

    is_joint: ClassVar[bool] = True

    @abstractmethod
    def allocate_pairs(
        self, cells: Ints, room: Ints, problems: Sequence[CompletionProblem], budgets: Sequence[int]
    ) -> dict[int, Ints]:
        """Divide each budget over the joint cells of the two directions.

        Args:
            cells: [2, M] step of each cell in the two directions.
            room: [M] pairs of each cell in the reserve.
            problems: counts and needs of each direction.
            budgets: pairs to add, ascending.

        Returns:
            Budget → [M] pairs to add of each cell.
        """
