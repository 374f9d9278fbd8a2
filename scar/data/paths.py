"""Where fetched data lie."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder(given: str | Path | None = None) -> Path:
    """Return the folder of fetched data: the one given, else ``$SCAR_DATA``, else the cache of the user."""
    chosen = given or os.environ.get("SCAR_DATA")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("scar") / "data"


def inside(root: Path, relative: str) -> Path:
    """Return the file that an annotation names, refusing one outside the root.

    Args:
        root: folder of the dataset.
        relative: path as it stands in the annotation.

    Raises:
        ValueError: the path is absolute, climbs out of the root, or follows a link that does.
    """
    path = root / relative
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"path {relative!r} leaves the folder of the dataset, {root}; only files inside it are read")
    return path
