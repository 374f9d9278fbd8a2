"""Remote data: a `dataset.root` such as ``s3://bucket/photos`` becomes a copy on this machine, read through fsspec.

The copy lies in the folder of fetched data. A file is copied again only if its size or what the file system says of its
version (ETag, checksum or time) has changed; one that has gone goes here, too.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock

from scar.common.files import CorruptArtefactError, read_json, replacing, write_json
from scar.common.progress import progress_bar
from scar.data.fetch import OFFLINE, FetchError, offline
from scar.data.paths import inside

_THREADS, _NOTED = 8, 1000
# Files that are copied at once, and copies after which what is there is noted.
_VERSION = (
    *("etag", "md5", "md5hash", "checksum", "sha256", "blob_id", "crc32c"),
    *("mtime", "modified", "last_modified", "lastmodified", "updated", "created"),
)
# What file systems call what changes with the content of a file; the first that one gives counts.


def is_remote(root: str | None) -> bool:
    """Tell whether a root names a protocol, such as ``s3://``."""
    return root is not None and "://" in root


def copied(
    root: str, data_dir: Path, wanted: Callable[[str], bool] = lambda name: True, *, beside: bool = False
) -> Path:
    """Return where the files of a remote root lie on this machine, copying those that are new or have changed.

    Args:
        root: folder or file, with a protocol that fsspec knows; ``file://`` is read in its place.
        data_dir: the copy lies in its subfolder ``remote``.
        wanted: tells of a path relative to the folder whether it is needed.
        beside: with a root that is a file, copy what is wanted of its folder as well.

    Raises:
        ModuleNotFoundError: the package of the protocol is not installed.
        FetchError: there is no such file, nothing that is wanted, or no way to get there.
        ValueError: the protocol is unknown.
    """
    with _named(root):
        system, path = _opened(root)
    if "file" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol):
        return Path(path)
    whole = path.rstrip("/")
    if offline():
        return _without_network(root, whole, data_dir)
    with _named(root):
        file = whole if system.info(whole)["type"] == "file" else None
        folder = whole if file is None else whole.rpartition("/")[0]
        listed = system.find(folder, detail=True) if file is None or beside else {whole: system.info(whole)}
    files = {str(name)[len(folder) :].lstrip("/"): info for name, info in listed.items() if not name.endswith("/")}
    own = whole[len(folder) :].lstrip("/")
    chosen = {name: info for name, info in files.items() if name == own or wanted(name)}
    if not chosen:
        raise FetchError(f"dataset.root={root} holds {len(files)} files, but none of those that are to be read")
    place = _place(root, folder, data_dir)
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f".{place.name}.lock")), _named(root):
        _copy(system, folder, chosen, place, listed=None if file is not None and not beside else files, root=root)
    return place / own if file is not None else place


def _copy(
    system: Any, folder: str, chosen: Mapping[str, Any], place: Path, *, listed: Mapping[str, Any] | None, root: str
) -> None:
    """Copy what differs from the last time, and remove what is listed no more."""
    memo, changed = place.with_name(f"{place.name}.json"), False
    try:
        seen: dict[str, Any] = read_json(memo)
    except CorruptArtefactError:  # of files that nobody noted, none can be told to have gone
        seen = {}
        shutil.rmtree(place)
        place.mkdir()
    for name in [] if listed is None else [name for name in seen if name not in listed]:
        _remove(inside(place, name), place)
        del seen[name]
        changed = True
    versions = {name: _version(info) for name, info in chosen.items()}
    stale = [name for name, version in versions.items() if seen.get(name) != version or not (place / name).is_file()]
    if not stale and not changed:
        return

    def get(name: str) -> None:
        path = inside(place, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            system.get_file(f"{folder}/{name}", str(temporary))

    try:
        with ThreadPoolExecutor(_THREADS) as pool, progress_bar(f"copying {root}", len(stale)) as advance:
            for count, (name, _) in enumerate(zip(stale, pool.map(get, stale), strict=True), start=1):
                seen[name] = versions[name]
                advance(1)
                if count % _NOTED == 0:
                    write_json(memo, seen)
    finally:
        write_json(memo, seen)


def _remove(path: Path, place: Path) -> None:
    """Remove a file, and the folders that it leaves empty."""
    path.unlink(missing_ok=True)
    for folder in path.relative_to(place).parents:
        if folder != Path() and (place / folder).is_dir() and not any((place / folder).iterdir()):
            (place / folder).rmdir()


def _version(info: Mapping[str, Any]) -> list[str]:
    known = {str(name).casefold().replace("-", "_"): value for name, value in info.items()}
    return [str(info.get("size")), *(str(known[name]) for name in _VERSION if known.get(name) is not None)][:2]


def _opened(root: str) -> tuple[Any, str]:
    import fsspec
    from fsspec.registry import known_implementations

    protocol = root.partition("://")[0]
    try:
        system, path = fsspec.url_to_fs(root)
    except ImportError as error:
        known = known_implementations.get(protocol, {})
        package = str(known.get("class", protocol)).partition(".")[0]
        raise ModuleNotFoundError(
            f"dataset.root={root} is read by the package {package}, which is not installed: pip install {package}"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"dataset.root={root}: {error}; name a folder of this machine, or a protocol such as s3://, gs:// or hf://"
        ) from error
    return system, str(path)


@contextmanager
def _named(root: str) -> Iterator[None]:
    """Name the root in whatever a file system raises; each has errors of its own."""
    try:
        yield
    except (FetchError, ImportError, ValueError):
        raise
    except FileNotFoundError as error:
        raise FetchError(f"dataset.root={root}: there is no such file or folder ({error})") from error
    except Exception as error:
        raise FetchError(
            f"dataset.root={root} cannot be read: {type(error).__name__}: {error}; check the address and the rights"
        ) from error


def _place(root: str, folder: str, data_dir: Path) -> Path:
    address = json.dumps([root.partition("://")[0], folder])
    name = PurePosixPath(folder).name or "root"
    return data_dir / "remote" / f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"


def _without_network(root: str, whole: str, data_dir: Path) -> Path:
    """Return the copy that is there."""
    folder, _, name = whole.rpartition("/")
    for path in (_place(root, whole, data_dir), _place(root, folder, data_dir) / name):
        if path.exists():
            return path
    raise FetchError(f"dataset.root={root} has not been copied, and {OFFLINE} forbids it; unset it once")
