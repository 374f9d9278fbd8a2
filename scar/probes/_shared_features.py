"""The features that all probes read, shared between processes without a copy."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

CHECK_VALUES = 1 << 24
# Values checked at once.
CHECK_ALL = 1 << 28
# Values, 1 GiB, above which only rows that are read are checked.


class Features:
    """A float32 array [N, D] that pickles as its file (if memory-mapped) or as shared memory.

    Args:
        array: the features.
        read: rows that will be read, in several parts; of a large array only these are checked, None means all.

    Raises:
        ValueError: for another shape or type, or a value that is not finite.
    """

    def __init__(self, array: NDArray[np.float32], read: Iterable[NDArray[np.int64]] | None = None) -> None:
        if array.ndim != 2 or 0 in array.shape or array.dtype != np.float32:
            raise ValueError(f"features of shape {array.shape} and type {array.dtype}: need float32 [N, D]")
        step = max(1, CHECK_VALUES // array.shape[1])
        rows = None if read is None or array.size <= CHECK_ALL else np.unique(np.concatenate(list(read)))
        for start in range(0, len(array) if rows is None else len(rows), step):
            part = slice(start, start + step)
            chunk = array[part] if rows is None else array[rows[part]]
            if not np.isfinite(np.einsum("ij->", chunk, dtype=np.float64)):
                row, column = np.argwhere(~np.isfinite(chunk))[0]
                place = f"features[{start + row if rows is None else rows[start + row]}, {column}]"
                raise ValueError(f"{place} is {chunk[row, column]}; remove the sample or encode it again")
        self.array = array
        self._shared: torch.Tensor | None = None

    @property
    def dimension(self) -> int:
        """Number of features D."""
        return int(self.array.shape[1])

    def __len__(self) -> int:
        return len(self.array)

    def __getstate__(self) -> dict[str, Any]:
        array, base = self.array, cast(object, self.array.base)
        if isinstance(array, np.memmap) and isinstance(base, mmap.mmap) and array.flags.c_contiguous:
            return {"file": array.filename, "offset": array.offset, "shape": array.shape}
        if self._shared is None:  # has to live until the other process has opened it
            self._shared = torch.from_numpy(np.array(array)).share_memory_()  # type: ignore[no-untyped-call]
        return {"shared": self._shared}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._shared = state.get("shared")
        if self._shared is not None:
            self.array = self._shared.numpy()
        else:
            self.array = np.memmap(state["file"], np.float32, "r", state["offset"], state["shape"])
