"""Why a folder cannot be written, and what lets several users share it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

CURE = "users who share a folder need a common group, chmod -R g+rwX, chmod g+s on its folders, and umask 002"
"""What makes a folder one that several users can write."""


def why_denied(error: BaseException) -> str:
    """Return which folder of which owner an error was denied, and the way out; empty for an error of another kind."""
    if not isinstance(error, OSError) or error.errno not in (errno.EACCES, errno.EPERM) or not error.filename:
        return ""
    path = Path(os.fsdecode(error.filename)).absolute()
    if path.is_file() and not os.access(path, os.R_OK):
        return f"{path} {_owned(path)}, whose umask lets nobody else read it; {CURE}"
    folder = next(each for each in (path, *path.parents) if each.is_dir())
    denied = [place for place in (folder, path) if place.exists() and not os.access(place, os.W_OK)]
    if not denied:
        return ""
    return (
        f"{denied[0]} {_owned(denied[0])}, and you may not write there; {CURE}; or name folders of your own by "
        "paths.output_dir and paths.store_dir"
    )


def _owned(path: Path) -> str:
    status = path.stat()
    try:
        owner = path.owner()
    except (KeyError, NotImplementedError):  # a number without a name; a system without owners
        owner = str(status.st_uid)
    return f"belongs to {owner} (mode {status.st_mode & 0o7777:o})"
