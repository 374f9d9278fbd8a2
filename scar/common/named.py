"""What a configuration chooses by name and reports call by a title."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST = 100
"""Bytes of a name: file systems take 255, and names are joined and prefixed."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """Base of datasets, encoders, regimes and planners.

    Attributes:
        name: as it stands in rows and file names.
        title: as reports call it; empty for the name itself. It is no part of any identity.
    """

    name: str
    title: str = field(default="", metadata={"runtime": True})


def check_name(key: str, name: object) -> None:
    """Refuse what cannot be the name of a folder.

    Args:
        key: that holds the name, for the message.
        name: letters, digits, ``.``, ``-`` and ``_``, the first a letter or a digit.

    Raises:
        ValueError: it is no such name.
    """
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"{key}={name!r} must be a name of letters, digits, '.', '-' and '_': a folder")
    check_part(key, name)


def check_part(key: str, name: str) -> None:
    """Refuse what cannot be part of the name of a file.

    Raises:
        ValueError: it is too long, empty, begins with a dot, or holds a separator or a control character.
    """
    if len(name.encode()) > LONGEST:
        raise ValueError(f"{key} has {len(name.encode())} bytes; a name has at most {LONGEST}: {name[:20]}…")
    if not name or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name):
        raise ValueError(
            f"{key}={name!r} becomes part of the names of files; it cannot hold a separator or begin with '.'"
        )
