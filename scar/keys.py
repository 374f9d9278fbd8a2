"""The identity of artefacts: a hash of everything that can change their content."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
# Of the artefacts on disk; it is part of every key, so that artefacts of another schema are never looked at.


@dataclass(frozen=True)
class Key:
    """The identity of one artefact: the stage that makes it and the digest of what it is made from."""

    stage: str
    digest: str

    def __str__(self) -> str:
        return f"{self.stage}/{self.digest}"


_upstream: dict[Key, tuple[Key, ...]] = {}
# What each key was derived from: a job can say what it uses without asking its stages.


def make_key(stage: str, *, config: Any = None, upstream: Sequence[Key | str] = (), code: Sequence[str] = ()) -> Key:
    """Derive the key of an artefact without reading or computing anything.

    Args:
        stage: name of the stage, also the folder in the store.
        config: dataclass or plain values; fields marked ``metadata={"runtime": True}`` are left out.
        upstream: keys and content fingerprints of what the stage reads.
        code: modules whose code decides the result; see `code_version`.
    """
    parts = {
        "schema": SCHEMA_VERSION,
        "stage": stage,
        "config": identity(config),
        "upstream": [str(key) for key in upstream],
        "code": [code_version(module) for module in code],
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    key = Key(stage, hashlib.sha256(text.encode()).hexdigest()[:32])
    _upstream[key] = tuple(each for each in upstream if isinstance(each, Key))
    return key


def with_upstream(keys: Iterable[Key]) -> set[Key]:
    """Return some keys and all keys that they were derived from in this process."""
    found: set[Key] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += _upstream.get(key, ())
    return found


def derived_keys() -> set[Key]:
    """Return every key that this process has derived."""
    return set(_upstream)


def identity(value: Any) -> Any:
    """Reduce a configuration to the plain values that can change a number.

    Dataclasses become mappings with the name of their class and without their runtime-only fields.
    """
    if is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: identity(getattr(value, f.name)) for f in fields(value) if not f.metadata.get("runtime")}
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **kept}
    if isinstance(value, Mapping):
        return {str(name): identity(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a configuration holds a {type(value).__name__}, which has no identity: {value!r}")


@cache
def code_version(module: str) -> str:
    """Return the hash of a module's (or of a whole package's) syntax tree; comments and docstrings do not count."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source found for the module {module!r}")
    locations = spec.submodule_search_locations
    files = sorted(p for folder in locations for p in Path(folder).rglob("*.py")) if locations else [Path(spec.origin)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(ast.dump(_without_docstrings(ast.parse(file.read_bytes()))).encode())
    return digest.hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                statement
                for statement in body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ]
    return tree
