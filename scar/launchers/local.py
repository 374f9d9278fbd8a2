"""``hydra/launcher=scar_local``: the jobs of a sweep in this process, or shared out between warm worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from scar import progress
from scar.launchers.compose import SweepLoader


@dataclass(frozen=True)
class Unit:
    """Jobs that are run one after the other in one process, after what they share has been made.

    Attributes:
        jobs: place in the sweep and overrides of each.
        patient: wait for another command that has them in hand.
    """

    jobs: tuple[tuple[int, tuple[str, ...]], ...]
    patient: bool = False


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
        from scar.launchers.workers import default_workers, run_in_workers

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        jobs = [(initial_job_idx + place, tuple(overrides)) for place, overrides in enumerate(job_overrides)]
        returns: dict[int, JobReturn] = {}
        workers = self.n_jobs or default_workers()
        with progress.sweep(len(jobs)):
            units = self._plan(jobs, returns)
            progress.job_over(len(returns))
            if workers > 1 and units:
                returns |= run_in_workers(
                    _divided(units, workers), workers=workers, threads=self.threads, compose=self._compose
                )
            else:
                for patient in (False, True):
                    units = [unit for unit in units if not self._run(unit, returns, patient=patient)]
        return [returns[index] for index, _ in jobs]

    def _plan(self, jobs: Sequence[tuple[int, tuple[str, ...]]], returns: dict[int, JobReturn]) -> list[Unit]:
        """Return the jobs that are not done, those that can work together as one unit; note the others."""
        groups: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for index, overrides in jobs:
            composed = self._compose(index, overrides)
            company, done = _look(composed, alone=f"job {index}")
            if done is None:
                groups.setdefault(company, []).append((index, overrides))
            else:
                returns[index] = JobReturn(overrides=list(overrides), cfg=composed, status=JobStatus.COMPLETED)
                returns[index].return_value = done
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


def hold(composed: dict[int, DictConfig], *, patient: bool) -> AbstractContextManager[Any]:
    """Hold a unit of jobs: the same sweep started on several machines divides its units between them.

    Raises:
        Timeout: another command holds it, and nobody is to wait.
    """
    folder = job_folder(next(iter(composed.values())))
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / ".unit.lock").acquire(blocking=patient)


def run_jobs(
    composed: dict[int, DictConfig], context: HydraContext, task: TaskFunction
) -> Iterator[tuple[int, JobReturn]]:
    """Make what some jobs share, then run each of them as Hydra runs a job; yields each when it has ended."""
    from hydra.core.utils import run_job

    if len(composed) > 1:
        _share(list(composed.values()))
    for index, each in composed.items():
        yield (
            index,
            run_job(
                hydra_context=context,
                task_function=task,
                config=each,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            ),
        )


def _look(composed: DictConfig, *, alone: str) -> tuple[str, float | None]:
    """Return what a job has in common with others, and its objective if it is done.

    A job that cannot be looked at is its own company; when its turn comes, it fails with its own message.
    """
    from scar.config import build
    from scar.job import finished, open_store
    from scar.pipeline import Job
    from scar.together import company

    try:
        with _hydra_config(composed):
            config, folder = build(composed), job_folder(composed)
        if config.task is not None:
            return alone, None
        job = Job(config, open_store(config))
        return company(job), finished(job, folder)
    except Exception:
        return alone, None


def _share(composed: Sequence[DictConfig]) -> None:
    """Train the arms of several jobs together; a job that fails here fails again, with its record, in its turn."""
    from scar.config import build
    from scar.console import errors, escape
    from scar.job import open_store
    from scar.pipeline import Job
    from scar.together import evaluate_together

    jobs = []
    for each in composed:
        try:
            with _hydra_config(each):
                config = build(each)
            job = Job(config, open_store(config))
            _ = job.plans
            jobs.append(job)
        except Exception:
            continue
    try:
        evaluate_together(jobs)
    except Exception as error:
        errors().print(f"[yellow]{len(jobs)} jobs could not train together[/] ({escape(error)}); each trains alone")


def job_folder(composed: DictConfig) -> Path:
    """Return the folder of a job of a sweep."""
    return Path(str(composed.hydra.sweep.dir), str(composed.hydra.sweep.subdir)).absolute()


@contextmanager
def _hydra_config(composed: DictConfig) -> Iterator[None]:
    """Let interpolations of Hydra's own values, such as ``${hydra:job.num}``, see this job."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(composed)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def _divided(units: Sequence[Unit], workers: int) -> list[Unit]:
    """Return the units, the largest halved while there are fewer units than workers."""
    divided = list(units)
    while len(divided) < workers and (largest := max(divided, key=lambda unit: len(unit.jobs))).jobs[1:]:
        divided.remove(largest)
        middle = len(largest.jobs) // 2
        divided += [Unit(largest.jobs[:middle]), Unit(largest.jobs[middle:])]
    return sorted(divided, key=lambda unit: unit.jobs[0][0])


def plain(value: Any) -> Any:
    """Return what a job came to as something that can be sent between processes."""
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
