"""What a run needs and no number depends on: where things lie, how artefacts are used, where results go."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scar.evaluation.sequential import Looks
from scar.store.store import POLICIES

WANDB_MODES = ("offline", "online", "disabled")


@dataclass(frozen=True, kw_only=True)
class PathsConfig:
    """Where things lie; none of it can change a number.

    Attributes:
        output_dir: studies, jobs and reports.
        store_dir: artefacts shared by all studies.
        data_dir: fetched data; None takes the cache of the user.
    """

    output_dir: str = "outputs"
    store_dir: str = "outputs/store"
    data_dir: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """How artefacts are used.

    Attributes:
        policy: ``"reuse"``, ``"refresh"`` or ``"only-cache"``.
        verify: compare every artefact with its checksums whenever it is looked for; otherwise large ones are compared
            when a process reads them for the first time.
    """

    policy: str = "reuse"
    verify: bool = False

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"store.policy={self.policy!r} is unknown; use one of {', '.join(POLICIES)}")


@dataclass(frozen=True, kw_only=True)
class LoggerConfig:
    """Loggers of a job.

    Attributes:
        wandb: ``"offline"`` (no account needed; `wandb sync` uploads later), ``"online"`` or ``"disabled"``.
        project: of Weights & Biases.
        tags: added to the tags that every run gets.
        figures: draw the figures of a job for its run; None draws them where it is online.
        curves: log what training watched, each bank of probes as soon as it is trained.
        live: log it also while a bank trains, at most once a second; jobs of a sweep then train their arms alone.
        system: let Weights & Biases record the load of the machine.
    """

    wandb: str = "offline"
    project: str = "scar"
    tags: tuple[str, ...] = ()
    figures: bool | None = None
    curves: bool = True
    live: bool = False
    system: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))
        if self.wandb not in WANDB_MODES:
            raise ValueError(f"logger.wandb={self.wandb!r} is unknown; use one of {', '.join(WANDB_MODES)}")


@dataclass(frozen=True, kw_only=True)
class SeedsConfig:
    """How many seeds a sweep of ``seeds=adaptive`` runs.

    Attributes:
        minimum: seeds before the first look.
        batch: seeds that are added at once.
        maximum: seeds at the last look.
        level: probability that no look at a comparison is wrong.
        margin: largest difference that counts as none, in the unit of the metric.
    """

    minimum: int = 5
    batch: int = 5
    maximum: int = 20
    level: float = 0.95
    margin: float = 0.005

    def __post_init__(self) -> None:
        if self.minimum < 2:
            raise ValueError(f"seeds.minimum={self.minimum} must be at least 2: one seed has no interval")
        if self.batch < 1:
            raise ValueError(f"seeds.batch={self.batch} must be at least 1")
        if self.maximum < self.minimum:
            raise ValueError(f"seeds.maximum={self.maximum} must be at least seeds.minimum={self.minimum}")
        if not 0 < self.level < 1:
            raise ValueError(f"seeds.level={self.level} must lie between 0 and 1, e.g. 0.95")
        if not 0 <= self.margin < math.inf:
            raise ValueError(f"seeds.margin={self.margin} must be finite and not negative; 0.005 is half a point")

    @property
    def looks(self) -> Looks:
        """The looks, fixed before the first."""
        return Looks.between(self.minimum, self.maximum, self.batch)
