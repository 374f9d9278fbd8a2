"""The identity of artefacts: a hash of everything that can change their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from scar.store._parsing import PACKAGE
from scar.store.code import classes_of, sources

SCHEMA_VERSION = 2
# Of the artefacts on disk; it is part of every key, so that artefacts of another schema are never looked at.


@dataclass(frozen=True)
class Key:
    """The identity of one artefact: the stage that makes it and the digest of what it is made from."""

    stage: str
    digest: str

    def __str__(self) -> str:
        return f"{self.stage}/{self.digest}"


_derived: set[Key] = set()
# Every key that this process has derived, see `derived_keys`.


def make_key(
    stage: str, *, config: Any = None, upstream: Sequence[Key | str] = (), code: Sequence[Callable[..., Any]] = ()
) -> Key:
    """Derive the key of an artefact without reading or computing anything.

    Args:
        stage: name of the stage, also the folder in the store.
        config: dataclass or plain values; fields marked ``metadata={"runtime": True}`` are left out.
        upstream: keys and content fingerprints of what the stage reads.
        code: functions that make the result; what they and the classes of `config` reach belongs to the key, see
            `scar.store.code`.
    """
    parts = {
        "schema": SCHEMA_VERSION,
        "stage": stage,
        "config": identity(config),
        "upstream": [str(key) for key in upstream],
        "code": sources().version([*code, *dict.fromkeys(classes_of(config))]),
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    key = Key(stage, hashlib.sha256(text.encode()).hexdigest()[:32])
    _derived.add(key)
    return key


def derived_keys() -> set[Key]:
    """Return every key that this process has derived."""
    return set(_derived)


def identity(value: Any) -> Any:
    """Reduce a configuration to the plain values that can change a number.

    Dataclasses become mappings without their runtime-only fields, without empty ones that are marked as optional (they came
    later, and what does without them stays the same) and with the name of their class: of a class of this
    package its own name, wherever its module lies, of any other the dotted path that ``_target_`` gives.
    """
    if is_dataclass(value) and not isinstance(value, type):
        asked = [f for f in fields(value) if not f.metadata.get("runtime")]
        asked = [f for f in asked if getattr(value, f.name) or not f.metadata.get("optional")]
        kept = {f.name: identity(getattr(value, f.name)) for f in asked}
        return {"class": _name(type(value)), **kept}
    if isinstance(value, Mapping):
        return {str(name): identity(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a configuration holds a {type(value).__name__}, which has no identity: {value!r}")


def _name(kind: type) -> str:
    ours = kind.__module__.partition(".")[0] == PACKAGE
    return kind.__qualname__ if ours else f"{kind.__module__}.{kind.__qualname__}"
