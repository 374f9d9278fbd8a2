"""Arrays, tensors and frames of a user as NumPy arrays, without importing the libraries they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_numpy(values: Any) -> NDArray[Any]:
    """Return an array, tensor (of any device and float type), series, frame or list as a NumPy array."""
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
        raise _multi_label(name, "rows of several labels") from error
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise _multi_label(name, f"shape {values.shape}")
    if values.dtype.kind == "O":
        values = _from_objects(values, name)
    if values.dtype.kind in "bSU":
        return values.astype(str)
    if values.dtype.kind == "f":
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
        raise ValueError(f"{name} are missing in {len(missing)} rows, the first is {missing[0]}; drop these samples")
    several = next((item for item in values if isinstance(item, list | tuple | set | frozenset | np.ndarray)), None)
    if several is not None:
        raise _multi_label(name, f"the item {several!r}")
    if all(isinstance(item, int | np.integer) and not isinstance(item, bool) for item in values):
        return values.astype(np.int64)
    if any(isinstance(item, float | np.floating) for item in values):
        return values.astype(np.float64)
    return values.astype(str)


def _multi_label(name: str, seen: str) -> ValueError:
    return ValueError(
        f"{name} are multi-label ({seen}), which is not supported: each sample needs exactly one class; "
        "choose one label per sample, or characterise each label on its own"
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
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the caller reports
        return values.astype(np.float32, copy=False)
