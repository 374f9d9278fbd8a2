"""Warm worker processes: each runs many jobs, and one that dies takes only its job with it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from filelock import Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, setup_globals
from omegaconf import DictConfig

from scar.common import progress
from scar.common.machine import core_numbers, usable_cores
from scar.common.termination import EXIT_CODE, GRACE, Terminated, raise_on_sigterm
from scar.job.record import INTERRUPTED, RUNNING, JobRecord
from scar.sweep.hydra_internals import worker_context
from scar.sweep.run_composed import run_composed
from scar.sweep.units import Unit, ended, hold, job_folder, plain, run_jobs

Compose = Callable[[int, Sequence[str]], DictConfig]


@dataclass
class Worker:
    """One process, and what it has in hand.

    Attributes:
        pending: jobs of its unit that have not ended, with their folders.
        current: the job that runs; None while what the jobs share is being made.
    """

    process: BaseProcess
    connection: Connection
    pending: dict[int, tuple[str, ...]] = field(default_factory=dict)
    folders: dict[int, Path] = field(default_factory=dict)
    current: int | None = None


def run_in_workers(
    units: Sequence[Unit], *, workers: int, threads: int | None, compose: Compose
) -> dict[int, JobReturn]:
    """Run units of jobs in worker processes and return what became of each job.

    Args:
        units: in the order in which they are started.
        workers: processes at most.
        threads: cores of each; None divides the cores of the machine.
        compose: turns the place and the overrides of a job into its configuration.
    """
    queue, returns = deque(units), dict[int, JobReturn]()
    slots = list(range(min(workers, len(units))))
    active: dict[int, Worker] = {}
    try:
        while queue or active:
            for slot in slots:
                if queue and slot not in active:
                    active[slot] = _start(slot, len(slots), threads)
                    _give(active[slot], queue.popleft(), compose)
            by_handle = {each.connection: slot for slot, each in active.items()}
            for handle in wait(list(by_handle)):
                slot = by_handle[handle]  # type: ignore[index]
                _listen(active[slot], queue, returns, compose)
                if active[slot].connection.closed:
                    del active[slot]
    finally:
        _end(list(active.values()))
    return returns


def _end(workers: Sequence[Worker]) -> None:
    """End workers that have work in hand: each writes how its job ended, and one that cannot in time is killed."""
    for each in workers:
        each.process.terminate()
    deadline = time.monotonic() + GRACE
    for each in workers:
        each.process.join(max(0.0, deadline - time.monotonic()))
        if each.process.is_alive():
            each.process.kill()
            each.process.join()
        note_interrupted(each.folders.values())


def note_interrupted(folders: Iterable[Path]) -> None:
    """Write of jobs that ran when their processes were ended that they were interrupted."""
    for folder in folders:
        record = JobRecord(folder)
        if record.read().get("status") == RUNNING and record.status() == INTERRUPTED:
            record.fail(Terminated("the command was ended"), record.read())


def _start(slot: int, slots: int, threads: int | None) -> Worker:
    here, there = get_context("spawn").Pipe()
    settings = environment(slot, slots, threads)
    process = get_context("spawn").Process(target=_serve, args=(there, settings, list(sys.path)), name=f"scar-{slot}")
    process.start()
    there.close()
    return Worker(process, here)


def _give(worker: Worker, unit: Unit, compose: Compose) -> None:
    composed = {index: compose(index, overrides) for index, overrides in unit.jobs}
    worker.pending = dict(unit.jobs)
    worker.folders = {index: job_folder(each) for index, each in composed.items()}
    worker.current = None
    worker.connection.send((composed, unit.patient))


def _listen(worker: Worker, queue: deque[Unit], returns: dict[int, JobReturn], compose: Compose) -> None:
    """Take one message of a worker: a job has begun, a job has ended, the unit is through, or the worker is dead."""
    try:
        kind, index, value = worker.connection.recv()
    except (EOFError, OSError):
        _bury(worker, queue, returns)
        return
    if kind == "begun":
        worker.current = index
    elif kind == "ended":
        overrides = worker.pending.pop(index)
        returns[index] = ended(overrides, value)
        worker.current = None
        progress.job_over()
    else:
        if kind == "held":  # by another command: it comes last, and is waited for
            queue.append(Unit(tuple(worker.pending.items()), patient=True))
        if queue:
            _give(worker, queue.popleft(), compose)
        else:
            worker.connection.close()
            worker.process.join()


def _bury(worker: Worker, queue: deque[Unit], returns: dict[int, JobReturn]) -> None:
    """Record the job that a worker died of, and put the others of its unit back, each on its own."""
    worker.connection.close()
    worker.process.join()
    victim = worker.current
    if victim is None and len(worker.pending) == 1:
        (victim,) = worker.pending
    if victim is not None:
        overrides = worker.pending.pop(victim)
        folder = worker.folders[victim]
        JobRecord(folder).fail(
            WorkerDiedError(_cause(worker.process.exitcode)), {"job": folder.name, "overrides": list(overrides)}
        )
        returns[victim] = ended(overrides, None)
        progress.job_over()
    queue.extendleft(Unit((job,)) for job in reversed(worker.pending.items()))


class WorkerDiedError(RuntimeError):
    """The process of a job ended without a word."""


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = "; the machine may be out of memory: use fewer hydra.launcher.n_jobs" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process ended with the exit code {exitcode}"


def _serve(connection: Connection, settings: dict[str, Any], path: list[str]) -> None:
    """Run units of jobs until there are no more: the body of a worker process."""
    raise_on_sigterm()
    sys.path[:] = path
    os.environ.update(settings["environment"])
    if settings["cores"]:
        os.sched_setaffinity(0, settings["cores"])
    setup_globals()

    def task(composed: DictConfig) -> float | None:
        connection.send(("begun", HydraConfig.get().job.num, None))
        return run_composed(composed)

    try:
        while _run_unit(connection, task):
            pass
    except KeyboardInterrupt:  # the command says so
        sys.exit(EXIT_CODE)


def _run_unit(connection: Connection, task: Callable[[DictConfig], float | None]) -> bool:
    """Run the next unit of jobs; tells whether there was one."""
    try:
        composed, patient = connection.recv()
    except (EOFError, OSError):
        return False
    context = worker_context(next(iter(composed.values())))
    try:
        with hold(composed, patient=patient):
            for index, result in run_jobs(composed, context, task):
                connection.send(("ended", index, plain(result.return_value)))
    except Timeout:
        connection.send(("held", None, None))
    else:
        connection.send(("through", None, None))
    return True


def environment(slot: int, slots: int, threads: int | None) -> dict[str, Any]:
    """Return the cores and the environment variables of a worker.

    Args:
        slot: which worker.
        slots: how many there are.
        threads: cores that it may use; None divides those of this process.
    """
    cores = core_numbers()
    count = threads or max(1, usable_cores() // slots)
    own = [cores[(slot * count + k) % len(cores)] for k in range(min(count, len(cores)))] if cores else []
    variables = {name: str(count) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    gpus = visible_gpus()
    if gpus:
        variables["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    return {"cores": own, "environment": variables}


def default_workers() -> int:
    """Return one worker per GPU, else one."""
    return max(1, len(visible_gpus()))


def visible_gpus() -> list[str]:
    """Return the NVIDIA GPUs that this process may use, without starting CUDA in it."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [each for each in chosen.split(",") if each.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
