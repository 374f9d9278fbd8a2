"""Around a run or a sweep: refuse what cannot run before anything is written; at the end, say what failed and report."""

from __future__ import annotations

import os
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from omegaconf import OmegaConf

from scar.common.console import announce, console, errors, escape, refuse, set_output
from scar.common.extras import told
from scar.common.sharing import why_denied
from scar.config.build import build, study_folder
from scar.config.checks import check_study
from scar.config.nodes import ConfigError
from scar.job._wandb_run import check_connection
from scar.job.record import FAILED, SWEEP, JobRecord
from scar.reporting.write import write_report
from scar.sweep.overrides import swept_values

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from omegaconf import DictConfig


RUNS = "jobs/*/wandb/offline-run-*"
"""Where the offline runs of a study lie in its folder."""


class StudyCallback(Callback):
    """Hydra's hooks, and what they learn about the jobs of this command.

    Attributes:
        failures: overrides of each failed job, in any process, as one would type them.
        exit_code: of the command.
        is_sweep: whether the command has several jobs.
        unsynced: pattern of runs that were to be online and are offline; empty for none.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.exit_code = 0
        self.unsynced = ""
        self.is_sweep = False

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Validate a single job before its folder is made."""
        try:
            set_output(build(config).output)
        except ConfigError as error:
            refuse(str(error))
        _check_output(config)
        check_connection(str(OmegaConf.select(config, "logger.wandb")))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the names of the studies and the output folder before the first job of a sweep."""
        self.is_sweep = True
        try:
            set_output(config.get("output", "rich"))
            study_folder(config)
            params = OmegaConf.select(config, "hydra.sweeper.params") or {}
            for name in swept_values("study", params, config.hydra.overrides.task):
                check_study(name, output_dir=config.paths.output_dir, store_dir=config.paths.store_dir)
        except ValueError as error:
            refuse(str(error))
        _check_output(config)
        check_connection(str(OmegaConf.select(config, "logger.wandb")))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Note a job that failed in this process."""
        self._note(Path(config.hydra.runtime.output_dir))

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report on the study that the job belongs to."""
        self._report(config)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Report once after the sweep, failures of other processes included."""
        self._report(config)

    def finish(self) -> None:
        """Say what failed, and the one command that repeats it."""
        if self.failures:
            console().print(f"[bold red]{len(self.failures)} job(s) failed[/]; finished work is kept. To retry:")
            console().print(f"  scar {shlex.join(sys.argv[1:])}", markup=False, soft_wrap=True)
            if self.is_sweep:
                console().print("which runs nothing that is done; one of them alone:")
                console().print(f"  scar {self.failures[0]}", markup=False, soft_wrap=True)
        if self.unsynced:
            console().print(f"some runs of W&B are offline; to upload them: wandb sync {escape(self.unsynced)}")
        announce("end", failed=len(self.failures), exit_code=self.exit_code)

    def _note(self, folder: Path) -> None:
        record = JobRecord(folder).read()
        overrides = shlex.join(record.get("overrides", []))
        ours = record.get("status") == FAILED and record.get("sweep") == os.environ.get(SWEEP)
        if ours and overrides not in self.failures:
            self.failures.append(overrides)
            self.exit_code = 1

    def _report(self, config: DictConfig) -> None:
        study = Path(config.paths.output_dir) / config.study
        for status in study.glob("jobs/*/status.json"):
            self._note(status.parent)
        if OmegaConf.select(config, "logger.wandb") == "online" and any(study.glob(RUNS)):
            self.unsynced = f"{study}/{RUNS}"
        if not config.report or not any(study.glob("jobs/*/rows.parquet")):
            return
        try:
            paths = write_report(study, console=console())
            announce("report", path=paths["report.html"])
            console().print(f"report: {escape(paths['report.html'])}")
        except Exception as error:  # the rows are safe; a broken report must not look like a broken study
            self.exit_code = 1
            errors().print(
                f"[bold red]the report failed[/] {escape(told(error))}\n  to retry: scar-report study={study.name}"
            )


@cache
def study_callback() -> StudyCallback:
    """Return the callback of this process: Hydra calls it, and the command asks it how the jobs ended."""
    return StudyCallback()


def _check_output(config: DictConfig) -> None:
    """End the command where its results could not be written, before Hydra tries to."""
    output = Path(config.paths.output_dir)
    study = output / config.study
    try:
        output.mkdir(parents=True, exist_ok=True)
        for folder in filter(Path.is_dir, (output, study, study / "jobs")):
            probe = folder / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        if (last := study / "multirun.yaml").is_file():
            last.open("a").close()
    except OSError as error:
        way_out = why_denied(error) or "name another folder"
        refuse(f"paths.output_dir={output} cannot be written: {error.strerror}; {way_out}")
