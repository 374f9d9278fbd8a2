"""``hydra/launcher=scar_local``: the jobs of a sweep in this process, or shared out between warm worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filelock import Timeout
from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from scar.common import progress
from scar.common.console import refuse
from scar.config.build import build, study_folder
from scar.config.nodes import ConfigError
from scar.sweep.compose import SweepLoader
from scar.sweep.hydra_internals import as_current_job
from scar.sweep.units import Unit, divided, ended, hold, job_folder, run_jobs
from scar.sweep.workers import default_workers, run_in_workers


class LocalLauncher(Launcher):
    """Runs the jobs of a sweep on this machine.

    Jobs whose record says that they are done are not started, so that repeating a finished sweep imports nothing
    heavy. The others are grouped: jobs that share data, split and probe train their evaluation arms in one bank. Groups
    that another command has in hand, on this machine or another that shares the file system, come last.

    Args:
        n_jobs: worker processes; None takes one per GPU, or runs the jobs in this process where there is at most one.
        threads: cores of a worker; None divides the cores of the machine.
    """

    def __init__(self, n_jobs: int | None = None, threads: int | None = None) -> None:
        for name, value in (("n_jobs", n_jobs), ("threads", threads)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"hydra.launcher.{name}={value!r} must be a whole number of at least 1, or null")
        self.n_jobs = n_jobs
        self.threads = threads

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives; the sweeper's own check of the jobs uses the quick loader too."""
        if not isinstance(hydra_context.config_loader, SweepLoader):
            hydra_context.config_loader = SweepLoader(hydra_context.config_loader)
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return what became of them, in their order."""
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        jobs = [(initial_job_idx + place, tuple(overrides)) for place, overrides in enumerate(job_overrides)]
        returns: dict[int, JobReturn] = {}
        with progress.sweep(len(jobs)):
            units = self._plan(jobs, returns)
            progress.job_over(len(returns))
            Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
            if units:
                self._run_units(units, returns)
        return [returns[index] for index, _ in jobs]

    def _run_units(self, units: list[Unit], returns: dict[int, JobReturn]) -> None:
        """Run units of jobs, and note what becomes of each job."""
        workers = self.n_jobs or default_workers()
        if workers > 1:
            returns |= run_in_workers(
                divided(units, workers), workers=workers, threads=self.threads, compose=self._compose
            )
            return
        for patient in (False, True):
            units = [unit for unit in units if not self._run(unit, returns, patient=patient)]

    def _plan(self, jobs: Sequence[tuple[int, tuple[str, ...]]], returns: dict[int, JobReturn]) -> list[Unit]:
        """Return the jobs that are not done, those that can work together as one unit; note the others."""
        groups: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for index, overrides in jobs:
            composed = self._compose(index, overrides)
            _check_study(composed)
            company, done = _look(composed, alone=f"job {index}")
            if done is None:
                groups.setdefault(company, []).append((index, overrides))
            else:
                returns[index] = ended(overrides, done)
                returns[index].cfg = composed
        return [Unit(tuple(members)) for members in groups.values()]

    def _compose(self, index: int, overrides: Sequence[str]) -> DictConfig:
        composed = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id, composed.hydra.job.num = str(index), index
        return composed

    def _run(self, unit: Unit, returns: dict[int, JobReturn], *, patient: bool) -> bool:
        """Run a unit unless another command has it in hand; tells whether it was run."""
        composed = {index: self._compose(index, overrides) for index, overrides in unit.jobs}
        try:
            with hold(composed, patient=patient):
                for index, result in run_jobs(composed, self.hydra_context, self.task_function):
                    returns[index] = result
                    progress.job_over()
        except Timeout:
            return False
        return True


def _check_study(composed: DictConfig) -> None:
    """End the command before anything is written where a job belongs to a study that cannot be a folder."""
    try:
        study_folder(composed)
    except ConfigError as error:
        refuse(str(error))


def _look(composed: DictConfig, *, alone: str) -> tuple[str, float | None]:
    """Return what a job has in common with others, and its objective if it is done.

    A job that cannot be looked at is its own company; when its turn comes, it fails with its own message.
    """
    from scar.job.algorithm import algorithm  # not needed to show the help
    from scar.job.run_job import finished, open_store
    from scar.job.shared_bank import company

    try:
        with as_current_job(composed):
            config, folder = build(composed), job_folder(composed)
        if config.task is not None:
            return alone, None
        job = algorithm(config, open_store(config))
        return company(job), finished(job, folder)
    except Exception:
        return alone, None
