"""Validation at the boundary: what comes from files and from users, before any work is done with it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.mapped import repeated_texts
from scar.common.types import Floats32, Ints
from scar.common.vectors import chunks
from scar.data.arrays import NO_LABEL_CURE, as_column, as_matrix
from scar.data.label_sets import check_label_sets
from scar.data.labels import encode_classes
from scar.data.samples import POOL, TEST, TRAIN, UNLABELLED, Samples

_CHUNK_VALUES = 1 << 24
_SHOWN = 5
_LARGEST = 1e25
# Of an embedding: probes standardise in float64 and take scales far beyond what data have; what is larger is a mistake.


def encode_labels(
    labels: Any, class_names: Sequence[str] | None = None, *, name: str = "labels", indices: bool = True
) -> tuple[Ints, tuple[str, ...]]:
    """Turn the labels of a user into class indices, by the rules of `scar.data.labels`.

    What was normalised and which names look alike is warned of.

    Args:
        labels: [N] array, tensor, series, one-column frame or list of class indices, booleans or names.
        class_names: [K] names in the order of the indices; None takes the sorted distinct names, or the
            indices themselves, which must then leave no gap.
        name: what messages call the argument.
        indices: integers may be indices into `class_names`; otherwise they are names as any other.

    Returns:
        [N] indices in 0..K-1 and the [K] names.

    Raises:
        ValueError: the labels are multi-label, ordinal, continuous, missing, unknown or out of range.
    """
    values = as_column(labels, name)
    if class_names is None and values.dtype.kind in "iu":
        distinct = np.unique(values)
        if len(distinct) and (distinct[0] != 0 or distinct[-1] != len(distinct) - 1):
            if distinct[0] == UNLABELLED and len(distinct) == distinct[-1] + 2:
                raise ValueError(
                    f"{name} are -1 in {int((values == UNLABELLED).sum())} rows; if these have no label, {NO_LABEL_CURE}"
                )
            raise ValueError(
                f"{name} must be class indices 0..K-1 without a gap, got {first_few(distinct.tolist())} ({len(distinct)} distinct, "
                f"largest {distinct[-1]}); pass names (strings) instead, or class_names for every index"
            )
    found = encode_classes(
        values,
        tuple(class_names or ()),
        lambda row: f"{name}[{row}]: the label",
        indices=indices,
        letters=values.dtype.kind not in "iu",
        options=False,
    )
    for note in found.notes:
        warnings.warn(f"{name}: {note}", stacklevel=3)
    return found.labels, found.names


def validate_labels(
    labels: NDArray[Any],
    num_classes: int,
    *,
    length: int | None = None,
    class_names: Sequence[str] | None = None,
    minimum: int = 2,
    name: str = "labels",
    may_be_empty: Sequence[str] = (),
) -> Ints:
    """Return [N] labels as int64 after checking them.

    Args:
        labels: [N] class indices.
        num_classes: number of classes K.
        length: number of samples N, or None if it need not be checked.
        class_names: [K] names for the messages.
        minimum: samples that every class needs; 0 asks for neither samples nor a second class.
        name: what messages call the argument.
        may_be_empty: names of classes that need no sample.

    Raises:
        ValueError: a label lies outside 0..K-1, the length differs, there is a single class, or one that is
            too small; the message names the row or the class.
    """
    values = _indices(labels, num_classes, name)
    if length is not None and len(values) != length:
        raise ValueError(f"{name} has {len(values)} entries, but there are {length} samples")
    if minimum:
        known = class_names or [str(k) for k in range(num_classes)]
        _check_class_sizes(values, known, minimum, name, may_be_empty=may_be_empty)
    return values


def _indices(labels: NDArray[Any], num_classes: int, name: str) -> Ints:
    values = as_column(labels, name)
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} must be class indices, got {values.dtype}; encode_labels turns names into indices")
    outside = np.flatnonzero((values < 0) | (values >= num_classes))
    if len(outside):
        raise ValueError(
            f"{name}[{outside[0]}]={values[outside[0]]} lies outside 0..{num_classes - 1}, the {num_classes} "
            f"classes ({len(outside)} such labels)"
        )
    return values.astype(np.int64)


def _check_class_sizes(
    labels: Ints, class_names: Sequence[str], minimum: int, name: str, *, may_be_empty: Sequence[str] = ()
) -> None:
    sizes = np.bincount(labels, minlength=len(class_names))
    if np.count_nonzero(sizes) < 2:
        only = f" ({class_names[int(sizes.argmax())]!r})" if len(labels) else ""
        raise ValueError(f"{name} hold a single class{only}; at least two are needed")
    allowed = frozenset(may_be_empty)
    small = [
        f"{each!r} has {size}"
        for each, size in zip(class_names, sizes, strict=True)
        if size < minimum and not (size == 0 and each in allowed)
    ]
    if small:
        more = f" and {len(small) - _SHOWN} more" if len(small) > _SHOWN else ""
        raise ValueError(
            f"{name}: every class needs at least {minimum} training samples, but "
            f"{', '.join(small[:_SHOWN])}{more}; add samples, merge the class with another, or leave it out"
        )


def validate_aligned(**parts: Any) -> int:
    """Return the common length of several arrays.

    Raises:
        ValueError: they differ, or are empty; the message names each with its length.
    """
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("lengths differ: " + ", ".join(f"{name} has {n}" for name, n in lengths.items()))
    length = next(iter(lengths.values()))
    if length == 0:
        raise ValueError(f"{' and '.join(lengths)} are empty")
    return length


def validate_embeddings(embeddings: Any, *, name: str = "embeddings") -> Floats32:
    """Return [N, D] embeddings as float32 after checking that every value is finite.

    Args:
        embeddings: array, tensor or frame; a memory-mapped float32 array is read once, in chunks.
        name: what messages call the argument.

    Raises:
        ValueError: they are not a matrix of finite numbers; the message names the first rows.
    """
    matrix = as_matrix(embeddings, name)
    step = max(1, _CHUNK_VALUES // matrix.shape[1])
    bad: list[int] = []
    for start in range(0, len(matrix), step):
        bad.extend((start + non_finite_rows(matrix[start : start + step])).tolist())
    if bad:
        raise ValueError(
            f"{name} hold NaN or infinite values in {len(bad)} of {len(matrix)} rows ({first_few(bad)}); "
            "drop these rows or embed their samples again"
        )
    return matrix


def require_spread(matrix: Floats32, name: str) -> None:
    """Refuse embeddings [N, D] that no probe can be trained on.

    Raises:
        ValueError: all rows are the same, or values are so large that their squares overflow in float32.
    """
    step = max(1, _CHUNK_VALUES // matrix.shape[1])
    chunks = [matrix[start : start + step] for start in range(0, len(matrix), step)]
    if all((chunk == matrix[0]).all() for chunk in chunks):
        raise ValueError(f"{name} are the same in all {len(matrix)} rows, so that nothing tells the classes apart")
    largest = max(float(np.abs(chunk).max()) for chunk in chunks)
    if largest > _LARGEST:
        raise ValueError(
            f"{name} hold values up to {largest:g}, beyond {_LARGEST:g}, whose squares overflow; divide them by their "
            "standard deviation"
        )


def non_finite_rows(matrix: NDArray[Any]) -> Ints:
    """Return the rows that hold a value that is NaN or infinite."""
    return np.flatnonzero(~np.isfinite(matrix).all(axis=1))


def validate_samples(samples: Samples, *, name: str = "dataset") -> Samples:
    """Return the samples of a source after checking all that the stages rely on.

    Raises:
        ValueError: lengths differ, ids repeat, a split is empty or unknown, a label is out of range, there is
            a single class, a class has fewer than two training samples, or there are class names but no labels.
    """
    columns: dict[str, Any] = {"ids": samples.ids, "labels": samples.labels, "splits": samples.splits}
    if samples.labels is None:
        del columns["labels"]
    columns |= {f"payloads[{key}]": payload for key, payload in samples.payloads.items()}
    columns |= {f"groups[{key}]": column for key, column in samples.groups.items()}
    try:
        validate_aligned(**columns)
        if not samples.payloads:
            raise ValueError("there are no payloads, so no encoder has anything to read")
        _check_ids(samples.ids)
        parts = [np.unique(samples.splits[part]).tolist() for part in chunks(len(samples))]
        unknown = sorted({str(each) for part in parts for each in part} - {TRAIN, TEST, POOL})
        if unknown:
            raise ValueError(f"split {unknown[0]!r} is unknown; splits are {TRAIN!r}, {TEST!r} and {POOL!r}")
        for part in (TRAIN, TEST):
            if not np.any(samples.splits == part):
                raise ValueError(f"the {part} split is empty")
        _check_labels(samples)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return samples


def _check_ids(ids: NDArray[np.str_]) -> None:
    rows = repeated_texts(ids)
    if len(rows):
        repeated = np.unique(ids[rows])
        raise ValueError(
            f"{len(repeated)} ids stand for several samples each ({first_few(repeated.tolist())}); ids must be unique"
        )


def _check_labels(samples: Samples) -> None:
    if samples.labels is None:
        if samples.class_names:
            raise ValueError(f"there are no labels, but {len(samples.class_names)} class names")
        return
    if samples.labels.ndim == 2:
        if samples.labels.shape[1] != len(samples.class_names):
            raise ValueError(
                f"labels has {samples.labels.shape[1]} columns, but there are {len(samples.class_names)} names"
            )
        check_label_sets(samples.labels[samples.splits == TRAIN], samples.class_names, name="training labels")
        return
    known = np.flatnonzero(samples.splits != POOL)
    labels = _indices(samples.labels[known], len(samples.class_names), "labels")
    training = labels[samples.splits[known] == TRAIN]
    _check_class_sizes(training, samples.class_names, 2, "training labels", may_be_empty=samples.absent)


def first_few(names: Sequence[Any]) -> str:
    """Return the first few of a list of names, for a message."""
    return ", ".join(str(each) for each in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
