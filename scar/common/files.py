"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

UMASK = os.umask(0)
os.umask(UMASK)
# Temporary files are private to their owner; what is published gets the permissions of any other file.
SEAL = "checksum"
"""Key of the checksum that a JSON file carries of everything else in it."""
DELETE_IT = "; delete it and run again"
"""The way out that an error names where a file of ours cannot be read."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a write that do not say by themselves which file it was."""
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that say nothing of a file: the process has no room to open it."""


class CorruptArtefactError(RuntimeError):
    """Something that was stored cannot be read as what it should be."""


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file that takes the place of ``path`` when the block ends without an error.

    Raises:
        OSError: the disk or the quota is full; the message names the file and the way out.
    """
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.name, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:
            raise
        raise OSError(error.errno, f"{error.strerror}; make room where it lies, and run again", str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: a reader sees the old file or the new one. A mapping gets a checksum of its own, `SEAL`."""
    if isinstance(value, Mapping):
        value = {**value, SEAL: _seal(json.loads(json.dumps(value)))}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON, naming the file when it is broken.

    Raises:
        CorruptArtefactError: it is not there, no JSON, or not what `write_json` wrote.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        if error.errno in PASSING:
            raise
        raise CorruptArtefactError(f"{path} cannot be read: {error}{DELETE_IT}") from error
    return parse_json(text, path)


def parse_json(text: bytes, path: Path) -> Any:
    """Return what `write_json` wrote as it lies in a file or elsewhere; ``path`` names the place.

    Raises:
        CorruptArtefactError: it is no JSON, or has another checksum.
    """
    try:
        value = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise CorruptArtefactError(f"{path} cannot be read: {error}{DELETE_IT}") from error
    if isinstance(value, dict) and SEAL in value:
        seal = value.pop(SEAL)
        if seal != _seal(value):
            raise CorruptArtefactError(f"{path} has another checksum{DELETE_IT}")
    return value


def _seal(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def describe_files(folder: Path, paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of some files of a folder by their names relative to it, for `file_fault`."""
    return {
        path.relative_to(folder).as_posix(): {"sha256": checksum(path), "size": path.stat().st_size} for path in paths
    }


def file_fault(folder: Path, name: str, size: int, sha256: str | None = None) -> str:
    """Return in what a file of a folder differs from what was noted of it; empty if it does not.

    Args:
        folder: that the file lies in, which no link and no name may leave.
        name: of the file, relative to it.
        size: in bytes.
        sha256: of the content; None compares the size alone.
    """
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name:
        return f"{name!r} leaves the folder"
    path = folder / name
    if any(each.is_relative_to(folder) and each.is_symlink() for each in (path, *path.parents)):
        return f"{name} is a link"
    if not path.is_file():
        return f"{name} is missing"
    found = path.stat().st_size
    if found != size:
        return f"{name} has {found} bytes instead of {size}"
    return f"{name} has another checksum" if sha256 is not None and checksum(path) != sha256 else ""
