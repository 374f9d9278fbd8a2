"""Where fetched data lie."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import platformdirs


def data_folder(given: str | Path | None = None) -> Path:
    """Return the folder of fetched data: the one given, else ``$SCAR_DATA``, else the cache of the user."""
    chosen = given or os.environ.get("SCAR_DATA")
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("scar") / "data"


def inside(root: Path, relative: str) -> Path:
    """Return the file that an annotation names, refusing one outside the root.

    Args:
        root: folder of the dataset.
        relative: path as it stands in the annotation.

    Raises:
        ValueError: the path climbs out of the root, or follows a link that does, or is no path.
    """
    path = root / relative
    try:
        outside = not path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a loop of links, a name that is too long
        raise ValueError(f"path {relative!r:.200} cannot be followed: {error}") from error
    if outside:
        raise ValueError(f"path {relative!r} leaves the folder of the dataset, {root}; only files inside it are read")
    return path


def name_inside(root: Path, given: str) -> str:
    """Return the path of a file relative to the root, as it stands or as it is often written.

    A path that is not there is tried with ``/`` for backslashes, with ``%20`` and its like decoded, and in either form of
    Unicode. An absolute path inside the root becomes relative to it.

    Raises:
        ValueError: as `inside`.
    """
    if is_there(inside(root, given)):
        return _relative(root, given)
    slashed = given.replace("\\", "/")
    for each in (slashed, unquote(slashed), *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))):
        if each != given and is_there(inside(root, each)):
            return _relative(root, each)
    return _relative(root, given)


def is_there(path: Path) -> bool:
    """Return whether a plain file is there; a name that no file can have is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _relative(root: Path, given: str) -> str:
    if not Path(given).is_absolute():
        return given
    path = Path(given)
    return (
        (path if path.is_relative_to(root) else path.resolve())
        .relative_to(root if path.is_relative_to(root) else root.resolve())
        .as_posix()
    )
