"""Peak memory of the process while a stage runs."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_outer: list[int] = []
# Peaks so far of the blocks that are open.


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Yield a function that returns the largest resident size of the process, in bytes, since the block began.

    Where the system cannot begin a new count (it is Linux that can), the peak is that of the process since its start.
    Blocks may lie inside each other; they belong to one thread.
    """
    if _outer:
        _outer[-1] = max(_outer[-1], _high_water())
    with suppress(OSError):
        _CLEAR.write_text("5")
    _outer.append(0)
    depth = len(_outer) - 1
    try:
        yield lambda: max(_outer[depth], _high_water())
    finally:
        peak = max(_outer.pop(), _high_water())
        if _outer:
            _outer[-1] = max(_outer[-1], peak)


def _high_water() -> int:
    with suppress(OSError, ValueError, StopIteration):
        lines = _STATUS.read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
