"""The configuration of a run: typed groups, and what each of them is made of.

Every group of ``conf/`` is described by a dataclass: a stage by the config class of its module, and what a user swaps
(dataset, encoder, regime, completion) by the class that the group's ``_target_`` names. `scar.config.build.build` turns
what Hydra composed into those objects, so that an unknown key, a wrong type or a bad value stops the run before any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from scar.completion.budgets import BudgetsConfig
from scar.completion.forecast_settings import ForecastConfig
from scar.completion.planner import PairPlanner, Planner
from scar.completion.pools import LabelledPool, UnlabelledPool
from scar.completion.rounds import RoundsConfig
from scar.completion.selection.selection import Selection
from scar.config.nodes import ConfigError
from scar.config.runtime import LoggerConfig, PathsConfig, SeedsConfig, StoreConfig
from scar.data.source import Source
from scar.encoders.embeddings.on_ray import RayExtraction
from scar.encoders.encoder import Encoder
from scar.evaluation.deployment import check_deployment
from scar.evaluation.label_scores import LABEL_SCORES
from scar.evaluation.scores import SCORES
from scar.foundation.settings import FoundationConfig
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.reduction.settings import ReductionConfig
from scar.sampling.layout import MapConfig
from scar.sampling.regimes.regime import Regime
from scar.sampling.splits import SplitConfig
from scar.sampling.step_functions import LabelsConfig
from scar.sampling.subsets import SubsetsConfig


@dataclass(frozen=True, kw_only=True)
class Config:
    """One job: a dataset seen through an encoder, in a regime, with a seed and a completion strategy.

    `modality` is what the probes see; None takes the only one that dataset and encoder share. ``pool.mix`` is that of the
    regime where it is None. `task` names the
    function that a study with a loop of its own runs in place of the job, called with the configuration and the folder.
    `reduction` is for studies of image-text pairs, `rounds` asks for the next round of collection; where they are None they
    are no part of the identity.
    `deployment` is the class mix where a classifier will be used, which decisions are matched to: ``"natural"``,
    ``"uniform"``, or the share of each class by name.
    `objective` is the score that a job returns to a search: one of the largest budget, or ``arm/score``. `report` writes
    the report of the study at the end of the command; `output` says what standard output is for. `seeds` says how many
    seeds a sweep adds where they are not given. `map` is the map that jobs of seed 0 draw, `extraction` what embeds where
    this process is not to; None for neither.
    """

    dataset: Source
    encoder: Encoder
    labels: LabelsConfig
    split: SplitConfig
    regime: Regime
    subsets: SubsetsConfig
    probe: ProbeConfig
    foundation: FoundationConfig
    completion: Planner | PairPlanner
    selection: Selection
    budgets: BudgetsConfig
    pool: LabelledPool | UnlabelledPool
    forecast: ForecastConfig = field(default_factory=ForecastConfig)
    modality: str | None = None
    task: str | None = None
    reduction: ReductionConfig | None = None
    rounds: RoundsConfig | None = None
    seed: int = 0
    deployment: str | Mapping[str, float] = "natural"
    objective: str = field(default="matched_balanced_accuracy", metadata={"runtime": True})
    report: bool = field(default=True, metadata={"runtime": True})
    output: str = field(default="rich", metadata={"runtime": True})
    study: str = field(default="default", metadata={"runtime": True})
    trainer: TrainerConfig = field(default_factory=TrainerConfig, metadata={"runtime": True})
    logger: LoggerConfig = field(default_factory=LoggerConfig, metadata={"runtime": True})
    paths: PathsConfig = field(default_factory=PathsConfig, metadata={"runtime": True})
    store: StoreConfig = field(default_factory=StoreConfig, metadata={"runtime": True})
    seeds: SeedsConfig | None = field(default=None, metadata={"runtime": True})
    map: MapConfig | None = field(default=None, metadata={"runtime": True})
    extraction: RayExtraction | None = field(default=None, metadata={"runtime": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "modality", self._probed())
        object.__setattr__(self, "deployment", self._deployment())
        object.__setattr__(self, "pool", replace(self.pool, mix=self.mix))
        scores = LABEL_SCORES if self.several_labels else SCORES
        if self.objective.rpartition("/")[2] not in scores:
            raise ConfigError(
                f"objective={self.objective!r} must end in a score, one of {', '.join(scores)}; e.g. primary/{scores[0]}"
            )

    @property
    def probed(self) -> str:
        """The modality that the probes see."""
        assert self.modality is not None
        return self.modality

    @property
    def several_labels(self) -> bool:
        """Whether a sample may carry several of the labels that the probes learn, or none."""
        return self.dataset.several_labels and self.labels.kind == "given"

    @property
    def mix(self) -> str:
        """The class mix of the pool."""
        return self.pool.mix or self.regime.pool_mix

    @property
    def modalities(self) -> tuple[str, ...]:
        """What both the dataset holds and the encoder reads."""
        towers = self.encoder.towers()
        return tuple(each for each in self.dataset.modalities if each in towers)

    def _deployment(self) -> str | Mapping[str, float]:
        """Return the mix with class names as text: YAML reads ``0`` as a number."""
        given = self.deployment
        mix = {str(name): share for name, share in given.items()} if isinstance(given, Mapping) else given
        try:
            check_deployment(mix)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return mix

    def _probed(self) -> str:
        shared = self.modalities
        given, reads = "+".join(self.dataset.modalities), "+".join(self.encoder.towers())
        if not shared:
            raise ConfigError(
                f"encoder={self.encoder.name} reads {reads}, but dataset={self.dataset.name} holds {given}; choose an "
                "encoder for one of these"
            )
        if self.modality is None and len(shared) > 1:
            raise ConfigError(
                f"modality is not given, and dataset={self.dataset.name} with encoder={self.encoder.name} has several; "
                f"use modality={' or modality='.join(shared)}, or sweep over them: -m modality={','.join(shared)}"
            )
        if self.modality not in (None, *shared):
            raise ConfigError(
                f"modality={self.modality!r} is not what dataset={self.dataset.name} ({given}) and "
                f"encoder={self.encoder.name} ({reads}) share; use one of {', '.join(shared)}"
            )
        return self.modality or shared[0]


SCHEMAS: Mapping[str, type] = {
    "split": SplitConfig,
    "subsets": SubsetsConfig,
    "probe": ProbeConfig,
    "foundation": FoundationConfig,
    "budgets": BudgetsConfig,
    "forecast": ForecastConfig,
    "trainer": TrainerConfig,
    "logger": LoggerConfig,
    "paths": PathsConfig,
    "store": StoreConfig,
}
# Groups with one class; the others name theirs by `_target_`.
OPTIONAL: Mapping[str, type] = {
    "reduction": ReductionConfig,
    "rounds": RoundsConfig,
    "seeds": SeedsConfig,
    "map": MapConfig,
    "extraction": RayExtraction,
}
# Groups that a configuration may be without.
TARGETS: Mapping[str, type | tuple[type, ...]] = {
    "dataset": Source,
    "encoder": Encoder,
    "labels": LabelsConfig,
    "regime": Regime,
    "completion": (Planner, PairPlanner),
    "selection": Selection,
    "pool": (LabelledPool, UnlabelledPool),
}
# Groups that name their class, a subclass of the contract here.
