"""Units of jobs: what one process runs one job after the other, and what no two commands run at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from scar.common.console import errors, escape
from scar.common.locks import holding
from scar.config.build import build
from scar.sweep.hydra_internals import as_current_job, run_sweep_job


@dataclass(frozen=True)
class Unit:
    """Jobs that are run one after the other in one process, after what they share has been made.

    Attributes:
        jobs: place in the sweep and overrides of each.
        patient: wait for another command that holds them.
    """

    jobs: tuple[tuple[int, tuple[str, ...]], ...]
    patient: bool = False


def divided(units: Sequence[Unit], workers: int) -> list[Unit]:
    """Return the units, the largest halved while there are fewer units than workers."""
    parts = list(units)
    while len(parts) < workers and (largest := max(parts, key=lambda unit: len(unit.jobs))).jobs[1:]:
        parts.remove(largest)
        middle = len(largest.jobs) // 2
        parts += [Unit(largest.jobs[:middle]), Unit(largest.jobs[middle:])]
    return sorted(parts, key=lambda unit: unit.jobs[0][0])


def hold(composed: Mapping[int, DictConfig], *, patient: bool) -> AbstractContextManager[Any]:
    """Hold a unit of jobs: the same sweep started on several machines divides its units between them.

    Raises:
        Timeout: another command holds it, and nobody is to wait.
    """
    folder = job_folder(next(iter(composed.values())))
    folder.mkdir(parents=True, exist_ok=True)
    return holding(folder / ".unit.lock", wait=patient)


def run_jobs(
    composed: Mapping[int, DictConfig], context: HydraContext, task: TaskFunction
) -> Iterator[tuple[int, JobReturn]]:
    """Make what some jobs share, then run each of them as Hydra runs a job; yields each when it has ended."""
    if len(composed) > 1:
        _share(list(composed.values()))
    for index, each in composed.items():
        yield index, run_sweep_job(each, context, task)


def ended(overrides: Sequence[str], value: Any) -> JobReturn:
    """Return what Hydra is told of a job that has ended, in whatever process."""
    told = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    told.return_value = value
    return told


def plain(value: Any) -> Any:
    """Return what a job came to as something that can be sent between processes."""
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _share(composed: Sequence[DictConfig]) -> None:
    """Train the arms of several jobs together; a job that fails here fails again, with its record, in its turn."""
    from scar.job.algorithm import algorithm  # not needed to show the help
    from scar.job.record import JobRecord
    from scar.job.run_job import open_store, uses_of
    from scar.job.shared_bank import retrain_arms

    jobs = []
    for each in composed:
        try:
            with as_current_job(each):
                config = build(each)
                folder = job_folder(each)
            job = algorithm(config, open_store(config))
            JobRecord(folder).reserve(uses_of(job), {"job": folder.name})
            if config.logger.live:  # it trains while its own run is open
                continue
            _ = job.plans
            jobs.append(job)
        except Exception:
            continue
    try:
        retrain_arms(jobs)
    except Exception as error:
        errors().print(f"[yellow]{len(jobs)} jobs could not train together[/] ({escape(error)}); each trains alone")


def job_folder(composed: DictConfig) -> Path:
    """Return the folder of a job of a sweep."""
    return Path(str(composed.hydra.sweep.dir), str(composed.hydra.sweep.subdir)).absolute()
