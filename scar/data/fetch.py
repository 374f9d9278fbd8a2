"""Fetching of public data into a user cache: from several origins in order, atomic, one process at a time."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

LOCK_SECONDS = 1800
"""How long a process waits for another one that fetches the same data."""

OFFLINE = "SCAR_OFFLINE"
"""Environment variable; set to anything but nothing and 0, it forbids every download."""


class FetchError(FileNotFoundError):
    """Data are not there and none of their origins could deliver them."""


class DamagedFile(ValueError):  # noqa: N818
    """A file of a dataset is not what its format says; the message names it, the reason and the way out.

    Attributes:
        path: of the file.
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str, *, cure: str = "put a whole copy there") -> None:
        super().__init__(f"{path} is damaged: {reason}; {cure}")
        self.path = path
        self.reason = reason


@contextmanager
def refetchable(root: str | None, data_dir: Path) -> Iterator[None]:
    """Say of a damaged file that it may be deleted where it was fetched, and of no other.

    Args:
        root: `dataset.root`; what lies there belongs to the user.
        data_dir: folder of fetched data.

    Raises:
        DamagedFile: with the way out that fits its place.
    """
    try:
        yield
    except DamagedFile as error:
        if root is not None:
            raise
        cure = "point dataset.root at a whole copy"
        if error.path.is_relative_to(data_dir):
            cure = "delete it and run again to fetch it anew, or put a whole copy there"
        raise DamagedFile(error.path, error.reason, cure=cure) from error


@dataclass(frozen=True)
class Origin:
    """One place that data come from.

    Attributes:
        name: what a message calls it.
        fetch: writes the files into the folder it is given; raises OSError or RuntimeError when it cannot.
        local: it needs no network.
    """

    name: str
    fetch: Callable[[Path], None]
    local: bool = False


def offline() -> bool:
    """Tell whether downloads are forbidden."""
    return os.environ.get(OFFLINE, "").strip() not in ("", "0")


def locate(folders: Iterable[Path], names: Sequence[str]) -> list[Path] | None:
    """Return the named files from the first folder that holds them all; ``x.gz`` may be there as ``x``."""
    for folder in folders:
        found = [_either(folder / name) for name in names]
        if all(path is not None for path in found):
            return [path for path in found if path is not None]
    return None


def _either(path: Path) -> Path | None:
    unpacked = path.with_suffix("") if path.suffix == ".gz" else path
    return next((p for p in (path, unpacked) if p.is_file()), None)


def from_root(root: str, subfolders: Sequence[str], names: Sequence[str], *, instead: str = "") -> list[Path]:
    """Return the named files of the copy that the user points to.

    Args:
        root: `dataset.root`.
        subfolders: of it that may hold the files as well.
        names: of the files.
        instead: what the folder may hold in place of them, for the message.

    Raises:
        FileNotFoundError: the folder, or a file in it, is missing.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"dataset.root={root} is not a folder; point it at a copy, or leave it out to fetch one"
        )
    found = locate([folder, *(folder / sub for sub in subfolders)], names)
    if found is None:
        raise FileNotFoundError(
            f"dataset.root={root} does not hold {', '.join(names)}{instead and f', nor {instead}'}; put them there, or "
            "leave dataset.root out to fetch them"
        )
    return found


def obtain(folder: Path, names: Sequence[str], origins: Sequence[Origin], *, dataset: str) -> list[Path]:
    """Return the named files of a folder, fetching them from the first origin that delivers.

    Files are written to a temporary folder and moved when all are there, under a lock.

    Args:
        folder: where the files belong.
        names: of the files, or of whole folders.
        origins: tried in order.
        dataset: name for the messages.

    Raises:
        FetchError: no origin delivered.
        OSError: the folder cannot be written.
    """
    paths = [folder / name for name in names]
    if offline() and not all(path.exists() for path in paths) and not any(origin.local for origin in origins):
        untried = [f"{origin.name}: not tried, since {OFFLINE} is set" for origin in origins]
        raise _not_found(dataset, folder, names, untried)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            if all(path.exists() for path in paths):
                return paths
            chosen = [origin for origin in origins if origin.local] if offline() else origins
            failures = [failure for origin in chosen if (failure := _try(origin, folder, names))]
            if len(failures) < len(chosen):
                return paths
    except Timeout as error:
        raise FetchError(
            f"{folder} has been locked by another process for {LOCK_SECONDS} s; if none is running, "
            f"delete {folder / '.lock'}"
        ) from error
    except OSError as error:
        raise OSError(
            f"cannot write to {folder}: {error.strerror or error}; set paths.data_dir or SCAR_DATA"
        ) from error
    raise _not_found(dataset, folder, names, failures)


def _not_found(dataset: str, folder: Path, names: Sequence[str], failures: Sequence[str]) -> FetchError:
    tried = "\n".join(f"  - {failure}" for failure in failures)
    return FetchError(
        f"{dataset}: {', '.join(names)} not found in {folder}, and fetching failed:\n{tried}\n"
        f"Put the files there, or point dataset.root (their folder) or paths.data_dir (SCAR_DATA) at a copy."
    )


def _try(origin: Origin, folder: Path, names: Sequence[str]) -> str | None:
    """Fetch from one origin; return why it failed, or None."""
    if all((folder / name).exists() for name in names):
        return None
    log.info("fetching %s from %s into %s", ", ".join(names), origin.name, folder)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as temporary:
        try:
            origin.fetch(Path(temporary))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            log.info("%s: %s", origin.name, error)
            return f"{origin.name}: {error}"
        missing = [name for name in names if not (Path(temporary) / name).exists()]
        if missing:
            return f"{origin.name}: delivered no {', '.join(missing)}"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(temporary) / name).replace(folder / name)
    return None
