"""The command ``scar``: compose, validate, run one job or a sweep, report once."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from scar.config import build, job_digest
from scar.console import console, errors, escape
from scar.job import run_job, run_task
from scar.record import FAILED, JobRecord
from scar.study import outcome

OmegaConf.register_new_resolver("job_digest", lambda *, _root_: job_digest(_root_), replace=True)


@hydra.main(version_base="1.3", config_path="pkg://scar.conf", config_name="config")
def _app(composed: DictConfig) -> float | None:
    folder = Path(HydraConfig.get().runtime.output_dir)
    overrides = list(HydraConfig.get().overrides.task)
    try:
        config = build(composed)
        run = run_task if config.task else run_job
        return run(config, folder, settings=composed, overrides=overrides)
    except Exception as error:
        record = JobRecord(folder)
        if record.read().get("status") != FAILED or record.read().get("started", 0.0) < outcome.started:
            record.fail(error, {"job": folder.name, "overrides": overrides, "started": time.time()})
        outcome.failed(overrides, error)
        errors().print(f"[bold red]failed[/] {escape(shlex.join(overrides))}\n  {escape(error)}")
        return None


def main() -> None:
    """Run the command; the exit code is 1 if any job failed."""
    sys.path.insert(0, str(Path.cwd()))  # classes of one's own, named by `_target_`, lie beside the command
    _app()
    outcome.finish(console())
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
