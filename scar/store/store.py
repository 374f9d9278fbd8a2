"""Content-addressed artefacts: a key, an atomic publish, and a policy.

An artefact holds arrays, tables and JSON, never a pickle, in a folder or, if it is small, in one archive. It is written
under a temporary name, its ``meta.json`` last, and renamed into place, so that a half-written artefact does not exist. Its key is the hash of
everything that can change its content: the resolved configuration without runtime-only fields, the keys of what it
was made from, and the code of its stage.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from scar.common.console import errors, escape
from scar.common.files import FULL, CorruptArtefactError, write_json
from scar.common.locks import holding
from scar.common.memory import peak_memory
from scar.common.progress import stage as shown_stage
from scar.common.sharing import why_denied
from scar.store.archive import as_folder, pack
from scar.store.artefact import (
    LOCKS,
    PARTIAL,
    QUARANTINE,
    TEMPORARY,
    Stamp,
    artefact_folders,
    faults,
    quarantine,
    read_meta,
    remove,
    seal,
    size_of,
    stamp,
)
from scar.store.keys import SCHEMA_VERSION, Key

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARKER = "store.json"
"""File that makes a folder a store: nothing is removed from a folder without one."""
MEMO = "fingerprints.json"
POLICIES = ("reuse", "refresh", "only-cache")
CHECKED = 4 << 20
# Artefacts of at most this many bytes are compared with their checksums before they count as there, and may lie in an
# archive.
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)

T = TypeVar("T")


class MissingArtefactError(RuntimeError):
    """An artefact is not in the store and the policy forbids making it."""


class StoreWriteError(OSError):
    """The store has no room for an artefact, or may not be written."""


@dataclass
class _Block:
    """Time that is being booked: when it began, what of it belongs to stages inside, how many artefacts share it."""

    start: float
    inside: float = 0.0
    shares: int = 1
    peak: Callable[[], int] = lambda: 0


class Store:
    """A folder of artefacts, shared by every job and study below one output folder.

    Args:
        root: the folder; made when the first artefact is published.
        policy: ``"reuse"`` takes what is there, ``"refresh"`` makes every artefact anew once per process,
            ``"only-cache"`` makes nothing and raises `MissingArtefactError`.
        verify: compare everything with its checksums before it counts as there; otherwise what is large is compared when
            it is read for the first time.
    """

    _fresh: ClassVar[set[tuple[Path, Key]]] = set()
    # What this process has refreshed, so that a refreshed artefact is made once, not once per job.
    _compared: ClassVar[dict[Path, Stamp]] = {}
    # What this process has compared with its checksums, and the status of the files then.

    def __init__(self, root: Path | str, *, policy: str = "reuse", verify: bool = False) -> None:
        if policy not in POLICIES:
            raise ValueError(f"store policy {policy!r} is unknown; use one of {', '.join(POLICIES)}")
        self.root = Path(root)
        self.policy = policy
        self.verify = verify
        self.seconds: dict[str, float] = {}
        # Seconds spent making artefacts, by stage.
        self.used: dict[Key, bool] = {}
        # What was asked for, and whether it was made here.
        self._whole: set[Key] = set()
        self._blocks: list[_Block] = []
        self._before: dict[str, float] = {}

    def path(self, key: Key) -> Path:
        """Return the place of an artefact, whether it exists or not."""
        return self.root / key.stage / key.digest

    @property
    def memo(self) -> Path:
        """File that remembers fingerprints of what artefacts are made from.

        Raises:
            StoreWriteError: the folder is not a store, and cannot become one.
        """
        try:
            self._open()
        except StoreWriteError:
            raise
        except OSError:  # it cannot be written, which matters once something is missing
            pass
        return self.root / MEMO

    def _open(self) -> None:
        """Make the folder a store; one that holds other things is left alone."""
        if (self.root / MARKER).is_file():
            return
        ours = (MEMO, LOCKS, PARTIAL, TEMPORARY, QUARANTINE)
        others = [each.name for each in self.root.iterdir() if each.name not in ours] if self.root.is_dir() else []
        if others and not any(artefact_folders(self.root)):
            raise StoreWriteError(
                errno.ENOTEMPTY,
                f"{self.root} is no store and holds other things ({min(others)}); name a new or an empty folder by "
                "paths.store_dir",
            )
        self.root.mkdir(parents=True, exist_ok=True)
        write_json(self.root / MARKER, {"store": "scar", "schema": SCHEMA_VERSION})

    def has(self, key: Key) -> bool:
        """Tell whether a finished artefact is there, whole, and may be used under the policy.

        Its files are compared with the sizes that they were published with, and those of a small artefact with their
        checksums: what is truncated, missing, added or a link makes a miss.
        """
        if self.policy == "refresh" and (self.root, key) not in self._fresh:
            return False
        if key not in self._whole and not self._faults(self.path(key)):
            self._whole.add(key)
        return key in self._whole

    def _faults(self, folder: Path, *, deep: bool = False) -> list[str]:
        """Return what is wrong with an artefact; its checksums are compared once per state of its files and process."""
        found = faults(folder, deep=False)
        if found or not (deep or self.verify or size_of(folder) <= CHECKED):
            return found
        before = stamp(folder)
        if self._compared.get(folder) != before:
            found = faults(folder, deep=True)
            if not found:
                self._compared[folder] = before
        return found

    def is_sound(self, key: Key) -> bool:
        """Tell whether an artefact is there and equals its checksums in full; a broken one is quarantined.

        Whatever is copied into another artefact has to be sound: there it would get checksums of its own.
        """
        found = self._faults(self.path(key), deep=True)
        if found and self.path(key).exists():
            self._set_aside(key, found)
        return not found

    def obtain(self, key: Key, make: Callable[[Path], None], **about: Any) -> Path:
        """Return the folder of an artefact, making it with ``make(folder)`` if it is missing."""
        return self._obtain(key, make, packed=False, about=about)

    def _obtain(self, key: Key, make: Callable[[Path], None], *, packed: bool, about: Mapping[str, Any]) -> Path:
        with self.claim([key]) as missing:
            for each in missing:
                with self.writing(each, packed=packed, **about) as folder:
                    make(folder)
        return self.path(key)

    def read(self, key: Key, read: Callable[[Path], T]) -> T:
        """Return what ``read(folder)`` makes of an artefact that is there."""
        with as_folder(self.path(key)) as folder:
            return read(folder)

    def load(
        self, key: Key, make: Callable[[Path], None], read: Callable[[Path], T], *, packed: bool = False, **about: Any
    ) -> T:
        """Return what ``read(folder)`` makes of an artefact; one that cannot be read is quarantined and made again.

        Args:
            key: of the artefact.
            make: writes it into a folder.
            read: from a folder; what it returns must not need the folder any more if the artefact may be packed.
            packed: let it be an archive if it is small.
            about: what its list of files says of it.
        """
        folder = self._obtain(key, make, packed=packed, about=about)
        found = [] if self.used[key] else self._faults(folder, deep=True)
        if found and self.policy == "only-cache":
            raise CorruptArtefactError(f"{folder}: {'; '.join(found[:3])}; run without store.policy=only-cache")
        if not found:
            try:
                return self.read(key, read)
            except (CorruptArtefactError, ValueError, KeyError, EOFError, FileNotFoundError) as error:
                if self.used[key] or self.policy == "only-cache":  # it was made just now: the fault lies elsewhere
                    raise
                found = faults(folder, deep=True) or [f"{type(error).__name__}: {error}"]
        self._set_aside(key, found)
        self._obtain(key, make, packed=packed, about=about)
        return self.read(key, read)

    def load_array(self, key: Key, name: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return an array that an artefact keeps as one ``.npy`` file of that name; see `load`."""
        import numpy as np  # not where a store is looked at alone

        def write(folder: Path) -> None:
            np.save(folder / name, make(), allow_pickle=False)

        return self.load(key, write, lambda folder: np.asarray(np.load(folder / name, allow_pickle=False)))

    @contextmanager
    def claim(self, keys: Sequence[Key]) -> Iterator[list[Key]]:
        """Lock the artefacts that are missing and yield their keys; another process waits, then finds them made."""
        missing = [key for key in dict.fromkeys(keys) if not self.has(key)]
        if missing and self.policy == "only-cache":
            raise MissingArtefactError(
                f"{missing[0]} is not in the store {self.root} and store.policy=only-cache forbids making it; "
                "run without that option"
            )
        self.used |= {key: self.used.get(key, False) for key in keys}
        with ExitStack() as stack:
            for key in sorted(missing, key=str):  # one order for everybody, so that two claims cannot deadlock
                stack.enter_context(self.locked(key))
            still_missing = [key for key in missing if not self.has(key)]
            for key in still_missing:
                if self.path(key).is_symlink() or (self.policy != "refresh" and self.path(key).exists()):
                    self._quarantine(key, self._faults(self.path(key)))
            with self._timed(still_missing):
                yield still_missing

    @contextmanager
    def writing(self, key: Key, *, packed: bool = False, **about: Any) -> Iterator[Path]:
        """Yield a temporary folder that becomes the artefact, packed if it is small, when the block ends without an error."""
        final = self.path(key)
        with self._named(key):
            self._open()
            final.parent.mkdir(parents=True, exist_ok=True)
            (self.root / TEMPORARY).mkdir(exist_ok=True)
            folder = whole = Path(tempfile.mkdtemp(prefix=f"{key.stage}-{key.digest}-", dir=self.root / TEMPORARY))
        block = self._blocks[-1] if self._blocks else _Block(time.perf_counter())
        try:
            with self._named(key, FULL):  # what is forbidden inside the block need not be the store
                yield folder
                seconds = (time.perf_counter() - block.start - block.inside) / block.shares
                seconds += self._before.pop(key.stage, 0.0)
                seal(folder, key, seconds=seconds, peak_bytes=block.peak(), about=about)
                if packed and size_of(folder) <= CHECKED:
                    whole = folder.with_name(f"{folder.name}.zip")
                    pack(folder, whole)
                if final.exists():  # only a refreshed artefact can stand there
                    final.rename(old := folder.with_name(f"{folder.name}-old"))
                    remove(old)
                whole.rename(final)
        finally:
            remove(folder)
            remove(whole)
        if self.policy == "refresh":
            self._fresh.add((self.root, key))
        self._whole.add(key)
        self.used[key] = True

    @contextmanager
    def booked(self, stage: str) -> Iterator[None]:
        """Count the time of a block for the next artefact of a stage: work that is done before it is locked."""
        start = time.perf_counter()
        yield
        elapsed = time.perf_counter() - start
        self._before[stage] = self._before.get(stage, 0.0) + elapsed
        self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed
        if self._blocks:
            self._blocks[-1].inside += elapsed

    def costs(self, keys: Iterable[Key]) -> dict[str, dict[str, float]]:
        """Return, by stage, what making some artefacts has cost, here or in another process.

        ``seconds`` of work, ``peak_mib`` of the process, the number of artefacts, and how many of them were made here.
        """
        total: dict[str, dict[str, float]] = {}
        for key in keys:
            try:
                meta = read_meta(self.path(key))
            except CorruptArtefactError:
                continue
            each = total.setdefault(key.stage, {"seconds": 0.0, "peak_mib": 0.0, "artefacts": 0, "made_here": 0})
            each["seconds"] = round(each["seconds"] + meta.get("seconds", 0.0), 4)
            each["peak_mib"] = max(each["peak_mib"], round(meta.get("peak_bytes", 0) / 2**20, 1))
            each["artefacts"] += 1
            each["made_here"] += self.used.get(key, False)
        return total

    def _set_aside(self, key: Key, found: Sequence[str]) -> None:
        self._whole.discard(key)
        with self.locked(key):
            if self.path(key).exists():  # else another process was faster
                self._quarantine(key, found)

    def _quarantine(self, key: Key, found: Sequence[str]) -> None:
        self._whole.discard(key)
        with self._named(key):
            place = quarantine(self.root, self.path(key))
        errors().print(
            f"[yellow]quarantined[/] {escape(key)}: {escape('; '.join(found[:3]))}; it lies in {escape(place)}"
        )

    @contextmanager
    def _timed(self, missing: Sequence[Key]) -> Iterator[None]:
        """Book the time of a block on the stage of what is missing, less the time of the stages inside it."""
        shown = shown_stage(missing[0].stage, len(missing)) if missing else nullcontext()
        with peak_memory() as peak, shown:
            block = _Block(time.perf_counter(), shares=max(1, len(missing)), peak=peak)
            self._blocks.append(block)
            try:
                yield
            finally:
                elapsed = time.perf_counter() - block.start
                self._blocks.pop()
                if missing:
                    stage = missing[0].stage
                    self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed - block.inside
                    if self._blocks:
                        self._blocks[-1].inside += elapsed

    @contextmanager
    def _named(self, key: Key, codes: Sequence[int] = FULL + FORBIDDEN) -> Iterator[None]:
        """Say which artefact and store it is that finds a disk full or a folder forbidden."""
        try:
            yield
        except OSError as error:
            # NumPy raises a short write without a number
            short = error.errno is None and " requested and " in str(error)
            code = errno.ENOSPC if short else error.errno
            if code not in codes or isinstance(error, StoreWriteError):
                raise
            raise StoreWriteError(
                code,
                f"{os.strerror(errno.ENOSPC) if short else error.strerror}: {key} cannot be written to the store {self.root}; what was finished is kept; "
                + (why_denied(error) or "make room, or set paths.store_dir"),
            ) from error

    @contextmanager
    def locked(self, key: Key, *, wait: bool = True) -> Iterator[None]:
        """Hold the lock of an artefact: nobody else makes, changes or removes it.

        Raises:
            Timeout: somebody holds it, and nobody is to wait.
        """
        folder = self.root / LOCKS
        with ExitStack() as stack:
            with self._named(key):
                self._open()
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(holding(folder / f"{key.stage}-{key.digest}.lock", wait=wait))
            yield
