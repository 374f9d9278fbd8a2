"""SIGTERM, by which SLURM, Kubernetes and systemd end a process, is taken like Ctrl-C: what runs is finished as interrupted."""

from __future__ import annotations

import signal
import threading
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM
GRACE = 4.0
"""Seconds that child processes have to write how their jobs ended; the whole is over within five."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


def raise_on_sigterm() -> None:
    """Let SIGTERM raise `Terminated` in the main thread; further ones change nothing, so that what ends can end."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def is_terminating() -> bool:
    """Tell whether SIGTERM has come, also where a library has put another exception in the place of `Terminated`."""
    return signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
