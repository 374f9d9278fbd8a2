"""The fingerprint of data: a hash of the content of its files, remembered by file status."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scar.common.files import CorruptArtefactError, checksum, read_json, write_json

_seen: dict[str, list[Any]] = {}
# Files that this process has read: status and digest.


def fingerprint(paths: Sequence[Path], memo: Path | None = None, *, remember: bool = True) -> str:
    """Return the SHA-256 over the contents of the files, in their order; names and places do not count.

    Args:
        paths: the files that the content depends on.
        memo: JSON file that remembers the digest of each file with its size, modification and change time, so
            that unchanged files are not read again. A memo that is missing or unreadable is made anew.
        remember: write what was found into the memo.

    Raises:
        FileNotFoundError: a file is not there.
    """
    known = {**_read(memo), **_seen}
    current = {str(path.resolve()): _status(path) for path in paths}
    digests = {
        name: known[name][-1] if known.get(name, [])[:-1] == status else checksum(Path(name))
        for name, status in current.items()
    }
    fresh = {name: [*status, digests[name]] for name, status in current.items()}
    _seen.update(fresh)
    written = _read(memo)
    if memo is not None and remember and any(written.get(name) != entry for name, entry in fresh.items()):
        memo.parent.mkdir(parents=True, exist_ok=True)
        write_json(memo, {**written, **fresh})
    return hashlib.sha256("\n".join(digests[str(path.resolve())] for path in paths).encode()).hexdigest()


def _status(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(memo: Path | None) -> dict[str, list[Any]]:
    if memo is None:
        return {}
    try:
        content = read_json(memo)
    except CorruptArtefactError:
        return {}
    return {k: v for k, v in content.items() if isinstance(v, list)} if isinstance(content, dict) else {}
