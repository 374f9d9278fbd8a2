"""The end of a study: what was done, what failed, and one report."""

from __future__ import annotations

import os
import shlex
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback

from scar.config import build
from scar.config_nodes import ConfigError
from scar.console import announce, console, errors, escape, set_output
from scar.record import FAILED, SWEEP, JobRecord

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console


@dataclass
class Outcome:
    """What became of the jobs of this command.

    Attributes:
        failures: overrides and error of each failed job.
        exit_code: of the command.
    """

    failures: list[tuple[str, str]] = field(default_factory=list)
    exit_code: int = 0

    @property
    def sweep(self) -> str | None:
        """Name that the records of its jobs bear, in whatever process they run; None outside a command."""
        return os.environ.get(SWEEP)

    def begin(self) -> None:
        """Name the command; processes that it starts inherit the name."""
        os.environ.setdefault(SWEEP, uuid.uuid4().hex)

    def failed(self, overrides: Sequence[str], error: object) -> None:
        """Note a failed job."""
        self.failures.append((shlex.join(overrides), str(error)))
        self.exit_code = 1

    def finish(self, out: Console) -> None:
        """Say what failed and how to retry."""
        if self.failures:
            out.print(f"[bold red]{len(self.failures)} job(s) failed[/]; finished work is kept. To retry:")
            for overrides, _ in self.failures:
                out.print(f"  scar {overrides}", markup=False)


outcome = Outcome()


class StudyCallback(Callback):
    """Hydra's hooks around a run or a sweep: refuse what cannot run before anything is written, report at the end."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Validate a single job before its folder is made."""
        try:
            set_output(build(config).output)
        except ConfigError as error:
            self._refuse(str(error))
        self._check_output(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the output folder before the first job of a sweep."""
        try:
            set_output(config.get("output", "rich"))
        except ValueError as error:
            self._refuse(str(error))
        self._check_output(config)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report on the study that the job belongs to."""
        self._report(config)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report once after the sweep, failures of other processes included."""
        self._report(config)

    def _check_output(self, config: DictConfig) -> None:
        folder = Path(config.paths.output_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            self._refuse(f"paths.output_dir={folder} cannot be written: {error.strerror}; name another folder")

    def _refuse(self, message: str) -> None:
        errors().print(f"[bold red]error[/] {escape(message)}")
        sys.exit(2)

    def _report(self, config: DictConfig) -> None:
        study = Path(config.paths.output_dir) / config.study
        known = {overrides for overrides, _ in outcome.failures}
        for status in study.glob("jobs/*/status.json"):
            record = JobRecord(status.parent).read()
            overrides = shlex.join(record.get("overrides", []))
            ours = record.get("sweep") == outcome.sweep
            if record.get("status") == FAILED and ours and overrides not in known:
                outcome.failed(record["overrides"], record.get("error", ""))
        if not config.report or not any(study.glob("jobs/*/rows.parquet")):
            return
        try:
            from scar.reporting import write_report

            paths = write_report(study, console=console())
            announce("report", path=paths["report.html"])
            console().print(f"report: {escape(paths['report.html'])}")
        except Exception as error:  # the rows are safe; a broken report must not look like a broken study
            outcome.exit_code = 1
            errors().print(
                f"[bold red]the report failed[/] {escape(error)}\n  to retry: scar-report study={study.name}"
            )
