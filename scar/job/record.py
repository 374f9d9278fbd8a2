"""The record of a job in its folder: what ran, with what, how it ended."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import Timeout

from scar.common.console import errors, escape
from scar.common.extras import told
from scar.common.files import CorruptArtefactError, file_fault, read_json, write_json
from scar.common.locks import holding
from scar.common.provenance import git_states, hardware, versions
from scar.config.job_identity import JobIdentity
from scar.config.nodes import ConfigError

QUEUED, RUNNING, DONE, FAILED, INTERRUPTED = "queued", "running", "done", "failed", "interrupted"
SWEEP = "SCAR_SWEEP"
# Environment variable that names the command whose jobs these are, in all of its processes.


def file_faults(folder: Path, record: Mapping[str, Any]) -> list[str]:
    """Return in what the files of a finished job differ from what its record says of them."""
    files = record.get("files", {})
    noted = ((name, each if isinstance(each, Mapping) else {"size": each}) for name, each in files.items())
    found = (file_fault(folder, name, each.get("size", -1), each.get("sha256")) for name, each in noted)
    return [fault for fault in found if fault]


def undamaged(files: Iterable[Path]) -> Iterator[Path]:
    """Yield those of some files whose job has left all of its files as they are; the others are named."""
    for file in files:
        if found := JobRecord(file.parent).faults():
            errors().print(f"[yellow]damaged[/] {escape(file.parent)}: {escape('; '.join(found[:3]))}; run it again")
        else:
            yield file


class JobRecord:
    """``status.json`` of a job."""

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
        if not self._lock.exists():
            return INTERRUPTED
        try:
            with holding(self._lock, wait=False):
                return INTERRUPTED
        except (Timeout, OSError):  # of another user: nobody can tell
            return RUNNING

    def is_done(self, keys: Sequence[str]) -> bool:
        """Tell whether the job has finished with exactly these artefact keys and its files are as it left them.

        A job that was done and whose files are damaged is named: it runs again.
        """
        if not self.path.is_file():
            return False
        record = self.read()
        if record and (record.get("status") != DONE or record.get("keys") != list(keys)):
            return False
        found = self.faults()
        if found:
            errors().print(f"[yellow]damaged[/] {escape(self.folder)}: {escape('; '.join(found[:3]))}; it runs again")
        return not found

    def faults(self) -> list[str]:
        """Return what is wrong with a record and, if the job is done, with its files; nothing, if all are as they were left."""
        if not self.path.is_file():
            return []
        try:
            record = read_json(self.path)
        except CorruptArtefactError as error:
            return [str(error)]
        if not isinstance(record, dict):
            return [f"{self.path} is no record"]
        return file_faults(self.folder, record) if record.get("status") == DONE else []

    @contextmanager
    def alone(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the job, so that two sweeps never run it at once; the lock of a process that died is free.

        Raises:
            Timeout: another process holds it, and nobody is to wait.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with holding(self._lock, wait=wait):
            yield

    def require_own(self, identity: JobIdentity) -> None:
        """Refuse a folder that holds another job, or that was named by other data than there are now.

        Raises:
            ConfigError: it is.
        """
        known = self.read()
        if not identity.owns(known.get("identity", {})):
            overrides = " ".join(known.get("overrides", []))
            raise ConfigError(
                f"{self.folder} belongs to another job ({overrides}); leave hydra.run.dir and hydra.sweep as they are, or "
                "name another folder"
            )
        if self.folder.name.startswith(f"{identity.settings}-") and self.folder.name != identity.name:
            raise ConfigError(f"{self.folder}: the data have changed since this command began; repeat it")

    def reserve(self, uses: Iterable[str], about: Mapping[str, Any]) -> None:
        """Write what a job will use before its turn comes, so that nobody removes it."""
        with suppress(Timeout), self.alone(wait=False):  # who holds it runs it
            known = self.read()
            needed = sorted({*known.get("uses", []), *uses})
            write_json(self.path, {"status": QUEUED, **about, **known, "uses": needed})

    def fail(self, error: BaseException, about: Mapping[str, Any]) -> None:
        """Write that the job failed, or was interrupted, and how; what it was to use stays reserved."""
        trace = "".join(traceback.format_exception(error))
        failure = {"error": f"{type(error).__name__}: {told(error)}", "traceback": trace, "ended": time.time()}
        status = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED  # `Terminated` is one
        known = {name: value for name, value in self.read().items() if name in ("uses", "identity")}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path, {"sweep": os.environ.get(SWEEP), **known, **about, **failure, "status": status})

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
        for left in self.folder.glob(f".????????{self.path.name}"):  # of a process that died while it wrote
            left.unlink(missing_ok=True)
        write_json(self.path, {"status": RUNNING, **record})
        result: dict[str, Any] = {}
        try:
            yield result
        except BaseException as error:
            with suppress(OSError):  # a full disk must not hide what it has caused
                self.fail(error, {**record, **result})
            raise
        write_json(self.path, {"status": DONE, **record, **result, "wall_seconds": time.perf_counter() - clock})

    @property
    def _lock(self) -> Path:
        return self.folder / ".lock"
