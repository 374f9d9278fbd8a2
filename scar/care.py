"""Care of the store, behind ``scar-admin store``: what it holds, whether it is whole, and what may go."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.artefact import QUARANTINE, faults, quarantine, read_meta, size_of
from scar.console import console, errors, escape
from scar.files import CorruptArtefactError
from scar.record import JobRecord
from scar.store import Store

DAY = 86_400.0
HOUR = 1 / 24
# In days: what is younger may belong to a job that runs, whose record does not say yet what it uses.
_MIB = 2**20


@dataclass(frozen=True)
class Stored:
    """One artefact, or something that an interrupted process has left.

    Attributes:
        name: its key, or its path below the store.
        folder: where it lies.
        size: bytes.
        made: when, in seconds since the epoch.
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
        ("verify", _verify, "compare every file with its checksum"),
    ):
        action = actions.add_parser(name, help=text, parents=[common])
        action.set_defaults(run=run)
        if name == "verify":
            action.add_argument(
                "--repair", action="store_true", help="move what is broken to quarantine: it is made again"
            )
    prune = actions.add_parser("prune", help="remove artefacts; says what it would do unless --yes", parents=[common])
    prune.add_argument("--output-dir", default="outputs", help="where the studies lie that may still need artefacts")
    prune.add_argument("--study", action="append", default=[], help="what the jobs of this study alone use")
    prune.add_argument("--older-than", type=float, metavar="DAYS", help="what was made longer ago")
    prune.add_argument("--unreachable", action="store_true", help="what no job of any study uses")
    prune.add_argument("--yes", action="store_true", help="do it")
    prune.set_defaults(run=_prune)


def artefacts(root: Path) -> Iterator[Stored]:
    """Yield the artefacts of a store, stage by stage."""
    for folder in sorted(root.glob("*/??/*")):
        if folder.name.startswith(".") or folder.parents[1].name in (QUARANTINE, "partial", "locks"):
            continue
        try:
            made = float(read_meta(folder).get("made", 0.0))
        except (CorruptArtefactError, ValueError):
            made = 0.0
        yield Stored(f"{folder.parents[1].name}/{folder.name}", folder, size_of(folder), made)


def leftovers(root: Path) -> Iterator[Stored]:
    """Yield what interrupted processes have left: temporary folders, unfinished extractions, what was quarantined."""
    places = (*root.glob("*/??/.*"), *root.glob("partial/*"), *root.glob(f"{QUARANTINE}/*"))
    for path in sorted(places):
        yield Stored(path.relative_to(root).as_posix(), path, size_of(path), path.lstat().st_mtime)


def users(output_dir: Path) -> dict[str, set[str]]:
    """Return, by artefact, the studies whose jobs have used it."""
    used: dict[str, set[str]] = {}
    for path in output_dir.glob("*/jobs/*/status.json"):
        for key in JobRecord(path.parent).read().get("uses", []):
            used.setdefault(str(key), set()).add(path.parents[2].name)
    return used


def prunable(
    root: Path,
    used: dict[str, set[str]],
    *,
    studies: Iterable[str] = (),
    older_than: float | None = None,
    unreachable: bool = False,
    now: float | None = None,
) -> list[Stored]:
    """Return what every given condition allows to remove.

    Args:
        root: of the store.
        used: by artefact, the studies that use it.
        studies: only what these use and no other does.
        older_than: only what was made this many days ago or earlier.
        unreachable: only what no study uses, and what interrupted processes have left; an hour old, if no age is given.
        now: seconds since the epoch.
    """
    now, named = time.time() if now is None else now, set(studies)
    conditions: list[Callable[[Stored], bool]] = []
    if named:
        conditions.append(lambda each: bool(used.get(each.name)) and used[each.name] <= named)
    if unreachable:
        conditions.append(lambda each: not used.get(each.name))
        older_than = HOUR if older_than is None else older_than
    if older_than is not None:
        conditions.append(lambda each: now - each.made >= older_than * DAY)
    chosen = [each for each in artefacts(root) if all(condition(each) for condition in conditions)]
    if unreachable and not named:
        chosen += [each for each in leftovers(root) if now - each.made >= (older_than or 0.0) * DAY]
    return chosen


def _root(options: argparse.Namespace) -> Path:
    root = Path(options.store_dir)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no store at {root}; name it with --store-dir")
    return root


def _ls(options: argparse.Namespace) -> int:
    for each in artefacts(_root(options)):
        age = (time.time() - each.made) / DAY
        console().print(f"{each.name:<48}{each.size / _MIB:10.2f} MiB {age:8.1f} days", markup=False)
    return _du(options)


def _du(options: argparse.Namespace) -> int:
    sizes: dict[str, list[int]] = {}
    root = _root(options)
    for each in artefacts(root):
        sizes.setdefault(each.folder.parents[1].name, []).append(each.size)
    for each in leftovers(root):
        sizes.setdefault("left over", []).append(each.size)
    for stage, found in sizes.items():
        console().print(f"{stage:<14}{len(found):6d} artefacts {sum(found) / _MIB:10.2f} MiB")
    return 0


def _verify(options: argparse.Namespace) -> int:
    root, broken, count = _root(options), 0, 0
    for each in artefacts(root):
        count += 1
        found = faults(each.folder, deep=True)
        if not found:
            continue
        broken += 1
        errors().print(f"[red]broken[/] {escape(each.folder)}: {escape('; '.join(found))}")
        if options.repair:
            errors().print(f"  moved to {escape(quarantine(root, each.folder))}; it is made again when a job needs it")
    console().print(f"{count} artefacts, {broken} broken")
    if broken and not options.repair:
        errors().print("a job that needs a broken artefact makes it again; --repair moves them to quarantine now")
    return 1 if broken and not options.repair else 0


def _prune(options: argparse.Namespace) -> int:
    if not (options.study or options.unreachable or options.older_than is not None):
        raise ValueError("prune needs to know what: --study NAME, --older-than DAYS, --unreachable, or several of them")
    root = _root(options)
    if options.unreachable and not any(Path(options.output_dir).glob("*/jobs/*/status.json")):
        raise ValueError(f"no study lies in --output-dir={options.output_dir}, so that everything would be unreachable")
    used = users(Path(options.output_dir))
    chosen = prunable(root, used, studies=options.study, older_than=options.older_than, unreachable=options.unreachable)
    for each in chosen:
        needed = ", ".join(sorted(used.get(each.name, ()))) or "nobody"
        console().print(f"{each.name:<48}{each.size / _MIB:10.2f} MiB  used by {needed}", markup=False)
        if options.yes:
            _remove(root, each)
    total = sum(each.size for each in chosen) / _MIB
    verb = "removed" if options.yes else "would be removed; --yes removes them"
    console().print(f"{len(chosen)} artefacts, {total:.2f} MiB {verb}")
    return 0


def _remove(root: Path, each: Stored) -> None:
    """Remove an artefact while nobody makes it: first out of sight in one step, then from the disk."""
    if each.folder.is_symlink() or each.folder.is_file():
        each.folder.unlink()
        return
    if not each.folder.is_relative_to(root) or "/" not in each.name:
        raise ValueError(f"{each.folder} is not inside the store {root}")
    hidden = each.folder.with_name(f".pruned-{each.folder.name}")
    stage, _, digest = each.name.partition("/")
    with Store(root).locked(stage, digest):
        each.folder.rename(hidden)
    shutil.rmtree(hidden)
