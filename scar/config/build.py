"""From what Hydra composed to a validated `Config`, and the name of its job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scar.common.console import OUTPUTS
from scar.config.checks import check_combination, check_study
from scar.config.job_identity import digest, job_identity
from scar.config.nodes import ConfigError, hint, make_target, make_typed
from scar.config.schema import OPTIONAL, SCHEMAS, TARGETS, Config


def build(composed: DictConfig) -> Config:
    """Turn a composed Hydra configuration into a validated `Config`.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    allowed = [each.name for each in fields(Config)]
    for key in map(str, composed):
        if key not in (*allowed, "hydra"):
            nodes = composed.items_ex(resolve=False)
            groups = [str(name) for name, node in nodes if isinstance(node, DictConfig) and key in node]
            meant = (
                f"; did you mean {' or '.join(f'{name}.{key}' for name in groups)}?" if groups else hint(key, allowed)
            )
            if key == "where":
                meant = "; it chooses what a report shows: scar-report study=NAME where.AXIS=VALUE"
            raise ConfigError(f"{key} is unknown{meant}; allowed: {', '.join(allowed)}")
    values = {name: _value(composed, name) for name in allowed}
    _check_plain(values)
    config = Config(**values)
    check_combination(config)
    return config


def _value(composed: DictConfig, name: str) -> Any:
    """Return the object that a group describes, or the plain value under a key."""
    try:
        node = composed.get(name)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from error
    if node is None and name not in OPTIONAL and name not in composed:
        raise ConfigError(f"the group {name!r} is missing; start from conf/config.yaml")
    if name in SCHEMAS:
        return make_typed(SCHEMAS[name], node, name)
    if name in OPTIONAL:
        return None if node is None else make_typed(OPTIONAL[name], node, name)
    return make_target(node, name, TARGETS[name]) if name in TARGETS else node


def _check_plain(values: Mapping[str, Any]) -> None:
    """Refuse a bad value that no group holds."""
    if not isinstance(values["seed"], int) or isinstance(values["seed"], bool) or values["seed"] < 0:
        raise ConfigError(f"seed={values['seed']!r} must be a whole number of at least 0")
    if not isinstance(values["report"], bool):
        raise ConfigError(f"report={values['report']!r} must be true or false")
    if values["output"] not in OUTPUTS:
        raise ConfigError(f"output={values['output']!r} is unknown; use one of {', '.join(OUTPUTS)}")
    if not isinstance(values["objective"], str):
        raise ConfigError(f"objective={values['objective']!r} must be the name of a score, e.g. balanced_accuracy")
    for name in ("modality", "task"):
        if values[name] is not None and not isinstance(values[name], str):
            raise ConfigError(f"{name}={values[name]!r} must be a name, or null")


def job_digest(composed: DictConfig) -> str:
    """Return the name of a job's folder: its settings and the content of what it reads, see `JobIdentity`.

    A configuration that `build` refuses is hashed as it stands; its job then fails with the reason.
    """
    try:
        return job_identity(build(composed)).name
    except ConfigError:
        plain: Any = OmegaConf.to_container(composed, resolve=False)
        return digest({name: value for name, value in plain.items() if name != "hydra"})


def study_folder(composed: DictConfig) -> str:
    """Return the folder of a study, which nothing is written into before its name was checked.

    Raises:
        ConfigError: the study cannot be a folder below the output folder.
    """
    paths = composed.paths
    check_study(composed.study, output_dir=paths.output_dir, store_dir=paths.store_dir)
    return f"{paths.output_dir}/{composed.study}"


OmegaConf.register_new_resolver("study_folder", lambda *, _root_: study_folder(_root_), replace=True)
OmegaConf.register_new_resolver("job_digest", lambda *, _root_: job_digest(_root_), replace=True)
