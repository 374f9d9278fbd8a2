"""Parts by name, for those who work in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Part = TypeVar("Part")


def find_named(part: Part | str | None, known: Mapping[str, Part], *, field: str, default: str) -> Part:
    """Return a part by name, or the one given; the default if None.

    Raises:
        ValueError: there is none of that name.
    """
    if part is None or isinstance(part, str):
        name = part or default
        if name not in known:
            raise ValueError(f"{field}={name!r} is unknown; use one of {', '.join(known)}")
        return known[name]
    return part
