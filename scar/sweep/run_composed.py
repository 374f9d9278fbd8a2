"""One composed job, alone or in a sweep: built, run, and recorded where it fails."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from scar.common import ranks
from scar.common.console import announce, errors, escape, set_output
from scar.common.extras import told
from scar.config.build import build
from scar.job.record import FAILED, SWEEP, JobRecord


def run_composed(composed: DictConfig) -> float | None:
    """Run what Hydra has composed; a failure is recorded and printed, and does not stop a sweep.

    Where the launcher has started several processes for the job (submitit), all but the first help it.
    """
    with ranks.crew() as leads:
        return _run(composed) if leads else None


def _run(composed: DictConfig) -> float | None:
    from scar.job.run_job import run_job, run_task  # its stages are not needed to show the help

    folder = Path(HydraConfig.get().runtime.output_dir)
    overrides = list(HydraConfig.get().overrides.task)
    try:
        config = build(composed)
        set_output(config.output)
        if config.task is None:
            return run_job(config, folder, settings=composed, overrides=overrides, draw=_draw)
        run_task(config, folder, settings=composed, overrides=overrides)
    except Exception as error:
        record = JobRecord(folder)
        known = record.read()
        if known.get("status") != FAILED or known.get("sweep") != os.environ.get(SWEEP):
            record.fail(error, {"job": folder.name, "overrides": overrides})
        said = told(error)
        errors().print(f"[bold red]failed[/] {escape(shlex.join(overrides))}\n  {escape(said)}")
        announce("job", status="failed", folder=folder, overrides=overrides, error=f"{type(error).__name__}: {said}")
    return None


def _draw(*arguments: Any, **named: Any) -> dict[str, bytes]:
    """Draw the figures of a job; a job that is done before needs no library of figures."""
    from scar.reporting.figures.job_figures import job_figures

    return job_figures(*arguments, **named)
