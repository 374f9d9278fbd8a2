"""What of Hydra's inside cannot be avoided, each piece with its reason; tested with Hydra 1.3.8.

No other module imports ``hydra._internal`` or changes Hydra's objects.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from hydra import compose, initialize_config_module, version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, run_job
from hydra.errors import ConfigCompositionException
from hydra.plugins.plugin import Plugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

NAMESPACE = "hydra_plugins.scar"
GROUPS_NAMED = 3
"""Groups that are asked about; of an option that more groups have, all are listed."""
Compose = Callable[[str, list[str]], DictConfig]


def register(*plugins: type[Plugin]) -> None:
    """Make a launcher or sweeper known to Hydra under the names that ``conf/hydra`` uses.

    Hydra finds plugins by walking the folders of the namespace package ``hydra_plugins``, where an editable
    installation leaves nothing, and accepts no class whose name does not begin with that of the package.
    """
    for plugin in plugins:
        Plugins.instance().register(plugin)
        Plugins.instance().class_name_to_class[f"{NAMESPACE}.{plugin.__name__}"] = plugin


def share_config_store() -> None:
    """Let Hydra's copies of its repository share the one store of structured configs.

    It copies the repository for every group that the help lists and every job that it composes. The store within
    is a singleton that nothing changes any more, yet made up two thirds of ``scar --help``.
    """
    ConfigStore.__deepcopy__ = lambda store, _memo: store  # type: ignore[attr-defined]


def explain_compositions() -> None:
    """Let Hydra say what is wrong with an override in the terms of our groups.

    It advises ``+probe.nope=1`` for a key that no group takes, and lists options where a dataset names no encoder.
    """
    if getattr(ConfigLoaderImpl, _EXPLAINED, False):
        return
    setattr(ConfigLoaderImpl, _EXPLAINED, True)
    override, load = ConfigLoaderImpl._apply_overrides_to_config, ConfigLoaderImpl.load_configuration

    def explained_override(overrides: list[Override], cfg: DictConfig) -> None:
        try:
            override(overrides, cfg)
        except ConfigCompositionException as error:
            unknown = _unknown_key(str(error), cfg)
            if unknown is None:
                raise
            raise ConfigCompositionException(unknown) from None

    def explained_load(*arguments: Any, **named: Any) -> DictConfig:
        try:
            return load(*arguments, **named)
        except ConfigCompositionException as error:
            from scar.reporting.axes import SELECTABLE

            absent = re.match(r"Could not override '(\w+)'\. No match in the defaults list", str(error))
            if absent is not None and absent[1] in SELECTABLE:  # of a report, which has no such group
                meant = f"where.{absent[1]}{_given_value(str(error)) or '=…'}"
                raise ConfigCompositionException(f"{absent[1]} is unknown; did you mean {meant}?") from None
            if "You must specify 'encoder'" not in str(error):
                raise
            raise ConfigCompositionException(
                "encoder is not given, and the file of the dataset names none: choose one by encoder=NAME (scar-admin doctor "
                "lists them), or begin that file as conf/every_dataset.yaml says, with\n  defaults:\n    - /every_dataset\n"
                "    - _self_\n    - override /encoder@_global_.encoder: NAME"
            ) from None

    ConfigLoaderImpl._apply_overrides_to_config = staticmethod(explained_override)  # type: ignore[method-assign]
    ConfigLoaderImpl.load_configuration = explained_load  # type: ignore[method-assign]


_EXPLAINED = "_scar_explains"


def _unknown_key(message: str, cfg: DictConfig) -> str | None:
    """Return what to say of a key that neither the job or report nor a group of it takes; None for anything else."""
    found = re.match(r"Could not override '([^'@]+)'", message)
    if found is None:
        return None
    first, _, rest = found[1].removeprefix("hydra.").partition(".")
    if found[1].startswith("hydra."):
        first = f"hydra.{first}"
    elif first not in cfg:
        return _unknown_name(first, rest, _given_value(message), cfg)
    group = OmegaConf.select(cfg, first, throw_on_missing=False)
    key, _, below = rest.partition(".")
    if not key or not isinstance(group, DictConfig):
        return None
    if not len(group):  # as Hydra leaves a plain value in which it looked for a key
        return f"{first}.{rest} is unknown: {first} is one value"
    if key in group:
        node = group._get_node(key)
        plain = isinstance(node, DictConfig) and not len(node) and not first.startswith("hydra.")
        return f"{first}.{rest} is unknown: {first}.{key} is one value" if plain else None
    allowed = [str(each) for each in group if each != "_target_"]
    near = difflib.get_close_matches(key, allowed, 1)
    meant = f"; did you mean {first}.{near[0]}{'.' if below else ''}{below}?" if near else ""
    return f"{first}.{rest} is unknown{meant}; {first} has the keys {', '.join(allowed)}"


def _given_value(message: str) -> str:
    """Return the value of an override, with its equals sign, from the advice that Hydra gives; empty where it gives none."""
    found = re.search(r"use \+[^=\s]+(=\S*)$", message, re.MULTILINE)
    return found[1] if found else ""


def _unknown_name(name: str, rest: str, value: str, cfg: DictConfig) -> str:
    """Return what to say of a name that is no key: the groups that have such a key, or the nearest name.

    Args:
        name: that was given.
        rest: what followed it after a dot, e.g. ``"maximum"``.
        value: that was given, with its equals sign.
        cfg: of a job or a report.
    """
    from scar.config.schema import OPTIONAL

    names = [str(key) for key in cfg if key != "hydra"]
    groups = {each: cfg._get_node(each) for each in names}
    key = f"{name}.{rest}" if rest else name
    having = [
        f"{each}.{key}{value}" for each, group in groups.items() if isinstance(group, DictConfig) and name in group
    ]
    if "dataset" in cfg:  # a job, which may be without some groups
        absent = {each: schema for each, schema in OPTIONAL.items() if cfg.get(each) is None}
        having += [
            f"{each}=… {each}.{key}{value}"
            for each, schema in absent.items()
            if name in {own.name for own in fields(schema)}
        ]
    if "where" in cfg:  # a report
        from scar.reporting.axes import SELECTABLE

        having = [f"where.{key}{value}"] if name in SELECTABLE else having
    if not having:
        near = difflib.get_close_matches(name, names, 1, cutoff=0.7)
        having = [key.replace(name, near[0], 1) + value] if near else []
    if len(having) > GROUPS_NAMED:
        return f"{key} is unknown; it stands in a group: {', '.join(having)}"
    meant = f"; did you mean {' or '.join(having)}?" if having else f"; there are {', '.join(names)}"
    return f"{key} is unknown{meant}"


@contextmanager
def packaged_configuration() -> Iterator[Compose]:
    """Compose from ``conf/``, also inside a running `scar`, which gets its own Hydra back afterwards.

    Hydra allows one composition at a time: its state is global, and to initialise it twice is an error.
    """
    explain_compositions()
    outer, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        with initialize_config_module("scar.conf", version_base="1.3"):
            yield compose
    finally:
        GlobalHydra.instance().hydra = outer


@contextmanager
def as_current_job(composed: DictConfig) -> Iterator[None]:
    """Let interpolations of Hydra's own values, such as ``${hydra:job.num}``, see a job that Hydra does not run yet.

    It is not copied, as Hydra copies a job that it runs.
    """
    before = HydraConfig.instance().cfg
    HydraConfig.instance().cfg = composed  # type: ignore[assignment]
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def name_overrides(composed: DictConfig, overrides: Sequence[Override]) -> None:
    """Note the overrides of a job in its Hydra node, as Hydra does where it composes a job itself."""
    composed.hydra.overrides.task = [each.input_line for each in overrides]
    names = composed.hydra.job.config.override_dirname
    composed.hydra.job.override_dirname = get_overrides_dirname(
        overrides=list(overrides), kv_sep=names.kv_sep, item_sep=names.item_sep, exclude_keys=names.exclude_keys
    )


def worker_context(composed: DictConfig) -> HydraContext:
    """Return the context of jobs in a worker process: with the callbacks of the configuration, without a loader.

    The process may not have come by ``hydra.main``, which says whose behaviour is wanted: jobs stay in their folder.
    """
    version.setbase("1.3")
    return HydraContext(config_loader=None, callbacks=Callbacks(composed))  # type: ignore[arg-type]


def run_sweep_job(composed: DictConfig, context: HydraContext, task: TaskFunction) -> JobReturn:
    """Run one composed job of a sweep in its folder, as Hydra's own launchers do."""
    return run_job(
        hydra_context=context,
        task_function=task,
        config=composed,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
