"""What a sweep has been asked for: keys that all its jobs share, and keys that it varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override


def divided_overrides(
    loader: ConfigLoader, params: Mapping[str, str], arguments: Sequence[str]
) -> tuple[dict[str, str], dict[str, Override]]:
    """Divide the parameters of a sweeper and the arguments of a command, which go before.

    Returns:
        The overrides ``key=value`` that every job has, by key, and the sweeps, by key.
    """
    lines = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    fixed: dict[str, str] = {}
    swept: dict[str, Override] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(lines):
        key = override.get_key_element()
        fixed.pop(key, None)
        swept.pop(key, None)
        if override.is_sweep_override():
            swept[key] = override
        else:
            fixed[key] = f"{key}={override.get_value_element_as_str()}"
    return fixed, swept
