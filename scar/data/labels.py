"""Labels as they come, and the classes that they mean: one rule for tables, shards, hubs, embeddings and arrays.

- White space around a name goes, and Unicode is brought into form NFC; the rows that this changes are counted.
- A number without a fraction is the whole number, 1 and 1.0 alike, where all labels are such numbers. ``007`` is a name.
- Labels that are whole numbers and none of which is a class name count the class names from 0.
- Empty and blank labels, None and NaN are no labels, nor are the markers of `LabelRules.missing`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.data.arrays import NO_LABEL_CURE
from scar.data.names import clean_name, from_bytes, wrong_name
from scar.data.samples import UNLABELLED

_NO_LABEL_CURE = "label them, leave them out by dataset.labels.on_unlabelled=skip, or plan which of them to label by on_unlabelled=pool"
_MARKERS = frozenset(
    ("na", "n/a", "nan", "none", "null", "nil", "<na>", "#n/a", "?", "-", "unknown", "unlabeled", "unlabelled")
)
_WHOLE = re.compile(r"(0|-?[1-9][0-9]*)(?:\.0*)?")
_NUMBER = re.compile(r"0*([0-9]+?)(?:\.0*)?")
_SHOWN = 5
_ACTIONS = {"on_unlabelled": ("raise", "skip", "pool"), "on_test_only": ("raise", "skip", "keep")}
_ACTIONS |= {"on_empty": _ACTIONS["on_test_only"]}


@dataclass(frozen=True, kw_only=True)
class LabelRules:
    """What the labels of a dataset mean.

    Attributes:
        merge_case: names that differ in case only are one class, called by the most frequent spelling.
        missing: values that mean that a row has no label; empty and blank ones always do.
        on_unlabelled: what to do with such a row: ``"raise"``; ``"skip"``, which leaves it out and counts it; or ``"pool"``,
            which keeps it for the pool from which a plan chooses what to label next.
        on_test_only: what to do with rows of the test part whose class the training part lacks: ``"raise"``, ``"skip"``, or
            ``"keep"``, which makes it a class of size 0 that a plan should fill.
        on_empty: the same for classes without any row: names of `class_names` that do not occur, empty class folders;
            None is ``"raise"``.
        several: a sample carries any number of labels: a list of them (an empty one is none), or a row of zeros and ones.
        separator: what stands between the labels of a sample in one text, an empty one being none; it says `several`.
    """

    merge_case: bool = False
    missing: tuple[str, ...] = ()
    on_unlabelled: str = "raise"
    on_test_only: str = "raise"
    on_empty: str | None = field(default=None, metadata={"optional": True})
    several: bool = field(default=False, metadata={"optional": True})
    separator: str | None = field(default=None, metadata={"optional": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "missing", tuple(clean_name(str(each)) for each in self.missing))
        object.__setattr__(self, "on_empty", None if self.on_empty == "raise" else self.on_empty)
        for name, known in _ACTIONS.items():
            if getattr(self, name) not in (*known, None if name == "on_empty" else "raise"):
                raise ValueError(
                    f"dataset.labels.{name}={getattr(self, name)!r} is unknown; use {', '.join(known[:-1])} or {known[-1]}"
                )
        if self.separator == "":
            raise ValueError("dataset.labels.separator='' is empty; name what stands between labels, or null")
        object.__setattr__(self, "several", self.several or self.separator is not None)
        if self.several and self.on_unlabelled == "pool":
            raise ValueError(
                "dataset.labels.on_unlabelled=pool predicts one class for each row of the pool, and rows carry several "
                "labels; use skip"
            )
        for name in ("on_test_only", "on_empty"):
            if self.several and getattr(self, name) not in ("raise", None):
                raise ValueError(
                    f"dataset.labels.{name}={getattr(self, name)} is of rows of one class each, and rows carry several labels; "
                    "use raise"
                )


def label_rules(given: LabelRules | Mapping[str, Any]) -> LabelRules:
    """Return rules that were given as such or as their fields."""
    return given if isinstance(given, LabelRules) else LabelRules(**given)


@dataclass(frozen=True, eq=False, kw_only=True)
class Classes:
    """Labels as class indices.

    Attributes:
        labels: [N] indices in 0..K-1; `UNLABELLED` where a row has none. Of rows with several, [N, K] zeros and ones.
        names: [K] class names.
        notes: what was normalised, and names that look alike.
        indexed: whether the labels are whole numbers that count the class names.
    """

    labels: Ints
    names: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    indexed: bool = False

    def including(self, more: Sequence[str], rules: LabelRules) -> Classes:
        """Return the same with further classes that no row has, all in the order of their names as letters."""
        there = {name.casefold() if rules.merge_case else name for name in self.names}
        new = {name for name in map(clean_name, more) if (name.casefold() if rules.merge_case else name) not in there}
        names = tuple(sorted({*self.names, *new}))
        place = np.array([names.index(name) for name in self.names], np.int64)
        return replace(self, names=names, labels=np.where(self.labels == UNLABELLED, UNLABELLED, place[self.labels]))


def encode_classes(
    values: Sequence[Any] | NDArray[Any],
    names: tuple[str, ...],
    where: Callable[[int], str],
    *,
    rules: LabelRules | None = None,
    indices: bool = True,
    letters: bool = False,
    options: bool = True,
) -> Classes:
    """Turn the values of a label column into class indices.

    Args:
        values: [N] labels.
        names: [K] class names in the order of the indices; none takes the distinct labels, in their order as numbers or
            letters.
        where: what a message calls a row, such as ``"a.csv, line 7, column 'label': the label"``.
        rules: what the labels mean.
        indices: whole numbers may count the names; otherwise they are names as any other.
        letters: distinct labels are ordered as letters even where they are numbers.
        options: messages name the options of a dataset as the way out.

    Raises:
        ValueError: a label is missing (unless such rows are skipped), no whole number and no name, or none of the
            names; the message says where.
    """
    rules = rules or LabelRules()
    names = _class_names(names)
    codes, raw = _distinct(values)
    counts = np.bincount(codes, minlength=len(raw))
    first = _first_rows(codes, len(raw))
    keys = [_text(value, row, where) for value, row in zip(raw, first, strict=True)]
    cleaned = [None if key is None else clean_name(key) for key in keys]
    cleaned = [None if not key or key in rules.missing else key for key in cleaned]
    _refuse_missing(cleaned, raw, counts, first, rules, where, options)
    for key, row in zip(cleaned, first, strict=True):
        if key is not None and (wrong := wrong_name(key)):
            raise ValueError(f"{where(row)} {wrong}; is it the column of the classes?")
    whole = _whole_numbers(cleaned, names)
    notes = list(_told_changes(keys, cleaned, counts, "form the pool" if rules.on_unlabelled == "pool" else "left out"))
    cleaned = whole or cleaned
    alike = _look_alike(cleaned, counts)
    if rules.merge_case:
        cleaned = _merged(cleaned, counts, names)
    notes += _told_look_alike(alike, rules, options)
    known, places, indexed = _places(cleaned, names, indices and whole is not None, letters)
    unknown = next((place for place, key in enumerate(cleaned) if key is not None and key not in places), None)
    if unknown is not None:
        allowed = f"0..{len(names) - 1}" if indexed else _few(names, 20)
        raise ValueError(
            f"{where(first[unknown])} {cleaned[unknown]!r} is none of the classes {allowed}"
            f"{_hint(str(cleaned[unknown]), names, options)}"
        )
    if not names:
        notes += _told_markers(known, cleaned, counts, options)
    return Classes(
        labels=np.array([UNLABELLED if key is None else places[key] for key in cleaned], np.int64)[codes],
        names=known,
        notes=tuple(notes),
        indexed=indexed,
    )


def _class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that were given, as labels are normalised."""
    cleaned = tuple(clean_name(str(each)) for each in names)
    for name in cleaned:
        if wrong := (wrong_name(name) or (None if name else "'' is empty")):
            raise ValueError(f"class_names: the name {wrong}")
    if len(set(cleaned)) < len(cleaned):
        raise ValueError(f"class_names holds {next(n for n in cleaned if cleaned.count(n) > 1)!r} more than once")
    return cleaned


