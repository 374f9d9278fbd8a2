"""Care of the store, behind ``scar-admin store``: what it holds, whether it is whole, and what may go."""

from __future__ import annotations

import argparse
import glob
import math
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import Timeout

from scar.common.console import console, errors, escape
from scar.common.files import CorruptArtefactError
from scar.common.locks import holding
from scar.job.record import DONE, FAILED, INTERRUPTED, RUNNING, JobRecord
from scar.store.archive import BEGINNING
from scar.store.artefact import (
    LOCKS,
    PARTIAL,
    QUARANTINE,
    TEMPORARY,
    artefact_folders,
    faults,
    quarantine,
    read_meta,
    size_of,
)
from scar.store.keys import Key
from scar.store.store import MARKER, MEMO, Store

DAY = 86_400.0
HOUR = 1 / 24
# In days: what is younger may belong to a process that writes no record of a job.
AT_ONCE = 64
# Artefacts that are locked together while the records of all jobs are looked at once more.
_MIB = 2**20


@dataclass(frozen=True)
class Stored:
    """One artefact, or something that an interrupted process has left.

    Attributes:
        name: its key, or its path below the store.
        folder: where it lies; an archive, if it is small.
        size: bytes.
        made: when, in seconds since the epoch; NaN for an artefact without a readable list of its files.
    """

    name: str
    folder: Path
    size: int
    made: float


