"""Faults that a child process brings upon itself before it begins."""

import errno
import os
import resource
import signal
import tempfile
import time
from pathlib import Path


def none() -> None:
    """No fault."""


def kill_before_rename(count: int) -> None:
    """Die, as by SIGKILL, when the content is written and before it gets its name, the count-th time."""
    _kill_before(("rename", "replace"), count)


def kill_before_change(count: int) -> None:
    """Die, as by SIGKILL, before the count-th time that something gets another name or is removed."""
    _kill_before(("rename", "replace", "unlink", "rmdir"), count)


def _kill_before(names: tuple[str, ...], count: int) -> None:
    left = [count]

    def guard(function):
        def guarded(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return guarded

    for name in names:
        setattr(os, name, guard(getattr(os, name)))


def small_files(size: int) -> None:
    """Refuse to write files beyond a size: what a full disk looks like to the process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def little_memory(extra: int) -> None:
    """Refuse memory beyond what the process has now, and some."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def read_only(folder: str) -> None:
    """Refuse every new file or folder below a folder, as a read-only file system does."""

    def guard(function, place):
        def guarded(*arguments, **named):
            where = Path(named.get("dir") or place(*arguments)).absolute()
            if (where.is_relative_to(folder) and not where.is_dir()) or (
                named.get("dir") and where.is_relative_to(folder)
            ):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(where))
            return function(*arguments, **named)

        return guarded

    os.mkdir = guard(os.mkdir, lambda path, *rest: path)
    tempfile.mkdtemp = guard(tempfile.mkdtemp, lambda *rest: ".")
    tempfile.mkstemp = guard(tempfile.mkstemp, lambda *rest: ".")


def clock_back() -> None:
    """Let the clock of the wall go back an hour at every look."""
    now = [time.time()]

    def back() -> float:
        now[0] -= 3600
        return now[0]

    time.time = back


def mostly_slow(seconds: float) -> None:
    """Let every publish take its time, so that there is time to interrupt."""
    rename = os.rename

    def slowly(*arguments, **named):
        time.sleep(seconds)
        return rename(*arguments, **named)

    os.rename = slowly


def as_user(user: int, group: int, umask: int) -> None:
    """Be another user from here on."""
    os.umask(umask)
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def few_files(count: int) -> None:
    """Let the process open no more than some files at once."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def broken_output() -> None:
    """Close the other end of standard output and standard error, as ``| head`` does."""
    read, write = os.pipe()
    os.close(read)
    for number in (1, 2):
        os.dup2(write, number)
