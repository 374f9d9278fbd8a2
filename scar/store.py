"""Content-addressed artefacts: a key, an atomic publish, and a policy.

An artefact is a folder that holds arrays, tables and JSON, never a pickle. It is written under a temporary name, its
``meta.json`` last, and renamed into place, so that a half-written artefact does not exist. Its key is the hash of
everything that can change its content: the resolved configuration without runtime-only fields, the keys of what it
was made from, and the code of its stage.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock

SCHEMA_VERSION = 1
POLICIES = ("reuse", "refresh", "only-cache")
_UMASK = os.umask(0)
os.umask(_UMASK)
# Temporary files are private to their owner; what is published gets the permissions of any other file.


class MissingArtefactError(RuntimeError):
    """An artefact is not in the store and the policy forbids making it."""


class CorruptArtefactError(RuntimeError):
    """An artefact is in the store but cannot be read as what it should be."""


@dataclass(frozen=True)
class Key:
    """The identity of one artefact: the stage that makes it and the digest of what it is made from."""

    stage: str
    digest: str

    def __str__(self) -> str:
        return f"{self.stage}/{self.digest}"


def make_key(stage: str, *, config: Any = None, upstream: Sequence[Key | str] = (), code: Sequence[str] = ()) -> Key:
    """Derive the key of an artefact without reading or computing anything.

    Args:
        stage: name of the stage, also the folder in the store.
        config: dataclass or plain values; fields marked ``metadata={"runtime": True}`` are left out.
        upstream: keys and content fingerprints of what the stage reads.
        code: modules whose code decides the result; see `code_version`.
    """
    parts = {
        "schema": SCHEMA_VERSION,
        "stage": stage,
        "config": identity(config),
        "upstream": [str(key) for key in upstream],
        "code": [code_version(module) for module in code],
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Key(stage, hashlib.sha256(text.encode()).hexdigest()[:32])


def identity(value: Any) -> Any:
    """Reduce a configuration to the plain values that can change a number.

    Dataclasses become mappings with the name of their class and without their runtime-only fields.
    """
    if is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: identity(getattr(value, f.name)) for f in fields(value) if not f.metadata.get("runtime")}
        return {"class": f"{type(value).__module__}.{type(value).__qualname__}", **kept}
    if isinstance(value, Mapping):
        return {str(name): identity(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a configuration holds a {type(value).__name__}, which has no identity: {value!r}")


@cache
def code_version(module: str) -> str:
    """Return the hash of a module's (or of a whole package's) syntax tree; comments and docstrings do not count."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source found for the module {module!r}")
    locations = spec.submodule_search_locations
    files = sorted(p for folder in locations for p in Path(folder).rglob("*.py")) if locations else [Path(spec.origin)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(ast.dump(_without_docstrings(ast.parse(file.read_bytes()))).encode())
    return digest.hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                statement
                for statement in body
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            ]
    return tree


class Store:
    """A folder of artefacts, shared by every job and study below one output folder.

    Args:
        root: the folder; made when the first artefact is published.
        policy: ``"reuse"`` takes what is there, ``"refresh"`` makes every artefact anew once per process,
            ``"only-cache"`` makes nothing and raises `MissingArtefactError`.
    """

    _fresh: ClassVar[set[tuple[Path, Key]]] = set()
    # What this process has refreshed, so that a refreshed artefact is made once, not once per job.

    def __init__(self, root: Path | str, *, policy: str = "reuse") -> None:
        if policy not in POLICIES:
            raise ValueError(f"store policy {policy!r} is unknown; use one of {', '.join(POLICIES)}")
        self.root = Path(root)
        self.policy = policy
        # Seconds spent making artefacts, by stage.
        self.seconds: dict[str, float] = {}
        self._whole: set[Key] = set()
        self._inner: list[float] = []

    def path(self, key: Key) -> Path:
        """Return the folder of an artefact, whether it exists or not."""
        return self.root / key.stage / key.digest[:2] / key.digest

    def has(self, key: Key) -> bool:
        """Tell whether a finished artefact is there, whole, and may be used under the policy.

        Every file is compared with the size that it was published with; a truncated or missing file is a miss.
        """
        if self.policy == "refresh" and (self.root, key) not in self._fresh:
            return False
        if key not in self._whole and self._is_whole(self.path(key)):
            self._whole.add(key)
        return key in self._whole

    @staticmethod
    def _is_whole(folder: Path) -> bool:
        try:
            sizes = {name: about["size"] for name, about in read_json(folder / "meta.json")["files"].items()}
            return all((folder / name).stat().st_size == size for name, size in sizes.items())
        except (CorruptArtefactError, OSError, KeyError, TypeError, AttributeError):
            return False

    def obtain(self, key: Key, make: Callable[[Path], None], **about: Any) -> Path:
        """Return the folder of an artefact, making it with ``make(folder)`` if it is missing."""
        with self.claim([key]) as missing:
            for each in missing:
                with self.writing(each, **about) as folder:
                    make(folder)
        return self.path(key)

    @contextmanager
    def claim(self, keys: Sequence[Key]) -> Iterator[list[Key]]:
        """Lock the artefacts that are missing and yield their keys; another process waits, then finds them made."""
        missing = [key for key in dict.fromkeys(keys) if not self.has(key)]
        if missing and self.policy == "only-cache":
            raise MissingArtefactError(
                f"{missing[0]} is not in the store {self.root} and store.policy=only-cache forbids making it; "
                "run without that option"
            )
        with ExitStack() as stack:
            for key in sorted(missing, key=str):  # one order for everybody, so that two claims cannot deadlock
                stack.enter_context(self._lock(key))
            still_missing = [key for key in missing if not self.has(key)]
            with self._timed(still_missing[0].stage if still_missing else None):
                yield still_missing

    @contextmanager
    def writing(self, key: Key, **about: Any) -> Iterator[Path]:
        """Yield a temporary folder that becomes the artefact when the block ends without an error."""
        final = self.path(key)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f".{key.digest[:8]}-", dir=final.parent))
        except OSError as error:
            raise OSError(
                f"cannot write to the store {self.root}: {error.strerror or error}; set paths.store"
            ) from error
        start = time.time()
        try:
            yield folder
            meta = {"key": str(key), "schema": SCHEMA_VERSION, "seconds": time.time() - start, "about": about}
            files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
            meta["files"] = {
                p.relative_to(folder).as_posix(): {"sha256": checksum(p), "size": p.stat().st_size} for p in files
            }
            write_json(folder / "meta.json", meta)
            folder.chmod(0o777 & ~_UMASK)
            if final.exists():  # only a refreshed or a broken artefact can stand there
                final.rename(old := folder.with_name(f"{folder.name}-old"))
                shutil.rmtree(old, ignore_errors=True)
            folder.rename(final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if self.policy == "refresh":
            self._fresh.add((self.root, key))
        self._whole.add(key)

    @contextmanager
    def _timed(self, stage: str | None) -> Iterator[None]:
        """Book the time of a block on a stage, less the time of the stages that run inside it."""
        start = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed, inside = time.perf_counter() - start, self._inner.pop()
            if stage is not None:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed - inside
                if self._inner:
                    self._inner[-1] += elapsed

    def _lock(self, key: Key) -> FileLock:
        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"cannot write to the store {self.root}: {error.strerror or error}; set paths.store"
            ) from error
        return FileLock(folder / f"{key.stage}-{key.digest}.lock")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file that takes the place of ``path`` when the block ends without an error."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.name, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: a reader sees the old file or the new one."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON, naming the file when it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptArtefactError(f"{path} cannot be read: {error}; delete it and run again") from error
