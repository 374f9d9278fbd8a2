"""The configuration of a run: typed, validated once, and with an identity.

Every group of ``conf/`` is described by a dataclass: a stage by the config class of its module, and what a user swaps
(dataset, encoder, regime, completion) by the class that the group's ``_target_`` names. `build` turns what Hydra
composed into those objects, so that an unknown key, a wrong type or a bad value stops the run before any work.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scar.completion.budgets import BudgetsConfig
from scar.completion.pool import LabelledPool, UnlabelledPool
from scar.completion.problem import Planner
from scar.config_checks import check_combination
from scar.config_nodes import ConfigError, hint, make_target, make_typed
from scar.console import OUTPUTS
from scar.data.source import Source
from scar.encoders.base import Encoder
from scar.evaluation import SCORES
from scar.foundation.config import FoundationConfig
from scar.labels import LabelsConfig
from scar.loggers import LoggerConfig
from scar.probes.config import ProbeConfig, TrainerConfig
from scar.reduction.config import ReductionConfig
from scar.regimes import Regime
from scar.selection.base import Selection
from scar.splits import SplitConfig
from scar.store import POLICIES, identity
from scar.subsets import SubsetsConfig


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
        verify: compare every artefact with its checksums before it is used; small ones always are.
    """

    policy: str = "reuse"
    verify: bool = False

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"store.policy={self.policy!r} is unknown; use one of {', '.join(POLICIES)}")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One job: a dataset seen through an encoder, in a regime, with a seed and a completion strategy.

    `modality` is what the probes see; None takes the only one that dataset and encoder share. `task` names the
    function that a study with a loop of its own runs in place of the job, called with the configuration and the folder.
    `reduction` is for studies of image-text pairs; where it is None it is no part of the identity.
    `objective` is the score that a job returns to a search: one of the largest budget, or ``arm/score``. `report` writes
    the report of the study at the end of the command; `output` says what standard output is for.
    """

    dataset: Source
    encoder: Encoder
    labels: LabelsConfig
    split: SplitConfig
    regime: Regime
    subsets: SubsetsConfig
    probe: ProbeConfig
    foundation: FoundationConfig
    completion: Planner
    selection: Selection
    budgets: BudgetsConfig
    pool: LabelledPool | UnlabelledPool
    modality: str | None = None
    task: str | None = None
    reduction: ReductionConfig | None = None
    seed: int = 0
    objective: str = field(default="balanced_accuracy", metadata={"runtime": True})
    report: bool = field(default=True, metadata={"runtime": True})
    output: str = field(default="rich", metadata={"runtime": True})
    study: str = field(default="default", metadata={"runtime": True})
    trainer: TrainerConfig = field(default_factory=TrainerConfig, metadata={"runtime": True})
    logger: LoggerConfig = field(default_factory=LoggerConfig, metadata={"runtime": True})
    paths: PathsConfig = field(default_factory=PathsConfig, metadata={"runtime": True})
    store: StoreConfig = field(default_factory=StoreConfig, metadata={"runtime": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "modality", self._probed())
        if self.objective.rpartition("/")[2] not in SCORES:
            raise ConfigError(
                f"objective={self.objective!r} must end in a score, one of {', '.join(SCORES)}; e.g. primary/accuracy"
            )

    @property
    def probed(self) -> str:
        """The modality that the probes see."""
        assert self.modality is not None
        return self.modality

    @property
    def modalities(self) -> tuple[str, ...]:
        """What both the dataset holds and the encoder reads."""
        towers = self.encoder.towers()
        return tuple(each for each in self.dataset.modalities if each in towers)

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
    "trainer": TrainerConfig,
    "logger": LoggerConfig,
    "paths": PathsConfig,
    "store": StoreConfig,
}
# Groups with one class; the others name theirs by `_target_`.
OPTIONAL: Mapping[str, type] = {"reduction": ReductionConfig}
# Groups that most configurations are without.
TARGETS = ("dataset", "encoder", "labels", "regime", "completion", "selection", "pool")


def build(composed: DictConfig) -> Config:
    """Turn a composed Hydra configuration into a validated `Config`.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    values: dict[str, Any] = {}
    allowed = [f.name for f in fields(Config)]
    for key in map(str, composed):
        if key not in (*allowed, "hydra"):
            raise ConfigError(f"{key} is unknown{hint(key, allowed)}; allowed: {', '.join(allowed)}")
    for name in (f.name for f in fields(Config)):
        if name not in composed and name in OPTIONAL:
            values[name] = None
            continue
        if name not in composed:
            raise ConfigError(f"the group {name!r} is missing; start from conf/config.yaml")
        try:
            node = composed[name]
        except OmegaConfBaseException as error:
            raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from error
        if name in SCHEMAS:
            values[name] = make_typed(SCHEMAS[name], node, name)
        elif name in OPTIONAL:
            values[name] = None if node is None else make_typed(OPTIONAL[name], node, name)
        elif name in TARGETS:
            values[name] = make_target(node, name)
        else:
            values[name] = node
    if not isinstance(values["seed"], int) or isinstance(values["seed"], bool) or values["seed"] < 0:
        raise ConfigError(f"seed={values['seed']!r} must be a whole number of at least 0")
    if not isinstance(values["study"], str) or not re.fullmatch(r"\w[\w.-]*", values["study"]):
        raise ConfigError(f"study={values['study']!r} must be a name of letters, digits, '.', '-' and '_': a folder")
    if not isinstance(values["report"], bool):
        raise ConfigError(f"report={values['report']!r} must be true or false")
    if values["output"] not in OUTPUTS:
        raise ConfigError(f"output={values['output']!r} is unknown; use one of {', '.join(OUTPUTS)}")
    if not isinstance(values["objective"], str):
        raise ConfigError(f"objective={values['objective']!r} must be the name of a score, e.g. balanced_accuracy")
    for name in ("modality", "task"):
        if values[name] is not None and not isinstance(values[name], str):
            raise ConfigError(f"{name}={values[name]!r} must be a name, or null")
    config = Config(**values)
    check_combination(config)
    return config


def job_digest(composed: DictConfig) -> str:
    """Return the name of a job's folder: the hash of its configuration without what cannot change a number.

    A configuration that `build` refuses is hashed as it stands; its job then fails with the reason.
    """
    try:
        plain = {name: value for name, value in identity(build(composed)).items() if name not in OPTIONAL or value}
    except ConfigError:
        plain = {"refused": OmegaConf.to_container(composed, resolve=False)}
        plain["refused"].pop("hydra", None)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


OmegaConf.register_new_resolver("job_digest", lambda *, _root_: job_digest(_root_), replace=True)
