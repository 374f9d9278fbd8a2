"""The record of a job in its folder: what ran, with what, how it ended."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from scar.extras import told
from scar.provenance import git_states, hardware, versions
from scar.store import CorruptArtefactError, read_json, write_json

RUNNING, DONE, FAILED, INTERRUPTED = "running", "done", "failed", "interrupted"
SWEEP = "SCAR_SWEEP"
# Environment variable that names the command whose jobs these are, in all of its processes.


class JobRecord:
    """``status.json`` of a job.

    Args:
        folder: of the job.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "status.json"

    def read(self) -> dict[str, Any]:
        """Return the record, empty where there is none or a broken one."""
        try:
            record = read_json(self.path)
        except CorruptArtefactError:
            return {}
        return record if isinstance(record, dict) else {}

    def status(self) -> str:
        """Return the status; a job that is said to run but that no process holds was interrupted."""
        status = str(self.read().get("status", ""))
        if status != RUNNING:
            return status
        try:
            with self._lock().acquire(blocking=False):
                return INTERRUPTED
        except Timeout:
            return RUNNING

    def is_done(self, keys: Sequence[str]) -> bool:
        """Tell whether the job has finished with exactly these artefact keys and its files are as it left them."""
        record = self.read()
        if record.get("status") != DONE or record.get("keys") != list(keys):
            return False
        paths = {self.folder / name: size for name, size in record.get("files", {}).items()}
        return bool(paths) and all(path.is_file() and path.stat().st_size == size for path, size in paths.items())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the job, so that two sweeps never run it at once; the lock of a process that died is free."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            yield

    def fail(self, error: BaseException, about: Mapping[str, Any]) -> None:
        """Write that the job failed, and how."""
        trace = "".join(traceback.format_exception(error))
        failure = {"error": f"{type(error).__name__}: {told(error)}", "traceback": trace, "ended": time.time()}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path, {"status": FAILED, "sweep": os.environ.get(SWEEP), **about, **failure})

    @contextmanager
    def running(self, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Write the status while the job runs and when it ends; yields a mapping for what is known at the end."""
        record: dict[str, Any] = {
            **about,
            "sweep": os.environ.get(SWEEP),
            "started": time.time(),
            "versions": versions(),
            "git": git_states(),
            "hardware": hardware(),
        }
        clock = time.perf_counter()
        write_json(self.path, {"status": RUNNING, **record})
        result: dict[str, Any] = {}
        try:
            yield result
        except BaseException as error:
            with suppress(OSError):  # a full disk must not hide what it has caused
                self.fail(error, record)
            raise
        write_json(self.path, {"status": DONE, **record, **result, "wall_seconds": time.perf_counter() - clock})

    def _lock(self) -> FileLock:
        return FileLock(self.folder / ".lock")