def add_store_command(commands: Any) -> None:
    """Add ``store ls | du | verify | prune`` to the commands of ``scar-admin``.

    Args:
        commands: what `argparse.ArgumentParser.add_subparsers` returned.
    """
    store = commands.add_parser("store", help="look after the artefacts")
    actions = store.add_subparsers(required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--store-dir", default="outputs/store", help="the store (outputs/store)")
    for name, run, text in (
        ("ls", _ls, "every artefact with its size and age"),
        ("du", _du, "bytes by stage"),
        ("verify", _verify, "compare every file of artefacts and results with its checksum"),
    ):
        action = actions.add_parser(name, help=text, parents=[common])
        action.set_defaults(run=run)
        if name == "verify":
            action.add_argument(
                "--output-dir", default="outputs", help="where the studies lie whose results are compared"
            )
            action.add_argument(
                "--repair", action="store_true", help="move what is broken to quarantine: it is made again"
            )
    prune = actions.add_parser(
        "prune",
        help="remove what dead processes left, and artefacts; says what it would do unless --yes",
        parents=[common],
    )
    prune.add_argument("--output-dir", default="outputs", help="where the studies lie that may still need artefacts")
    prune.add_argument("--study", action="append", default=[], help="what the jobs of this study alone use")
    prune.add_argument("--older-than", type=float, metavar="DAYS", help="what was made longer ago")
    prune.add_argument("--unreachable", action="store_true", help="what no job of any study uses")
    prune.add_argument(
        "--failed", action="store_true", help="release what only jobs need that failed or were interrupted"
    )
    prune.add_argument("--yes", action="store_true", help="do it")
    prune.set_defaults(run=_prune)


def artefacts(root: Path) -> Iterator[Stored]:
    """Yield the artefacts of a store, stage by stage; what cannot say when it was made is broken, and not ours to touch."""
    for folder in artefact_folders(root):
        try:
            made = float(read_meta(folder).get("made", math.nan))
        except (CorruptArtefactError, ValueError, TypeError):
            made = math.nan
        yield Stored(f"{folder.parent.name}/{folder.name}", folder, size_of(folder), made)


def leftovers(root: Path) -> Iterator[Stored]:
    """Yield what interrupted processes have left: what they were writing, unfinished extractions, what was quarantined."""
    for path in sorted(path for place in (TEMPORARY, PARTIAL, QUARANTINE) for path in root.glob(f"{place}/*")):
        with suppress(FileNotFoundError):  # its process has finished it
            yield Stored(path.relative_to(root).as_posix(), path, size_of(path), path.lstat().st_mtime)


def users(output_dir: Path, *, failed: bool = False) -> dict[str, set[str]]:
    """Return, by artefact, the studies whose jobs use it: those that are done, wait, run, failed or were interrupted.

    Args:
        output_dir: where the studies lie.
        failed: leave out what only jobs need that failed or were interrupted.

    Raises:
        ValueError: a job that is not done does not say what it uses, so that nothing can be called unused.
    """
    used: dict[str, set[str]] = {}
    for path in sorted(output_dir.glob("*/jobs/*/status.json")):
        job = JobRecord(path.parent)
        status = job.status()
        if failed and status in (FAILED, INTERRUPTED):
            continue
        record = job.read()
        if "uses" not in record and status not in (DONE, FAILED):
            hint = "wait for it" if status == RUNNING else "run it again, or release it with --failed"
            raise ValueError(f"{path.parent} ({status or 'damaged'}) does not say what it uses; {hint}")
        for key in record.get("uses", []):
            used.setdefault(str(key), set()).add(path.parents[2].name)
    return used


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What may go: every given condition narrows it.

    Attributes:
        studies: only what these use and no other does.
        older_than: only what was made this many days ago or earlier.
        unreachable: only what no study uses, and what interrupted processes have left; an hour old, if no age is given.
        now: seconds since the epoch.
    """

    studies: frozenset[str] = frozenset()
    older_than: float | None = None
    unreachable: bool = False
    now: float = field(default_factory=time.time)

    def allows(self, each: Stored, used: Mapping[str, set[str]]) -> bool:
        """Tell whether an artefact may go, which its own list of files has to be readable for."""
        needed = used.get(each.name)
        if not any((self.studies, self.older_than is not None, self.unreachable)) or math.isnan(each.made):
            return False
        if self.studies and not (needed and needed <= self.studies):
            return False
        return self._old(each) and not (self.unreachable and needed)

    def allows_leftover(self, each: Stored, used: Mapping[str, set[str]]) -> bool:
        """Tell whether something that a dead process left may go: what it was writing always, the rest if asked for."""
        place, _, name = each.name.partition("/")
        if place == TEMPORARY:
            return True
        needed = place == PARTIAL and any(key.endswith(f"/{name}") for key in used)
        return self.unreachable and not self.studies and self._old(each) and not needed

    def _old(self, each: Stored) -> bool:
        least = HOUR if self.unreachable and self.older_than is None else self.older_than
        return least is None or self.now - each.made >= least * DAY


def prunable(root: Path, used: Mapping[str, set[str]], wanted: Wanted) -> list[Stored]:
    """Return what may be removed from a store.

    Args:
        root: of the store.
        used: by artefact, the studies that use it.
        wanted: the conditions.
    """
    chosen = [each for each in artefacts(root) if wanted.allows(each, used)]
    return chosen + [each for each in leftovers(root) if wanted.allows_leftover(each, used)]


def _root(options: argparse.Namespace) -> Path:
    root = Path(options.store_dir)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no store at {root}; name it with --store-dir")
    if not (root / MARKER).is_file():
        raise ValueError(f"{root} is no store: it has no {MARKER}, which jobs write; name the store with --store-dir")
    return root


def _ls(options: argparse.Namespace) -> int:
    for each in artefacts(_root(options)):
        age = "cannot be read" if math.isnan(each.made) else f"{(time.time() - each.made) / DAY:8.1f} days"
        console().print(f"{each.name:<48}{each.size / _MIB:10.2f} MiB {age}", markup=False)
    return _du(options)


def _du(options: argparse.Namespace) -> int:
    sizes: dict[str, list[int]] = {}
    root = _root(options)
    for each in artefacts(root):
        sizes.setdefault(each.name.partition("/")[0], []).append(each.size)
    for each in leftovers(root):
        sizes.setdefault("left over", []).append(each.size)
    for stage, found in sizes.items():
        console().print(f"{stage:<14}{len(found):6d} artefacts {sum(found) / _MIB:10.2f} MiB")
    return 0


def _verify(options: argparse.Namespace) -> int:
    root, broken, left, count = _root(options), 0, 0, 0
    for each in artefacts(root):
        count += 1
        found = faults(each.folder, deep=True)
        if not found:
            continue
        broken += 1
        errors().print(f"[red]broken[/] {escape(each.folder)}: {escape('; '.join(found))}")
        if options.repair and _is_ours(each):
            errors().print(f"  moved to {escape(quarantine(root, each.folder))}; it is made again when a job needs it")
        else:
            left += 1
    console().print(f"{count} artefacts, {broken} broken")
    if left:
        stays = "what has no readable list stays where it is"
        hint = stays if options.repair else f"--repair moves them to quarantine, {stays}"
        errors().print(f"a job that needs a broken artefact makes it again; {hint}")
    damaged = _verify_jobs(Path(options.output_dir))
    return 1 if left or damaged else 0


def _is_ours(each: Stored) -> bool:
    """Tell whether something at the place of an artefact is one: its list can be read, or it is an archive that ends early."""
    if not math.isnan(each.made):
        return True
    if each.folder.is_symlink() or not each.folder.is_file():
        return False
    with each.folder.open("rb") as file:
        return file.read(len(BEGINNING)) in (BEGINNING, b"")


def _verify_jobs(output_dir: Path) -> int:
    """Compare the results of all jobs with the checksums of their records; returns how many are damaged."""
    jobs = [JobRecord(path.parent) for path in sorted(output_dir.glob("*/jobs/*/status.json"))]
    damaged = [(job, found) for job in jobs if (found := job.faults())]
    for job, found in damaged:
        errors().print(f"[red]damaged[/] {escape(job.folder)}: {escape('; '.join(found))}; its sweep runs it again")
    console().print(f"{len(jobs)} jobs, {len(damaged)} damaged")
    return len(damaged)


def _prune(options: argparse.Namespace) -> int:
    root, output_dir = _root(options), Path(options.output_dir)
    wanted = Wanted(studies=frozenset(options.study), older_than=options.older_than, unreachable=options.unreachable)
    if options.unreachable and not any(output_dir.glob("*/jobs/*/status.json")):
        raise ValueError(f"no study lies in --output-dir={options.output_dir}, so that everything would be unreachable")
    if strange := [
        each for each in options.study if not any(output_dir.glob(f"{glob.escape(each)}/jobs/*/status.json"))
    ]:
        raise ValueError(f"--study={strange[0]}: no such study lies in --output-dir={options.output_dir}")
    if options.older_than is not None and not options.older_than >= 0:
        raise ValueError(f"--older-than={options.older_than:g} must be a number of days of at least 0")
    used = users(output_dir, failed=options.failed)
    chosen = prunable(root, used, wanted)
    for each in chosen:
        needed = ", ".join(sorted(used.get(each.name, ()))) or "nobody"
        console().print(f"{each.name:<48}{each.size / _MIB:10.2f} MiB  used by {needed}", markup=False)
    if options.yes:
        chosen = [
            each
            for start in range(0, len(chosen), AT_ONCE)
            for each in _remove(root, chosen[start : start + AT_ONCE], wanted, output_dir, failed=options.failed)
        ]
        _remove_idle_locks(root)
    total = sum(each.size for each in chosen) / _MIB
    verb = "removed" if options.yes else "would be removed; --yes removes them"
    console().print(f"{len(chosen)} artefacts, {total:.2f} MiB {verb}")
    return 0


def _remove(root: Path, chosen: Sequence[Stored], wanted: Wanted, output_dir: Path, *, failed: bool) -> list[Stored]:
    """Remove what nobody has in hand and, once it is locked, still nobody uses; returns what is gone.

    A job writes what it uses before it looks for it. So one that begins meanwhile is either seen here, or finds what
    it needs missing and makes it again.
    """
    store, gone = Store(root), []
    with ExitStack() as stack:
        held = []
        for each in chosen:
            try:
                stack.enter_context(store.locked(_key(each), wait=False))
            except Timeout:
                errors().print(f"{each.name} is in use; it stays", markup=False)
            else:
                held.append(each)
        used = users(output_dir, failed=failed)
        for each in held:
            stored = each.name.partition("/")[0] not in (TEMPORARY, PARTIAL, QUARANTINE)
            if not (wanted.allows(each, used) if stored else wanted.allows_leftover(each, used)):
                continue
            with suppress(FileNotFoundError):  # its process has finished it
                _delete(root, each.folder)
                gone.append(each)
    return gone


def _key(each: Stored) -> Key:
    """Return the artefact that something in a store is, or was to become."""
    place, _, name = each.name.partition("/")
    if place == PARTIAL:
        return Key("embeddings", name)
    found = re.match(r"(.+)-([0-9a-f]{32})-", f"{name}-") if place in (TEMPORARY, QUARANTINE) else None
    return Key(found[1], found[2]) if found else Key(place, name)


def _delete(root: Path, path: Path) -> None:
    """Remove a file, a link or a folder of a store: a folder first out of sight in one step, then from the disk."""
    if not path.absolute().is_relative_to(root.absolute()):
        raise ValueError(f"{path} is not inside the store {root}")
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    (root / TEMPORARY).mkdir(exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix="pruned-", dir=root / TEMPORARY))
    try:
        path.rename(hidden / path.name)
    finally:
        shutil.rmtree(hidden)


def _remove_idle_locks(root: Path) -> None:
    """Remove the files of locks whose holders died."""
    for path in root.glob(f"{LOCKS}/*.lock"):
        with suppress(Timeout, OSError), holding(path, wait=False):
            pass
    for path in root.glob(f".*{MEMO}"):  # a process died before it gave the file its name
        if time.time() - path.lstat().st_mtime >= HOUR * DAY:
            path.unlink(missing_ok=True)
