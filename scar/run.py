"""The command ``scar``: compose, validate, run one job or a sweep, report once."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from scar.config import build, job_digest
from scar.console import console, errors
from scar.job import run_job
from scar.study import outcome

OmegaConf.register_new_resolver("job_digest", lambda *, _root_: job_digest(_root_), replace=True)


@hydra.main(version_base="1.3", config_path="pkg://scar.conf", config_name="config")
def _app(composed: DictConfig) -> float | None:
    folder = Path(HydraConfig.get().runtime.output_dir)
    overrides = list(HydraConfig.get().overrides.task)
    try:
        return run_job(build(composed), folder, settings=composed, overrides=overrides)
    except Exception as error:
        outcome.failed(folder, overrides, error)
        errors().print(f"[bold red]failed[/] {' '.join(overrides)}\n  {error}", markup=True)
        return None


def main() -> None:
    """Run the command; the exit code is 1 if any job failed."""
    _app()
    outcome.finish(console())
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
