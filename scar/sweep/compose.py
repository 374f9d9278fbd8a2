"""Composing the jobs of a sweep: the groups once, the values of every job on a copy."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scar.sweep.hydra_internals import name_overrides


class SweepLoader(ConfigLoader):
    """Composes a job of a sweep in milliseconds; in everything else it is the loader that it wraps.

    Jobs that choose the same groups differ in values alone. Their common configuration is composed once, kept as
    bytes, and the ``key=value`` overrides of each job are applied to a copy, in their order. A job with any other kind
    of override (additions, deletions, mappings) is composed by Hydra itself, and so is one whose values do not fit,
    so that the message is Hydra's.

    Args:
        inner: the loader of Hydra.
    """

    def __init__(self, inner: ConfigLoader) -> None:
        self.inner = inner
        self._bases: dict[tuple[str, ...], bytes] = {}
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose one job; see `hydra.core.config_loader.ConfigLoader`."""
        parsed = self._parse(sweep_overrides)
        shared = [each for each in parsed if self._is_shared(each, master_config)]
        values = [each for each in parsed if each not in shared]
        if not all(_is_value(each) for each in values):
            return self.inner.load_sweep_config(master_config, sweep_overrides)
        composed = self._copy_of_base(master_config, [_line(each) for each in shared])
        try:
            for each in values:
                OmegaConf.update(composed, each.key_or_group, each.value(), merge=True)
        except OmegaConfBaseException:
            return self.inner.load_sweep_config(master_config, sweep_overrides)
        name_overrides(composed, [each for each in parsed if not each.is_hydra_override()])
        OmegaConf.copy_cache(from_config=master_config, to_config=composed)
        return composed

    def _copy_of_base(self, master_config: DictConfig, shared: Sequence[str]) -> DictConfig:
        key = (str(master_config.hydra.job.config_name), *master_config.hydra.overrides.hydra, "", *shared)
        if key not in self._bases:
            self._bases[key] = pickle.dumps(self.inner.load_sweep_config(master_config, list(shared)))
        copy: DictConfig = pickle.loads(self._bases[key])  # bytes that this object has made
        return copy

    def _parse(self, lines: Sequence[str]) -> list[Override]:
        new = [line for line in lines if line not in self._parsed]
        if new:
            self._parsed.update(zip(new, OverridesParser.create().parse_overrides(new), strict=True))
        return [self._parsed[line] for line in lines]

    def _is_shared(self, override: Override, master_config: DictConfig) -> bool:
        """Tell whether an override chooses a group, or belongs to Hydra's own node."""
        key = override.key_or_group
        if key.split(".")[0].split("/")[0] == "hydra":
            return True
        if "." in key:  # no name of a group; to ask Hydra takes as long as to compose two jobs
            return False
        return not isinstance(override.value(), dict) and self._is_group(key, master_config)

    def _is_group(self, key: str, master_config: DictConfig) -> bool:
        if key not in self._groups:
            name, hydra = master_config.hydra.job.config_name, list(master_config.hydra.overrides.hydra)
            self._groups[key] = bool(self.inner.get_group_options(key, None, name, hydra))
        return self._groups[key]

    def load_configuration(self, *arguments: Any, **named: Any) -> DictConfig:
        """See `hydra.core.config_loader.ConfigLoader`."""
        return self.inner.load_configuration(*arguments, **named)

    def get_search_path(self) -> Any:
        """See `hydra.core.config_loader.ConfigLoader`."""
        return self.inner.get_search_path()

    def get_sources(self) -> Any:
        """See `hydra.core.config_loader.ConfigLoader`."""
        return self.inner.get_sources()

    def list_groups(self, parent_name: str) -> list[str]:
        """See `hydra.core.config_loader.ConfigLoader`."""
        return list(self.inner.list_groups(parent_name))

    def get_group_options(self, *arguments: Any, **named: Any) -> list[str]:
        """See `hydra.core.config_loader.ConfigLoader`."""
        return list(self.inner.get_group_options(*arguments, **named))

    def compute_defaults_list(self, *arguments: Any, **named: Any) -> Any:
        """See `hydra.core.config_loader.ConfigLoader`."""
        return self.inner.compute_defaults_list(*arguments, **named)


def _is_value(override: Override) -> bool:
    """Tell whether an override is ``key=value`` and nothing more; the order of others matters."""
    changes_keys = override.is_delete() or override.is_add() or override.is_force_add()
    return not changes_keys and override.package is None and not isinstance(override.value(), dict)


def _line(override: Override) -> str:
    assert override.input_line is not None
    return override.input_line
