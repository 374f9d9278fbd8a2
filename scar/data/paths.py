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
