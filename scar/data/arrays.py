"""Arrays, tensors and frames of a user as NumPy arrays, without importing the libraries they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.mapped import room
from scar.common.vectors import chunks
from scar.data.names import from_bytes

NO_LABEL_CURE = "drop these samples, or give their embeddings as pool_embeddings, without pool_labels"


def to_numpy(values: Any) -> NDArray[Any]:
    """Return an array, tensor (of any device and float type), series, frame or list as a NumPy array.

    Raises:
        ValueError: a masked array masks some of its values.
    """
    if isinstance(values, np.ma.MaskedArray):
        masked = np.flatnonzero(np.ma.getmaskarray(values).reshape(len(values), -1).any(axis=1))
        if len(masked):
            raise ValueError(f"values are masked in {len(masked)} rows, the first is {masked[0]}; drop these samples")
        return np.asarray(values)
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "detach"):  # a torch tensor; NumPy has no bfloat16
        tensor = values.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor)
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    return np.asarray(values)


def as_column(labels: Any, name: str) -> NDArray[Any]:
    """Return labels as a 1-D array of integers or strings.

    Raises:
        ValueError: they are multi-label, ordinal, continuous or missing, each refused by name.
    """
    if getattr(getattr(labels, "dtype", None), "ordered", False):
        raise ValueError(
            f"{name} are ordinal (an ordered categorical), which is not supported: the measures take "
            "classes without an order; drop the order (cat.as_unordered()) to treat them so"
        )
    try:
        values = to_numpy(labels)
    except ValueError as error:  # NumPy refuses rows of different lengths
        if "masked" in str(error):
            raise ValueError(f"{name}: {error}") from error
        raise _multi_label(name, "rows of several labels") from error
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise _multi_label(name, f"shape {values.shape}")
    if values.dtype.kind == "O":
        values = _from_objects(values, name)
    if values.dtype.kind == "S":
        return np.array([_text(item, name) for item in values.tolist()], dtype=np.str_)
    if values.dtype.kind in "bU":
        return values.astype(str)
    if values.dtype.kind == "f":
        missing = np.flatnonzero(np.isnan(values))
        if len(missing) and (np.mod(values[~np.isnan(values)], 1) == 0).all():
            raise ValueError(f"{name} are missing in {len(missing)} rows, the first is {missing[0]}; {NO_LABEL_CURE}")
        raise ValueError(
            f"{name} are {values.dtype} numbers; ordinal or continuous targets are not supported. If they "
            "are class indices, convert them to integers"
        )
    if values.dtype.kind not in "iu":
        raise ValueError(f"{name} are {values.dtype}; expected class indices or names")
    return values


def _from_objects(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an object array as integers or strings, whichever its items are."""
    missing = [row for row, item in enumerate(values) if item is None or item != item]  # NaN differs from itself
    if missing:
        raise ValueError(f"{name} are missing in {len(missing)} rows, the first is {missing[0]}; {NO_LABEL_CURE}")
    several = next((item for item in values if isinstance(item, list | tuple | set | frozenset | np.ndarray)), None)
    if several is not None:
        raise _multi_label(name, f"the item {several!r}")
    if all(isinstance(item, int | np.integer) and not isinstance(item, bool) for item in values):
        return values.astype(np.int64)
    if any(isinstance(item, float | np.floating) for item in values):
        return values.astype(np.float64)
    return np.array([_text(item, name) for item in values])


def _text(item: object, name: str) -> str:
    return from_bytes(item, f"{name} hold") if isinstance(item, bytes) else str(item)


def as_groups(groups: Any, length: int) -> NDArray[np.str_]:
    """Return [N] groups as names.

    Raises:
        ValueError: there are not N of them, or one is missing, which would make all such samples one group.
    """
    try:
        values = to_numpy(groups)
    except ValueError as error:
        raise ValueError(f"groups: {error}") from error
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (length,):
        seen = f"has length {len(values)}" if values.ndim == 1 else f"has shape {values.shape}"
        raise ValueError(f"groups {seen}, but there are {length} embeddings")
    missing = [row for row, item in enumerate(values.tolist()) if item is None or item != item or item == ""]
    if missing:
        raise ValueError(
            f"groups are missing in {len(missing)} rows, the first is {missing[0]}; give each such sample a group of "
            "its own, or drop it"
        )
    return values.astype(np.str_)


def _multi_label(name: str, seen: str) -> ValueError:
    return ValueError(
        f"{name} are multi-label ({seen}), which is not supported here: each sample needs exactly one class; "
        "choose one label per sample"
    )


def as_matrix(embeddings: Any, name: str) -> NDArray[np.float32]:
    """Return embeddings as a 2-D float32 array; a float32 array is not copied.

    Raises:
        ValueError: they are not a matrix of numbers with at least one row and one column.
    """
    try:
        values = to_numpy(embeddings)
        if values.dtype.kind == "O":
            values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an [N, D] matrix of numbers: {error}") from error
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"{name} must be an [N, D] matrix with rows and columns, got shape {values.shape}")
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {values.dtype}")
    if values.dtype == np.float32:
        return values
    converted: NDArray[np.float32] = room(values.shape, np.float32)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the caller reports
        for part in chunks(len(values)):
            converted[part] = values[part]
    return converted
