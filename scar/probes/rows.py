"""Where rows are read from, and how those of a block are kept: held in memory, or read again each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scar.common.vectors import unit_rows
from scar.probes._row_memory import aligned, scratch
from scar.probes._shared_features import Features

LOAD_ROWS = 512
# Rows copied at once from the features; they stay in the cache of a core.


class RowSource:
    """Reads rows of the features to one device: from a copy that lies there, or from the host (to a GPU, pinned).

    Rows have W values: D features, a one (whose weight is the bias), zeros up to the alignment.
    """

    def __init__(
        self, features: Features, *, unit_norm: bool, device: torch.device, align: int = 1, resident: bool = False
    ) -> None:
        self.dimension, self.device = features.dimension, device
        self.width = aligned(self.dimension + 1, align)
        self._features, self._unit_norm = features, unit_norm
        self._copy: Tensor | None = None
        if resident:
            copy = torch.empty(len(features), self.dimension, device=device)
            for rows, place in zip(
                parts(np.arange(len(features)), LOAD_ROWS), torch.split(copy, LOAD_ROWS), strict=True
            ):
                place[:] = self._travel(rows)
            self._copy = copy

    def load(self, rows: NDArray[np.int64], out: Tensor) -> Tensor:
        """Copy rows into out [n, W]; return it."""
        for chosen, place in zip(parts(rows, LOAD_ROWS), torch.split(out, LOAD_ROWS), strict=True):
            place[:, : self.dimension] = self._read(chosen)
        out[:, self.dimension] = 1
        out[:, self.dimension + 1 :] = 0
        return out

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """Return rows [n, W]; the next reading of this thread overwrites them."""
        return self.load(rows, scratch("rows", len(rows), self.width, device=self.device))

    def _read(self, rows: NDArray[np.int64]) -> Tensor:
        if self._copy is None:
            return self._travel(rows)
        return self._copy.index_select(0, torch.from_numpy(rows).to(self.device))

    def _travel(self, rows: NDArray[np.int64]) -> Tensor:
        chunk = scratch("chunk", len(rows), self.dimension, align=1).numpy()
        np.take(self._features.array, rows, axis=0, out=chunk, mode="clip")  # a gap or mode="raise" would cost a copy
        host = torch.from_numpy(unit_rows(chunk) if self._unit_norm else chunk)
        return host if self.device.type == "cpu" else host.pin_memory().to(self.device, non_blocking=True)


class HeldRows:
    """The scaled rows x [P, n, W] of a block in the memory of its device."""

    def __init__(self, x: Tensor) -> None:
        self._x = x

    def batches(self, order: Tensor, size: int) -> Iterator[Tensor]:
        """Yield rows [P, size, W], the last time fewer, in the order [P, n]; the next ones overwrite them."""
        count, rows, width = self._x.shape
        flat = self._x.view(count * rows, width)
        buffer = scratch("batch", count * size, width, dtype=flat.dtype, device=flat.device)
        whole = buffer.view(count, size, width)
        order = order + rows * torch.arange(count, device=order.device)[:, None]
        for chosen in torch.split(order, size, dim=1):
            full = chosen.shape[1] == size
            room = buffer if full else buffer[: chosen.numel()]
            torch.index_select(flat, 0, chosen.flatten(), out=room)
            yield whole if full else room.view(count, -1, width)

    def pieces(self, size: int) -> Iterable[Tensor]:
        """Yield all rows [P, size, W], the last time fewer, as they lie."""
        return torch.split(self._x, size, dim=1)


class StreamedRows:
    """The rows [1, n, W] of a probe that does not fit the memory, read and scaled whenever they are needed.

    In float32 equal to `HeldRows` to the last bit; what is yielded next overwrites what was yielded before.
    """

    def __init__(self, rows: NDArray[np.int64], read: Callable[[NDArray[np.int64]], Tensor]) -> None:
        self._rows, self._read = rows, read

    def batches(self, order: Tensor, size: int) -> Iterator[Tensor]:
        """Yield rows [1, size, W], the last time fewer, in the order [1, n]."""
        return (self._read(part)[None] for part in parts(self._rows[order[0].cpu().numpy()], size))

    def pieces(self, size: int) -> Iterable[Tensor]:
        """Yield all rows [1, size, W], the last time fewer, as the task lists them."""
        return (self._read(part)[None] for part in parts(self._rows, size))


def parts(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Cut rows [n] into parts of a size, the last one smaller; none make one empty part, as in `torch.split`."""
    return (rows[start : start + size] for start in range(0, max(len(rows), 1), size))
