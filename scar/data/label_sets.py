"""Samples that carry any number of labels: zeros and ones, a column per label, or a list of labels per sample."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.data.arrays import NO_LABEL_CURE, to_numpy
from scar.data.labels import Classes, LabelRules, encode_classes
from scar.data.names import caption_list, clean_name
from scar.data.samples import UNLABELLED

COLLECTIONS = (list, tuple, set, frozenset, np.ndarray)
MISSING = 255
"""What the row of a sample holds that nobody labelled."""
HINT = "names look like several labels divided"
_MARKS = (";", "|", ",")
FEWEST = 2
"""Training samples that have to carry a label, and to lack it."""


def carries_several(labels: Any) -> bool:
    """Tell whether labels are those of samples that carry any number: two or more columns, or collections."""
    shape = getattr(labels, "shape", None)
    if shape is not None and len(shape) == 2:
        return bool(shape[1] > 1)
    values = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
    if hasattr(values, "detach") or (isinstance(values, np.ndarray) and values.dtype.kind != "O"):
        return False
    sizes = [len(item) if isinstance(item, COLLECTIONS) else None for item in values]
    return any(size is not None for size in sizes) and not all(size == 1 for size in sizes)


def encode_label_sets(
    labels: Any, names: Sequence[str] | None = None, *, name: str = "labels", indices: bool = True
) -> tuple[Ints, tuple[str, ...]]:
    """Turn the labels of a user into zeros and ones.

    Args:
        labels: [N, K] array, tensor or frame of 0 and 1, a column per label; or [N] collections of names, or of whole
            numbers that count the names. A sample may carry none.
        names: [K] of the labels; None takes the columns of a frame, their numbers, or the names that occur.
        name: what messages call the argument.
        indices: whole numbers in collections may count the names; otherwise they are names as any other.

    Returns:
        [N, K] zeros and ones, and the [K] names.

    Raises:
        ValueError: other numbers, another number of columns, or an item that is no name.
    """
    columns = getattr(labels, "columns", None)
    matrix = _matrix(labels, name)
    if matrix is None:
        items = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
        found = encode_sets(
            list(items), tuple(names or ()), lambda row: f"{name}[{row}]: the label", indices=indices, options=False
        )
        for note in found.notes:
            warnings.warn(f"{name}: {note}", stacklevel=3)
        return found.labels, found.names
    if columns is not None and names is not None and set(map(str, columns)) == set(names):
        matrix = matrix[:, [list(map(str, columns)).index(each) for each in names]]
    if columns is not None and names is not None and set(names) & set(map(str, columns)) not in (set(), set(names)):
        strange = next(each for each in map(str, columns) if each not in names)
        raise ValueError(
            f"{name}: the column {strange!r} is none of the labels {', '.join(names)}, others are; rename it"
        )
    known = tuple(names or (map(str, columns) if columns is not None else map(str, range(matrix.shape[1]))))
    if len(known) != matrix.shape[1]:
        raise ValueError(
            f"{name} has {matrix.shape[1]} columns, but there are {len(known)} labels; give a column for each"
        )
    if twice := [each for each in known if known.count(each) > 1]:
        raise ValueError(f"{name}: {twice[0]!r} names more than one column")
    return matrix, known


def _matrix(labels: Any, name: str) -> Ints | None:
    """Return labels as zeros and ones [N, K]; None where they are collections."""
    try:
        values = to_numpy(labels)
    except ValueError as error:
        if "masked" in str(error):
            raise ValueError(f"{name}: {error}") from error
        return None  # rows of different lengths
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        return None
    if isinstance(labels, list | tuple) and (values.shape[1] < 2 or not np.isin(values, (0, 1)).all()):
        return None
    return zeros_and_ones(values, lambda row: f"{name}[{row}]")


def zeros_and_ones(values: NDArray[Any], where: Callable[[int], str]) -> Ints:
    """Return a matrix of zeros and ones [N, K], in bytes.

    Raises:
        ValueError: another number; the message says where.
    """
    wrong = np.flatnonzero(~np.isin(values, (0, 1)).all(axis=1))
    if len(wrong):
        row = int(wrong[0])
        value = next(each for each in values[row].tolist() if each not in (0, 1))
        raise ValueError(
            f"{where(row)} holds {value!r} ({len(wrong)} such rows): a matrix of several labels per sample holds 1 where a sample "
            "carries a label, and 0 where not; ranks, scores and unknown labels are not supported"
        )
    return np.ascontiguousarray(values, dtype=np.uint8)


def read_labels(values: Any, names: tuple[str, ...], where: Callable[[int], str], rules: LabelRules) -> Classes:
    """Turn the values of a label column into classes or, where a sample carries any number of labels, zeros and ones.

    Args:
        values: [N] as they were read; with `LabelRules.several` lists, texts that `LabelRules.separator` divides, texts that
            are lists in JSON, or a matrix of zeros and ones.
        names: [K] in the order of the indices; none takes the distinct labels.
        where: what a message calls a row.
        rules: what the labels mean.

    Raises:
        ValueError: a label is missing (unless such rows are skipped), or none of the names; the message says where.
    """
    if not rules.several:
        return _hinted(encode_classes(values, names, where, rules=rules), rules)
    matrix = values if isinstance(values, np.ndarray) and values.ndim == 2 else _rectangle(values)
    if matrix is None:
        parted = [_parted(value, row, where, rules) for row, value in enumerate(values)]
        return _hinted(encode_sets(parted, names, where, rules=rules), rules)
    if names and len(names) != matrix.shape[1]:
        raise ValueError(f"{where(0)} has {matrix.shape[1]} columns, but dataset.class_names has {len(names)} names")
    known = names or tuple(map(str, range(matrix.shape[1])))
    return Classes(labels=zeros_and_ones(matrix, where), names=known)


def _hinted(classes: Classes, rules: LabelRules) -> Classes:
    """Add a note where names look like several labels with something between them: their parts come again and again."""
    for mark in _MARKS:
        together = [name for name in classes.names if mark in name]
        parts = [part for name in together for part in map(clean_name, name.split(mark))]
        known = {*parts, *(name for name in classes.names if mark not in name)}
        repeated = len(parts) >= 2 * len(set(parts)) or sum(part in classes.names for part in set(parts)) > 1
        if (
            mark == rules.separator
            or len(together) < 2
            or not all(parts)
            or not repeated
            or len(known) > len(classes.names)
        ):
            continue
        note = f"{HINT} by {mark!r}, such as {together[0]!r:.80} ({len(together)} of {len(classes.names)} names)"
        return replace(classes, notes=(*classes.notes, f"{note}; dataset.labels.separator='{mark}' divides them"))
    return classes


def _rectangle(values: Sequence[Any]) -> NDArray[Any] | None:
    """Return lists as a matrix where all of them are rows of zeros and ones."""
    first = values[0] if len(values) else None
    if not isinstance(first, list) or len(first) < 2:
        return None
    whole = all(isinstance(each, list) and len(each) == len(first) for each in values)
    return np.array(values) if whole and all(item in (0, 1) for each in values for item in each) else None


def _parted(value: Any, row: int, where: Callable[[int], str], rules: LabelRules) -> Any:
    """Return the labels of a row; None where it has none because nobody labelled it."""
    if value is None or isinstance(value, COLLECTIONS):
        return value
    text = clean_name(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if text is not None and text in rules.missing:
        return None
    if text is not None and rules.separator is not None:
        return [part for part in map(clean_name, text.split(rules.separator)) if part]
    listed = None if text is None else caption_list(text)
    if listed is None and text in ("", "[]"):
        return []
    if listed is None:
        raise ValueError(
            f"{where(row)} is {value!r:.80}, and no list of labels; dataset.labels.separator says what stands between labels"
        )
    return listed


def encode_sets(
    items: Sequence[Any],
    names: tuple[str, ...],
    where: Callable[[int], str],
    *,
    rules: LabelRules | None = None,
    indices: bool = True,
    options: bool = True,
) -> Classes:
    """Turn [N] collections of labels into zeros and ones, each label by the rules of `scar.data.labels`.

    Args:
        items: [N] collections of names or whole numbers; empty ones carry no label, None and NaN are missing.
        names: [K] names in the order of the indices; none takes the distinct labels.
        where: what a message calls a row.
        rules: what the labels mean.
        indices: whole numbers may count the names.
        options: messages name the options of a dataset as the way out.

    Returns:
        `Classes.labels` is [N, K], a missing row of `MISSING`; its notes count what is missing or named twice.

    Raises:
        ValueError: an item is no collection, or a label is none.
    """
    rules = rules or LabelRules()
    missing = [row for row, item in enumerate(items) if item is None or (isinstance(item, float) and item != item)]
    if missing and (rules.on_unlabelled == "raise" or len(missing) == len(items)):
        cure = "label them, or leave them out by dataset.labels.on_unlabelled=skip" if options else NO_LABEL_CURE
        raise ValueError(f"{where(missing[0])} is missing ({len(missing)} such rows); {cure}")
    rows, flat, absent = [], [], set(missing)
    for row, item in enumerate(items):
        if row in absent:
            continue
        if not isinstance(item, COLLECTIONS):
            raise ValueError(
                f"{where(row)} is {item!r:.80}, where other samples have lists of labels; give a list of one"
            )
        carried = sorted(map(str, item)) if isinstance(item, set | frozenset) else list(item)
        rows += [row] * len(carried)
        flat += carried
    if not flat:
        raise ValueError(f"{where(0)} is empty, and so are all {len(items)}; is it the column of the labels?")
    found = encode_classes(
        flat, names, lambda place: where(rows[place]), rules=rules, indices=indices, letters=False, options=options
    )
    known = found.labels >= 0
    matrix = np.zeros((len(items), len(found.names)), np.uint8)
    matrix[np.array(rows)[known], found.labels[known]] = 1
    notes, repeated = found.notes, int(known.sum() - matrix.sum())
    notes += (f"{repeated} labels are named twice in their row and count once",) if repeated else ()
    notes += (f"{len(missing)} rows without a label left out",) if missing else ()
    matrix[missing] = MISSING
    return Classes(labels=matrix, names=found.names, notes=notes, indexed=found.indexed)  # type: ignore[arg-type]


def unlabelled(labels: Ints) -> NDArray[np.bool_]:
    """Return [N] which rows have no label because nobody gave one, of classes [N] or zeros and ones [N, K]."""
    return np.asarray(labels[:, 0] == MISSING if labels.ndim == 2 else labels == UNLABELLED)


def check_label_sets(labels: Ints, names: Sequence[str], *, length: int | None = None, name: str = "labels") -> None:
    """Refuse labels [N, K] of which one tells nothing.

    Raises:
        ValueError: another length, a single label, or one that fewer than two samples carry, or lack.
    """
    if length is not None and len(labels) != length:
        raise ValueError(f"{name} has {len(labels)} entries, but there are {length} samples")
    if len(names) < 2:
        raise ValueError(
            f"{name} hold a single label ({names[0]!r}); give its presence as a class of each sample instead"
        )
    carried = labels.sum(axis=0, dtype=np.int64)
    for k, count in enumerate(carried.tolist()):
        if count < FEWEST:
            raise ValueError(
                f"{name}: at least {FEWEST} training samples have to carry each label, but {names[k]!r} has {count}; add "
                "samples, or leave the label out"
            )
        if len(labels) - count < FEWEST:
            raise ValueError(
                f"{name}: {names[k]!r} is carried by {count} of {len(labels)} training samples, so that nothing tells it; "
                "leave it out"
            )


def one_label_each(labels: Ints) -> str:
    """Return what to say of labels [N, K] of which every sample carries exactly one; "" for others."""
    if not (labels.sum(axis=1) == 1).all():
        return ""
    return "every sample carries exactly one label; give the class of each sample if labels exclude one another"
