"""The configuration of a run: typed, validated once, and with an identity.

Every group of ``conf/`` is described by a dataclass: a stage by the config class of its module, and what a user swaps
(dataset, encoder, regime, completion) by the class that the group's ``_target_`` names. `build` turns what Hydra
composed into those objects, so that an unknown key, a wrong type or a bad value stops the run before any work.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scar.completion.budgets import BudgetsConfig
from scar.completion.consensus import ConsensusPlanner, voters
from scar.completion.pool import LabelledPool, UnlabelledPool
from scar.completion.problem import Planner
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


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key, the value and what is allowed."""


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
            raise ConfigError(f"{key} is unknown{_hint(key, allowed)}; allowed: {', '.join(allowed)}")
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
            values[name] = _typed(SCHEMAS[name], node, name)
        elif name in OPTIONAL:
            values[name] = None if node is None else _typed(OPTIONAL[name], node, name)
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
    _check_combination(config)
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


def _typed(schema: type, node: Any, name: str) -> Any:
    """Check a node against a dataclass and make the object."""
    if not isinstance(node, DictConfig):
        raise ConfigError(f"{name}={node!r} must be a group with the keys {_names(schema)}")
    given = [str(key) for key in node if key != "_target_"]
    allowed = [f.name for f in fields(schema)]
    for key in given:
        if key not in allowed:
            raise ConfigError(f"{name}.{key} is unknown{_hint(key, allowed, name)}; allowed: {_names(schema)}")
    try:
        resolved: Any = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        nested: dict[str, Any] = {}
        for key in given:
            if _is_target(resolved[key]):
                nested[key] = make_target(node[key], f"{name}.{key}")
            elif _are_targets(resolved[key]):
                nested[key] = {each: make_target(node[key][each], f"{name}.{key}.{each}") for each in resolved[key]}
            elif (inner := _inner(schema, key)) is not None:
                nested[key] = _typed(inner, node[key], f"{name}.{key}")
        fields_given = {key: resolved[key] for key in given if key not in nested}
        made = _made(schema, fields_given)
        return replace(made, **nested) if nested else made
    except OmegaConfBaseException as error:
        key = error.full_key or error.key or ""
        raise ConfigError(f"{name}.{key}={node.get(key)!r}: {str(error).splitlines()[0]}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from error


_MADE: dict[tuple[type, str], Any] = {}


def _made(schema: type, values: dict[str, Any]) -> Any:
    """Check values against a dataclass and make the object, a frozen one once: the jobs of a sweep share most groups."""
    key = (schema, json.dumps(values, sort_keys=True, default=repr))
    if key in _MADE:
        return _MADE[key]
    made: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
    if schema.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        _MADE[key] = made
    return made


def find_task(target: str) -> Callable[[Config, Path], None]:
    """Return the function that `Config.task` names.

    Raises:
        ConfigError: there is none.
    """
    module, _, attribute = target.rpartition(".")
    try:
        task = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"task={target} cannot be imported: {error}") from error
    if not callable(task):
        raise ConfigError(f"task={target} must be a function of the configuration and the folder")
    found: Callable[[Config, Path], None] = task
    return found


def _inner(schema: type, key: str) -> type | None:
    """Return the dataclass that a field holds by default, if any: a group within the group."""
    made: Any = next(f.default_factory for f in fields(schema) if f.name == key)
    return made if isinstance(made, type) and is_dataclass(made) else None


def _is_target(value: Any) -> bool:
    return isinstance(value, dict) and "_target_" in value


def _are_targets(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_target, value.values()))


def make_target(node: Any, name: str) -> Any:
    """Find the class that a node names and make the object."""
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    if not isinstance(target, str) or "." not in target:
        raise ConfigError(f"{name}._target_={target!r} must be the dotted path of a class")
    module, _, attribute = target.rpartition(".")
    try:
        schema = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{name}._target_={target} cannot be imported: {error}") from error
    if not is_dataclass(schema) or not isinstance(schema, type):
        raise ConfigError(f"{name}._target_={target} must be a dataclass: its fields are the keys of the group")
    return _typed(schema, node, name)


