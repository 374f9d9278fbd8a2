"""Memory for rows: kept for a whole training, or used again by its thread."""

from __future__ import annotations

import mmap
import sys
import threading
from contextlib import suppress

import torch
from torch import Tensor

LINE = 16
# Values of a cache line.
HUGE = 4 << 20
# Bytes from which rows lie on huge pages.

_thread = threading.local()


def room(rows: int, width: int, *, device: torch.device) -> Tensor:
    """Return float32 room [rows, width] for what is read again and again in random order.

    Each row begins with a cache line. On Linux much room lies on huge pages: the processor then knows where a row is
    without looking it up first, and copies it a fifth faster.
    """
    shape, size = (rows, aligned(width, LINE)), room_bytes(rows, width)
    if sys.platform != "linux" or device.type != "cpu" or size < HUGE:
        return torch.empty(shape, device=device)[:, :width]
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.float32).view(shape)[:, :width]


def room_bytes(rows: int, width: int) -> int:
    """Return the memory of `room`."""
    return 4 * rows * aligned(width, LINE)


def scratch(
    purpose: str,
    rows: int,
    width: int,
    *,
    align: int = LINE,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Tensor:
    """Return room [rows, width] that its thread uses again.

    It stays in the cache of its core, and leaves no holes between what is kept: malloc would not close them. As in
    `room`, each row begins with a cache line; ``align=1`` leaves no gap between rows.
    """
    key = (purpose, width, dtype, device)
    rooms: dict[object, Tensor] = _thread.__dict__.setdefault("rooms", {})
    if key not in rooms or len(rooms[key]) < rows:
        rooms[key] = torch.empty(rows, aligned(width, align), dtype=dtype, device=device)[:, :width]
    return rooms[key][:rows]


def aligned(size: int, align: int) -> int:
    """Round up to a multiple."""
    return -(-size // align) * align
