"""The content and the names of many files as one small file, so that a folder of a million images has a fingerprint."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scar.common.files import checksum, replacing

_THREADS = 8
_MISSING = "missing"


def listing(folder: Path, names: Sequence[str], data_dir: Path) -> Path:
    """Write one line per file, its SHA-256 and its name, and return where.

    A file is read again only if its size, a time or its inode changed since the last call: the modification time alone
    can be set back. Names count, so that
    a file that moves to the folder of another class changes the listing. A file that is not there is listed as such.

    Args:
        folder: that the names are relative to.
        names: of the files, in an order that does not depend on the machine.
        data_dir: the listing lies in its subfolder ``listings``.
    """
    place = data_dir / "listings" / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    seen = _read(place / "seen.json")
    with ThreadPoolExecutor(_THREADS) as pool:
        current = dict(zip(names, pool.map(lambda name: _digest(folder / name, seen.get(name)), names), strict=True))
    if any(seen.get(name) != entry for name, entry in current.items()):
        _write(place / "seen.json", json.dumps({**seen, **current}))
    text = "".join(f"{entry[-1]}  {name}\n" for name, entry in current.items())
    path = place / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    if not path.is_file():
        _write(path, text)
    return path


def _digest(path: Path, seen: list[Any] | None) -> list[Any]:
    """Return size, modification and change time, inode and SHA-256 of a file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return [0, 0, 0, 0, _MISSING]
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
        return [0, 0, 0, 0, _MISSING]
    known = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    return seen if seen and seen[:-1] == known else [*known, checksum(path)]


def _read(path: Path) -> dict[str, list[Any]]:
    try:
        content: dict[str, list[Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
