"""The record of a job in its folder: what ran, with what, how it ended."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scar.store import CorruptArtefactError, read_json, write_json

RUNNING, DONE, FAILED = "running", "done", "failed"
PACKAGES = (
    "scar-data",
    "hydra-core",
    "numpy",
    "omegaconf",
    "pytorch-lightning",
    "scikit-learn",
    "torch",
    "torchmetrics",
    "wandb",
)


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

    def is_done(self, keys: Sequence[str]) -> bool:
        """Tell whether the job has finished with exactly these artefact keys and its files are as it left them."""
        record = self.read()
        if record.get("status") != DONE or record.get("keys") != list(keys):
            return False
        paths = {self.folder / name: size for name, size in record.get("files", {}).items()}
        return bool(paths) and all(path.is_file() and path.stat().st_size == size for path, size in paths.items())

    def fail(self, error: BaseException, about: Mapping[str, Any]) -> None:
        """Write that the job failed, and how."""
        trace = "".join(traceback.format_exception(error))
        failure = {"error": f"{type(error).__name__}: {error}", "traceback": trace, "ended": time.time()}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path, {"status": FAILED, **about, **failure})

    @contextmanager
    def running(self, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Write the status while the job runs and when it ends; yields a mapping for what is known at the end."""
        started = time.time()
        record: dict[str, Any] = {
            **about,
            "started": started,
            "versions": versions(),
        }
        write_json(self.path, {"status": RUNNING, **record})
        result: dict[str, Any] = {}
        try:
            yield result
        except BaseException as error:
            self.fail(error, record)
            raise
        write_json(self.path, {"status": DONE, **record, **result, "wall_seconds": time.time() - started})


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide results, without importing them."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
