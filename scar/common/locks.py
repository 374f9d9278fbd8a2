"""Locks of the operating system, whose files are there only while somebody holds them or waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock


@contextmanager
def holding(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock and remove its file at the end: who waits notices that it is gone, and makes a new one.

    The lock of a process that died is free, whether its file is there or not.

    Args:
        path: of its file, in a folder that exists.
        wait: until nobody else holds it.

    Raises:
        Timeout: somebody holds it, and nobody is to wait.
    """
    lock = FileLock(path)
    lock.acquire(blocking=wait)
    try:
        yield
    finally:
        with suppress(OSError):  # before it is free, so that nobody removes the lock of the next holder
            path.unlink()
        lock.release()
