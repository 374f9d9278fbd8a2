"""The command ``scar``: compose, validate, run one job or a sweep, report once."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from scar import launchers, ranks
from scar.config import build
from scar.console import announce, console, errors, escape, set_output
from scar.extras import told
from scar.record import FAILED, JobRecord
from scar.study import outcome


def run_composed(composed: DictConfig) -> float | None:
    """Run what Hydra has composed; a failure is recorded, printed and counted, and does not stop a sweep.

    Where the launcher has started several processes for the job (submitit), all but the first help it.
    """
    with ranks.crew() as leads:
        return _run(composed) if leads else None


def _run(composed: DictConfig) -> float | None:
    from scar.job import run_job, run_task  # its stages are not needed to show the help

    folder = Path(HydraConfig.get().runtime.output_dir)
    overrides = list(HydraConfig.get().overrides.task)
    try:
        config = build(composed)
        set_output(config.output)
        run = run_task if config.task else run_job
        return run(config, folder, settings=composed, overrides=overrides)
    except Exception as error:
        record = JobRecord(folder)
        known = record.read()
        if known.get("status") != FAILED or known.get("sweep") != outcome.sweep:
            record.fail(error, {"job": folder.name, "overrides": overrides})
        said = told(error)
        outcome.failed(overrides, said)
        errors().print(f"[bold red]failed[/] {escape(shlex.join(overrides))}\n  {escape(said)}")
        announce("job", status="failed", folder=folder, overrides=overrides, error=f"{type(error).__name__}: {said}")
        return None


@hydra.main(version_base="1.3", config_path="pkg://scar.conf", config_name="config")
def _app(composed: DictConfig) -> float | None:
    return run_composed(composed)


def main() -> None:
    """Run the command; the exit code is 1 if any job failed."""
    sys.path.insert(0, str(Path.cwd()))  # classes of one's own, named by `_target_`, lie beside the command
    launchers.register()
    launchers.share_config_store()
    outcome.begin()
    try:
        with ranks.crew() as leads:
            if leads:
                _app()
    except KeyboardInterrupt:
        errors().print("[yellow]interrupted[/]; what was finished is kept: repeat the command to go on")
        sys.exit(130)
    outcome.finish(console())
    announce("end", failed=len(outcome.failures), exit_code=outcome.exit_code)
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()