def _distinct(values: Sequence[Any] | NDArray[Any]) -> tuple[Ints, list[Any]]:
    """Return [N] places among the distinct values, and these in the order of their appearance."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuU":
        distinct, inverse = np.unique(values, return_inverse=True)
        return inverse.ravel().astype(np.int64), distinct.tolist()
    found: dict[Any, int] = {}
    raw: list[Any] = []
    codes = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        key = value if type(value) is str else (type(value).__name__, str(value))
        place = found.get(key)
        if place is None:
            place = found[key] = len(raw)
            raw.append(value)
        codes[row] = place
    return codes, raw


def _first_rows(codes: Ints, count: int) -> list[int]:
    first = np.full(count, len(codes), np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return [int(row) for row in first]


def _text(value: Any, row: int, where: Callable[[int], str]) -> str | None:
    """Return a label as text; None where there is none."""
    if isinstance(value, str | bool | int | np.integer | np.bool_):
        return str(value)
    if value is None:
        return None
    if isinstance(value, float | np.floating | Decimal):
        if math.isnan(value):
            return None
        if math.isfinite(value) and value == int(value):
            return str(int(value))
        raise ValueError(
            f"{where(row)} is {value!r}, a {type(value).__name__}; each sample needs one class, a name or a whole number"
        )
    if isinstance(value, bytes):
        return from_bytes(value, f"{where(row)} is")
    several = isinstance(value, list | tuple | set | frozenset | dict | np.ndarray)
    kind = f"a {type(value).__name__}" + (" (dataset.labels.several=true reads several labels)" if several else "")
    raise ValueError(f"{where(row)} is {value!r:.80}, {kind}; each sample needs one class, a name or a whole number")


def _refuse_missing(
    keys: Sequence[str | None],
    raw: Sequence[Any],
    counts: Ints,
    first: Sequence[int],
    rules: LabelRules,
    where: Callable[[int], str],
    options: bool,
) -> None:
    missing = [place for place, key in enumerate(keys) if key is None]
    count = int(counts[missing].sum())
    if count == counts.sum() and (count > 1 or rules.on_unlabelled != "raise"):
        raise ValueError(f"{where(0)} is empty, and so are all {count}; is it the column of the classes?")
    if count and rules.on_unlabelled == "raise":
        cure = _NO_LABEL_CURE if options else NO_LABEL_CURE
        place = min(missing, key=lambda place: first[place])
        what = "missing" if raw[place] is None or raw[place] != raw[place] else "empty"
        what = what if clean_name(str(raw[place])) not in rules.missing else f"{raw[place]!r}, which means none"
        raise ValueError(f"{where(first[place])} is {what} ({count} such rows); {cure}")


def _whole_numbers(keys: Sequence[str | None], names: tuple[str, ...]) -> list[str | None] | None:
    """Return labels as whole numbers if all of them are, and none is a class name."""
    found: list[str | None] = []
    for key in keys:
        match = None if key is None else _WHOLE.fullmatch(key)
        if key is not None and (match is None or key in names):
            return None
        found.append(None if match is None else match[1])
    return found


def _places(
    keys: Sequence[str | None], names: tuple[str, ...], whole: bool, letters: bool
) -> tuple[tuple[str, ...], dict[str, int], bool]:
    """Return the class names, the index of each label, and whether labels count the names."""
    there = {key for key in keys if key is not None}
    if names:
        indexed = whole and not there & set(names)
        return names, {str(k) if indexed else name: k for k, name in enumerate(names)}, indexed
    known = tuple(sorted(there, key=int) if _all_whole(there) and not letters else sorted(there))
    return known, {name: k for k, name in enumerate(known)}, False


def _all_whole(keys: set[str]) -> bool:
    return all((match := _WHOLE.fullmatch(key)) is not None and match[1] == key for key in keys)


def _look_alike(keys: Sequence[str | None], counts: Ints) -> list[dict[str, int]]:
    """Return groups of names that look the same, each with its rows."""
    groups: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, count in zip(keys, counts, strict=True):
        if key is not None:
            folded = unicodedata.normalize("NFKC", key).casefold()
            number = _NUMBER.fullmatch(folded)
            groups[number[1] if number else folded][key] += int(count)
    return [dict(sorted(group.items())) for group in groups.values() if len(group) > 1]


def _merged(keys: Sequence[str | None], counts: Ints, names: tuple[str, ...]) -> list[str | None]:
    """Return labels with the names that differ in case only called as one of them."""
    rows: dict[str, int] = defaultdict(int)
    for key, count in zip(keys, counts, strict=True):
        if key is not None:
            rows[key] += int(count)
    chosen: dict[str, str] = {}
    for key in sorted(rows, key=lambda key: (key in names, rows[key]), reverse=True):
        chosen.setdefault(key.casefold(), key)
    chosen |= {name.casefold(): name for name in names}
    return [None if key is None else chosen[key.casefold()] for key in keys]


def _told_changes(before: Sequence[str | None], after: Sequence[str | None], counts: Ints, fate: str) -> list[str]:
    changed = [p for p, (old, new) in enumerate(zip(before, after, strict=True)) if new is not None and old != new]
    unlabelled = int(sum(counts[place] for place, key in enumerate(after) if key is None))
    said = [f"{unlabelled} rows without a label {fate}"] if unlabelled else []
    if changed:
        shown = _few([f"{before[place]!r} is {after[place]!r}" for place in changed], 3)
        said.append(
            f"white space or Unicode form of the label normalised in {int(counts[changed].sum())} rows ({shown})"
        )
    return said


def _told_look_alike(groups: Sequence[dict[str, int]], rules: LabelRules, options: bool) -> list[str]:
    said = []
    for group in groups[:_SHOWN]:
        named = " and ".join(f"{name!r} ({rows} rows)" for name, rows in group.items())
        if len({name.casefold() for name in group}) > 1:
            said.append(f"classes look alike and are kept apart: {named}; write them alike if they are one")
        elif rules.merge_case:
            said.append(f"classes merged that differ in case only: {named}")
        else:
            cure = "dataset.labels.merge_case=true makes them one" if options else "write them alike if they are one"
            said.append(f"classes differ in case only and are kept apart: {named}; {cure}")
    return [*said, f"{len(groups) - _SHOWN} more groups of classes look alike"] if len(groups) > _SHOWN else said


def _told_markers(known: tuple[str, ...], keys: Sequence[str | None], counts: Ints, options: bool) -> list[str]:
    """Say which classes may be no classes: markers of missing values, and -1 among numbers from 0."""
    suspects = [name for name in known if name.casefold() in _MARKERS]
    if _all_whole(set(known)) and len(known) > 1 and known[0] == "-1":
        suspects.append("-1")
    said = []
    for name in suspects:
        rows = int(sum(count for key, count in zip(keys, counts, strict=True) if key == name))
        cure = f"dataset.labels.missing=['{name}']" if options else "drop these samples"
        said.append(f"{name!r} is a class of {rows} rows; if it means that there is no label, {cure}")
    return said


def _hint(key: str, names: tuple[str, ...], options: bool) -> str:
    if any(name.casefold() == key.casefold() for name in names):
        return "; it differs in case only" + (": dataset.labels.merge_case=true" if options else "")
    if key == "-1":
        return "; if it means that there is no label, " + (
            "dataset.labels.missing=['-1']" if options else "drop these samples"
        )
    return ""


def _few(items: Sequence[str], count: int) -> str:
    return ", ".join(items[:count]) + (" …" if len(items) > count else "")
