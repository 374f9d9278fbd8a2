"""One artefact on disk: a folder of plain files and, written last, ``meta.json`` with their sizes and checksums.

What is read here may have been written by anybody: a list of files is believed only where it names regular files
inside the folder, all of them and no others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from scar.files import UMASK, CorruptArtefactError, checksum, read_json, write_json
from scar.keys import SCHEMA_VERSION, Key

META = "meta.json"
QUARANTINE = "quarantine"


def seal(folder: Path, key: Key, *, seconds: float, peak_bytes: int, about: Mapping[str, Any]) -> None:
    """Write the list of the files, with which a folder becomes an artefact."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": checksum(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    meta = {"key": str(key), "schema": SCHEMA_VERSION, "made": time.time(), "seconds": seconds}
    write_json(folder / META, {**meta, "peak_bytes": peak_bytes, "about": dict(about), "files": files})
    folder.chmod(0o777 & ~UMASK)


def read_meta(folder: Path) -> dict[str, Any]:
    """Return what `seal` wrote.

    Raises:
        CorruptArtefactError: there is none, or it is not what it should be.
    """
    meta = read_json(folder / META)
    try:
        files = {str(name): (str(each["sha256"]), int(each["size"])) for name, each in meta["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptArtefactError(f"{folder / META} is not the list of an artefact: {error!r}") from error
    return {**meta, "files": files}


def faults(folder: Path, *, deep: bool) -> list[str]:
    """Return what is wrong with an artefact; nothing, if it is as it was published.

    Args:
        folder: of the artefact.
        deep: also compare the checksums, which reads all of it.
    """
    if folder.is_symlink() or not folder.is_dir():
        return ["it is not a folder"]
    try:
        meta = read_meta(folder)
    except CorruptArtefactError as error:
        return [str(error)]
    if meta.get("schema") != SCHEMA_VERSION or meta.get("key") != f"{folder.parents[1].name}/{folder.name}":
        return [f"{META} belongs to {meta.get('key')}, schema {meta.get('schema')}"]
    found = [fault for name, (_, size) in meta["files"].items() if (fault := _fault(folder, name, size))]
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not _is_folder(path)}
    found += [f"{name} was not published" for name in sorted(present - {*meta["files"], META})]
    if deep and not found:
        digests = meta["files"].items()
        found = [f"{name} has another checksum" for name, (sha, _) in digests if checksum(folder / name) != sha]
    return found


def size_of(folder: Path) -> int:
    """Return the bytes that a folder takes, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not _is_folder(path))


def quarantine(root: Path, folder: Path) -> Path:
    """Move a broken artefact out of the way, where it can be looked at, and return where it lies now."""
    place = root / QUARANTINE
    place.mkdir(parents=True, exist_ok=True)
    names = (place / f"{folder.parents[1].name}-{folder.name}-{number}" for number in count())
    free = next(path for path in names if not path.is_symlink() and not path.exists())
    folder.rename(free)
    return free


def _fault(folder: Path, name: str, size: int) -> str:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name:
        return f"{name!r} leaves the folder"
    path = folder / name
    links = [each for each in (path, *path.parents) if each.is_relative_to(folder) and each.is_symlink()]
    if links:
        return f"{name} is a link"
    if not path.is_file():
        return f"{name} is missing"
    found = path.stat().st_size
    return "" if found == size else f"{name} has {found} bytes instead of {size}"


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
