"""Annotation files of published datasets: JSON whose damage is named by line, column and path, and the media they list."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scar.data.checks import first_few
from scar.data.paths import inside
from scar.data.source import Source

Captions = tuple[str, ...]


def read_annotations(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: it is malformed; the message names the line and the column.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}, column {error.colno}: {error.msg}; is the file whole?"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start + 1} is not UTF-8 ({error.reason})") from error


def member(entry: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """Return a member of a JSON object.

    Args:
        entry: the object.
        key: of the member.
        kind: type, or types, that it must have.
        where: file and place in it, for the message.

    Raises:
        ValueError: it is missing, or of another type.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is a {type(entry).__name__}, not an object")
    if key not in entry:
        raise ValueError(f"{where} has no {key!r}; it has {', '.join(map(repr, entry)) or 'nothing'}")
    if not isinstance(entry[key], kind) or isinstance(entry[key], bool):
        wanted = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{where}: {key!r} is a {type(entry[key]).__name__}, not {wanted}")
    return entry[key]


def group_captions(rows: Iterable[tuple[str, str]]) -> dict[str, Captions]:
    """Gather (id, caption) rows: all captions of each id, in the order of their appearance."""
    captions: dict[str, list[str]] = {}
    for key, caption in rows:
        captions.setdefault(key, []).append(caption)
    return {key: tuple(several) for key, several in captions.items()}


def refuse_unpaired(missing: Sequence[str], what: str, advice: str) -> None:
    """Raise ValueError with the first few of the ids that lack a partner, if there are any."""
    if missing:
        raise ValueError(f"{len(missing)} {what} ({first_few(missing)}); {advice}")


def media_files(folder: Path, names: Sequence[str], source: Source) -> list[Path]:
    """Return the files [N] that annotations name.

    With ``on_error=skip`` a missing file is left to the check of every sample, which lists it as unreadable.

    Args:
        folder: that the names are relative to.
        names: [N] as they stand in the annotations.
        source: the dataset.

    Raises:
        ValueError: a name leads out of the folder, or files are missing; the message lists the first few.
    """
    there = _regular_files(folder)
    paths = [folder / name if name in there else inside(folder, name) for name in names]
    if source.on_error == "raise":
        missing = [name for name, path in zip(names, paths, strict=True) if name not in there and not path.is_file()]
        refuse_unpaired(
            missing,
            f"of {len(names)} files that {source.name} names are not in {folder}",
            "fetch them, or set dataset.on_error=skip with a dataset.max_unreadable that allows it",
        )
    return paths


def _regular_files(folder: Path) -> set[str]:
    """Return the names of the files in a folder that are no links: one look instead of one per name."""
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}


def file_names(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the sorted names of the files in a folder that end in one of the suffixes."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.lower().endswith(suffixes))
