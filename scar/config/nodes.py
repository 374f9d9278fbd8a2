"""From nodes that Hydra composed to the dataclasses that describe them, with messages that name the key."""

from __future__ import annotations

import difflib
import pickle
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key, the value and what is allowed."""


def make_typed(schema: type, node: Any, name: str) -> Any:
    """Check a node against a dataclass and make the object."""
    if not isinstance(node, DictConfig):
        raise ConfigError(f"{name}={node!r} must be a group with the keys {_names(schema)}")
    given = [str(key) for key in node if key != "_target_"]
    allowed = [f.name for f in fields(schema)]
    for key in given:
        if key not in allowed:
            raise ConfigError(f"{name}.{key} is unknown{hint(key, allowed, name)}; allowed: {_names(schema)}")
    try:
        resolved: Any = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        nested: dict[str, Any] = {}
        for key in given:
            if _is_target(resolved[key]):
                nested[key] = make_target(node[key], f"{name}.{key}")
            elif _are_targets(resolved[key]):
                nested[key] = {each: make_target(node[key][each], f"{name}.{key}.{each}") for each in resolved[key]}
            elif (inner := _inner(schema, key)) is not None:
                nested[key] = make_typed(inner, node[key], f"{name}.{key}")
        fields_given = {key: resolved[key] for key in given if key not in nested}
        made = _made(schema, fields_given)
        return replace(made, **nested) if nested else made
    except OmegaConfBaseException as error:
        key = str(error.full_key or error.key or "")
        said = reason(error, f"{name}.{key}")
        raise ConfigError(f"{name}.{key}={OmegaConf.select(node, key)!r}: {said}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from error


def reason(error: OmegaConfBaseException, key: str) -> str:
    """Return what is wrong with the value of a key in words of ours, where OmegaConf speaks of its own classes."""
    said = str(error).splitlines()[0]
    if "is not a ListConfig, list or tuple" in said:
        return "a list is needed, e.g. [1, 2]"
    if re.match(r"Cannot assign \w+ to Dict\[", said):
        return f"values by name are needed, e.g. {key}.NAME=1"
    return said


def _made(schema: type, values: dict[str, Any]) -> Any:
    """Check values against a dataclass and make the object, a frozen one once: the jobs of a sweep share most groups."""
    frozen = schema.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return (_make if frozen else _make.__wrapped__)(schema, pickle.dumps(values))


@cache
def _make(schema: type, values: bytes) -> Any:
    plain = pickle.loads(values)  # bytes of this module
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), plain))


def find_task(target: str) -> Callable[..., None]:
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
    found: Callable[..., None] = task
    return found


def _inner(schema: type, key: str) -> type | None:
    """Return the dataclass that a field holds by default, if any: a group within the group."""
    made: Any = next(f.default_factory for f in fields(schema) if f.name == key)
    return made if isinstance(made, type) and is_dataclass(made) else None


def _is_target(value: Any) -> bool:
    return isinstance(value, dict) and "_target_" in value


def _are_targets(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_target, value.values()))


def make_target(node: Any, name: str, contract: type | tuple[type, ...] = object) -> Any:
    """Find the class that a node names, a subclass of its contract, and make the object."""
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
    if not issubclass(schema, contract):
        bases = contract if isinstance(contract, tuple) else (contract,)
        raise ConfigError(f"{name}._target_={target} must be a subclass of {' or '.join(b.__name__ for b in bases)}")
    return make_typed(schema, node, name)


def hint(key: str, allowed: list[str], group: str = "") -> str:
    """Return the nearest key that there is, as a question."""
    near = difflib.get_close_matches(key, allowed, 1)
    return f"; did you mean {group}{'.' if group else ''}{near[0]}?" if near else ""


def _names(schema: type) -> str:
    return ", ".join(f.name for f in fields(schema))
