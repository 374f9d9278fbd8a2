"""One artefact on disk: plain files and, written last, ``meta.json`` with their sizes and checksums.

A small one is an archive (`scar.store.archive`), so that a sweep of many jobs does not leave hundreds of thousands of files;
a large one, or one whose files are mapped into memory, is a folder.

What is read here may have been written by anybody: a list of files is believed only where it names regular files
inside the folder, all of them and no others.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from scar.common.files import (
    DELETE_IT,
    UMASK,
    CorruptArtefactError,
    describe_files,
    file_fault,
    parse_json,
    read_json,
    write_json,
)
from scar.store.archive import contents, members
from scar.store.keys import SCHEMA_VERSION, Key

META = "meta.json"
LOCKS, PARTIAL, TEMPORARY, QUARANTINE = "locks", "partial", "tmp", "quarantine"
"""Folders of a store beside its stages: locks that are held, unfinished extractions, artefacts that are being written, broken ones."""
_DIGEST = re.compile(r"[0-9a-f]{32}")
Stamp = tuple[tuple[str, int, int, int, int], ...]


def seal(folder: Path, key: Key, *, seconds: float, peak_bytes: int, about: Mapping[str, Any]) -> None:
    """Write the list of the files, with which a folder becomes an artefact."""
    files = describe_files(folder, (path for path in sorted(folder.rglob("*")) if path.is_file()))
    meta = {"key": str(key), "schema": SCHEMA_VERSION, "made": time.time(), "seconds": seconds}
    write_json(folder / META, {**meta, "peak_bytes": peak_bytes, "about": dict(about), "files": files})
    for path in (folder, *folder.rglob("*")):  # what a library wrote may be private to its owner
        path.chmod((0o777 if path.is_dir() else 0o666) & ~UMASK)


def artefact_folders(root: Path) -> Iterator[Path]:
    """Yield what lies at the places of artefacts in a store, ``<stage>/<digest>``, stage by stage."""
    for folder in sorted(root.glob("*/*")):
        if _DIGEST.fullmatch(folder.name) and folder.parent.name != PARTIAL:
            yield folder


def read_meta(folder: Path) -> dict[str, Any]:
    """Return what `seal` wrote.

    Raises:
        CorruptArtefactError: there is none, or it is not what it should be.
    """
    place = folder / META
    meta = parse_json(contents(folder, META)[META], place) if folder.is_file() else read_json(place)
    try:
        files = {str(name): (str(each["sha256"]), int(each["size"])) for name, each in meta["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptArtefactError(f"{place} is not the list of an artefact: {error!r}") from error
    return {**meta, "files": files}


def faults(folder: Path, *, deep: bool) -> list[str]:
    """Return what is wrong with an artefact; nothing, if it is as it was published.

    Args:
        folder: of the artefact, or its archive.
        deep: also compare the checksums, which reads all of it.
    """
    if folder.is_symlink() or not folder.exists():
        return ["it is a link" if folder.is_symlink() else "it is missing"]
    try:
        meta = read_meta(folder)
        whole = _archive_faults(folder, meta["files"], deep=deep) if folder.is_file() else None
    except CorruptArtefactError as error:
        return [str(error).removesuffix(DELETE_IT)]
    if meta.get("schema") != SCHEMA_VERSION or meta.get("key") != f"{folder.parent.name}/{folder.name}":
        return [f"{META} belongs to {meta.get('key')}, schema {meta.get('schema')}"]
    if whole is not None:
        return whole
    found = [fault for name, (_, size) in meta["files"].items() if (fault := file_fault(folder, name, size))]
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not _is_folder(path)}
    found += [f"{name} was not published" for name in sorted(present - {*meta["files"], META})]
    if deep and not found:
        digests = meta["files"].items()
        found = [fault for name, (sha, size) in digests if (fault := file_fault(folder, name, size, sha))]
    return found


def _archive_faults(path: Path, files: Mapping[str, tuple[str, int]], *, deep: bool) -> list[str]:
    """Return in what an archive differs from the list of its files."""
    sizes = {name: size for name, size in members(path).items() if name != META}
    noted = {name: size for name, (_, size) in files.items()}
    if sizes != noted:
        return [
            f"{name} is missing, has another size, or was not published"
            for name, _ in sorted(sizes.items() ^ noted.items())
        ]
    if not deep:
        return []
    read = contents(path, *files)
    return [f"{name} has another checksum" for name, (sha, _) in files.items() if sha256(read[name]).hexdigest() != sha]


def stamp(folder: Path) -> Stamp:
    """Return the status of the files of an artefact, which changes when one is written."""
    status = ((path.name, path.stat()) for path in sorted([folder, *folder.rglob("*")]) if path.is_file())
    return tuple((name, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for name, each in status)


def size_of(folder: Path) -> int:
    """Return the bytes that a file or a folder takes, links not followed; what vanishes meanwhile does not count."""
    total = 0
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):
            total += 0 if _is_folder(path) else path.lstat().st_size
    return total


def quarantine(root: Path, folder: Path) -> Path:
    """Move a broken artefact out of the way, where it can be looked at, and return where it lies now."""
    place = root / QUARANTINE
    place.mkdir(parents=True, exist_ok=True)
    names = (place / f"{folder.parent.name}-{folder.name}-{number}" for number in count())
    free = next(path for path in names if not path.is_symlink() and not path.exists())
    folder.rename(free)
    return free


def remove(path: Path) -> None:
    """Remove a file or a folder of ours, as far as that can be done."""
    if _is_folder(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
