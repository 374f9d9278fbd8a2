"""The features that all probes read, shared between processes without a copy."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

CHECK_VALUES = 1 << 24
# Values checked at once.


class Features:
    """A float32 array [N, D] that pickles as its file (if memory-mapped) or as shared memory.

    Raises:
        ValueError: for another shape or type, or a value that is not finite.
    """

    def __init__(self, array: NDArray[np.float32]) -> None:
        if array.ndim != 2 or 0 in array.shape or array.dtype != np.float32:
            raise ValueError(
                f"features of shape {array.shape} and type {array.dtype}: float32 [N, D] is needed"
            )
        step = max(1, CHECK_VALUES // array.shape[1])
        for start in range(0, len(array), step):
            chunk = array[start : start + step]
            if not np.isfinite(np.einsum("ij->", chunk, dtype=np.float64)):
                row, column = np.argwhere(~np.isfinite(chunk))[0]
                raise ValueError(
                    f"features[{start + row}, {column}] is {chunk[row, column]}; remove the sample or encode it again"
                )
        self.array = array

    @property
    def dimension(self) -> int:
        """Number of features D."""
        return self.array.shape[1]

    def __len__(self) -> int:
        return len(self.array)

    def __getstate__(self) -> dict[str, Any]:
        array = self.array
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.flags.c_contiguous:
            return {"file": array.filename, "offset": array.offset, "shape": array.shape}
        return {"shared": torch.from_numpy(np.array(array))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "shared" in state:
            self.array = state["shared"].numpy()
        else:
            self.array = np.memmap(state["file"], np.float32, "r", state["offset"], state["shape"])
