"""What a sweep has been asked for: keys that all its jobs share, and keys that it varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, QuotedString, Transformer


def swept_values(key: str, params: Mapping[str, str], arguments: Sequence[str]) -> list[object]:
    """Return the values of a key that a sweep lists; none of a key that all its jobs share, or that a sweeper samples."""
    lines = [*(f"{name}={value}" for name, value in params.items()), *arguments]
    given = [each for each in OverridesParser.create().parse_overrides(lines) if each.key_or_group == key]
    if (
        not given
        or not (given[-1].is_choice_sweep() or given[-1].is_range_sweep())
        or isinstance(given[-1].value(), Glob)
    ):
        return []
    values = given[-1].sweep_iterator(transformer=Transformer.identity)
    return [value.text if isinstance(value, QuotedString) else value for value in values]


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