def _hint(key: str, allowed: list[str], group: str = "") -> str:
    """Return the nearest key that there is, as a question."""
    near = difflib.get_close_matches(key, allowed, 1)
    return f"; did you mean {group}{'.' if group else ''}{near[0]}?" if near else ""


def _names(schema: type) -> str:
    return ", ".join(f.name for f in fields(schema))


def _check_combination(config: Config) -> None:
    """Refuse what each group allows but no run can do."""
    if config.task is not None:
        find_task(config.task)
    needs_heldout = {"heldout", "learning_curve"} & set(config.foundation.estimators)
    if needs_heldout and not config.split.heldout:
        raise ConfigError(
            f"split.heldout=0, but foundation.estimators={list(config.foundation.estimators)} measure on a held-out "
            "part; use foundation=reference or give split.heldout a share"
        )
    if Path(config.paths.output_dir, config.study).resolve() == Path(config.paths.store_dir).resolve():
        raise ConfigError(f"study={config.study!r} is the folder of the store; name the study otherwise")
    if config.pool.hides_labels and getattr(config.completion, "sees_reserve", False):
        raise ConfigError(
            f"completion={config.completion.name} sees the labels of the reserve, which pool={config.pool.name} hides; "
            "use pool=labelled"
        )
    if config.pool.hides_labels and not config.split.validation:
        raise ConfigError(
            f"split.validation=0, but pool={config.pool.name} calibrates probabilities on a validation part; use "
            "pool=labelled or give split.validation a share"
        )
    if config.split.group and not config.regime.keeps_groups:
        raise ConfigError(
            f"split.group={config.split.group!r} keeps groups together, but regime={config.regime.name} moves single "
            "samples; use regime=natural"
        )
    _check_pairs(config)
    _check_consensus(config)
    if config.budgets.driver not in config.foundation.estimators:
        raise ConfigError(
            f"budgets.driver={config.budgets.driver!r} is not computed; add it to "
            f"foundation.estimators={list(config.foundation.estimators)}"
        )
    if config.probe.needs_validation and not config.split.validation:
        raise ConfigError(
            f"split.validation=0, but probe={config.probe.name} stops or chooses on a validation part; use "
            "probe=reference or give split.validation a share"
        )


def _check_consensus(config: Config) -> None:
    """Refuse a consensus of encoders that would not see the same classes and the same split."""
    planner = config.completion
    if not isinstance(planner, ConsensusPlanner):
        return
    if config.labels.kind == "cross_modal":
        raise ConfigError(f"completion={planner.name} compares encoders of given labels; use labels=given")
    if config.regime.needs_features:
        raise ConfigError(
            f"completion={planner.name} needs one split for all encoders, but regime={config.regime.name} depends on the "
            "embeddings; use another regime"
        )
    if not voters(planner, config.encoder, config.probed):
        raise ConfigError(
            f"completion.encoders has no encoder of {config.probed} beside {config.encoder.name}; add one with "
            f"+encoder@completion.encoders.<name>=<encoder>"
        )


def _check_pairs(config: Config) -> None:
    """Refuse pairs without a second modality, and a joint plan without pairs or with a rule that sees one of them."""
    crossed = config.labels.kind == "cross_modal"
    if crossed and len(config.modalities) != 2:
        raise ConfigError(
            f"labels={config.labels.name} needs two modalities, but dataset={config.dataset.name} and "
            f"encoder={config.encoder.name} share {', '.join(config.modalities)}; choose an encoder of both"
        )
    if not getattr(config.completion, "is_joint", False):
        return
    if not crossed:
        raise ConfigError(f"completion={config.completion.name} plans for pairs; use it with labels=cross_modal")
    if config.selection.name != "random":
        raise ConfigError(
            f"selection={config.selection.name} looks at one modality, but completion={config.completion.name} plans "
            "for both; use selection=random"
        )
