"""The command ``scar``: compose, validate, run one job or a sweep, report once."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import uuid
from pathlib import Path

import hydra
from omegaconf import DictConfig

from scar.commands._arguments import prepared
from scar.common import ranks
from scar.common.console import errors, refuse
from scar.common.extras import told
from scar.common.termination import EXIT_CODE, Terminated, raise_on_sigterm
from scar.job.record import SWEEP
from scar.sweep.adaptive_seeds import AdaptiveSweeper
from scar.sweep.hydra_internals import explain_compositions, register, share_config_store
from scar.sweep.local_launcher import LocalLauncher
from scar.sweep.optuna_sweeper import OptunaSweeper
from scar.sweep.present import register_with_present
from scar.sweep.ray_launcher import RayLauncher
from scar.sweep.run_composed import run_composed
from scar.sweep.study_callback import study_callback

COLLECTED = 10_000
"""Objects after which cycles are looked for. Most of a small job are those of modules, which stay: to walk them after every 700 takes half a second."""


@hydra.main(version_base="1.3", config_path="pkg://scar.conf", config_name="config")
def _app(composed: DictConfig) -> float | None:
    return run_composed(composed)


def main() -> None:
    """Run the command; the exit code is 1 if any job failed."""
    sys.argv[1:] = prepared(sys.argv[1:])
    sys.path.insert(0, str(Path.cwd()))  # classes of one's own, named by `_target_`, lie beside the command
    os.environ.setdefault(SWEEP, uuid.uuid4().hex)  # names this command in the records of its jobs, in all processes
    gc.set_threshold(COLLECTED)
    atexit.register(gc.freeze)  # what is left ends with the process: to look for cycles in it would take a second
    raise_on_sigterm()
    register(LocalLauncher, RayLauncher, OptunaSweeper, AdaptiveSweeper)
    share_config_store()
    explain_compositions()
    register_with_present()
    try:
        with ranks.crew() as leads:
            if leads:
                _app()
    except PermissionError as error:  # where no job is to blame
        refuse(told(error))
    except KeyboardInterrupt as end:
        errors().print("[yellow]interrupted[/]; what was finished is kept: repeat the command to go on")
        sys.exit(EXIT_CODE if isinstance(end, Terminated) else 130)
    study_callback().finish()
    sys.exit(study_callback().exit_code)


if __name__ == "__main__":
    main()
