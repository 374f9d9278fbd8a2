"""``hydra/launcher=scar_ray``: the jobs of a sweep on Ray, a task for each group of jobs that share work."""

from __future__ import annotations

import io
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from filelock import Timeout
from hydra.core.utils import JobReturn, setup_globals
from omegaconf import DictConfig

from scar.common import progress
from scar.common.console import refuse
from scar.common.extras import told
from scar.common.ray_cluster import check_request, connected, enter, inherited, is_death, room, thread_variables
from scar.common.termination import GRACE
from scar.job.record import JobRecord
from scar.sweep.hydra_internals import worker_context
from scar.sweep.local_launcher import LocalLauncher
from scar.sweep.run_composed import run_composed
from scar.sweep.units import Unit, divided, ended, hold, job_folder, plain, run_jobs
from scar.sweep.workers import WorkerDiedError, note_interrupted

_POLL = 1.0
# Seconds after which the command looks whether it is to end.


class RayLauncher(LocalLauncher):
    """Runs the jobs of a sweep on a cluster of Ray, grouped as `LocalLauncher` groups them.

    Ray starts a task again whose process or node died; it finds what was done and goes on. One that keeps dying is
    divided into its jobs, and a job that keeps dying has failed. What jobs print is printed here when they end.

    Args:
        address: of a cluster that runs; None starts one on this machine, which ends with the sweep.
        n_jobs: tasks at once; None leaves that to Ray.
        cpus: cores that a task asks for, and threads that it uses.
        gpus: GPUs that a task asks for; may be a share.
        retries: how often Ray starts a task again whose process or node died.
    """

    def __init__(
        self, address: str | None = None, n_jobs: int | None = None, cpus: int = 1, gpus: float = 0, retries: int = 3
    ) -> None:
        super().__init__(n_jobs=n_jobs)
        check_request("hydra.launcher", address=address, cpus=cpus, gpus=gpus, retries=retries)
        self.address, self.cpus, self.gpus, self.retries = address, cpus, gpus, retries

    def _run_units(self, units: list[Unit], returns: dict[int, JobReturn]) -> None:
        try:
            with connected(self.address) as ray:
                fit = room(ray, cpus=self.cpus, gpus=self.gpus)
                if not fit and self.address is None:
                    refuse(f"hydra.launcher.cpus={self.cpus} and gpus={self.gpus} are more than this machine has")
                self._run_tasks(ray, divided(units, self.n_jobs or fit), returns)
        except (ImportError, ConnectionError) as error:
            refuse(f"hydra/launcher=scar_ray: {told(error)}")

    def _run_tasks(self, ray: Any, units: list[Unit], returns: dict[int, JobReturn]) -> None:
        task = ray.remote(_run_unit).options(
            num_returns="streaming", num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries
        )
        environment = inherited() | thread_variables(self.cpus)
        queue, active, folders = deque(units), dict[Any, dict[int, tuple[str, ...]]](), dict[int, Path]()
        try:
            while queue or active:
                while queue and len(active) < (self.n_jobs or sys.maxsize):
                    unit = queue.popleft()
                    composed = {index: self._compose(index, overrides) for index, overrides in unit.jobs}
                    folders |= {index: job_folder(each) for index, each in composed.items()}
                    active[task.remote(composed, str(Path.cwd()), environment, unit.patient)] = dict(unit.jobs)
                for handle in ray.wait(list(active), num_returns=1, timeout=_POLL)[0]:
                    self._listen(ray, handle, active, queue, returns, folders)
        finally:
            _cancel(ray, list(active))
            note_interrupted(folders[index] for pending in active.values() for index in pending)

    def _listen(
        self,
        ray: Any,
        handle: Any,
        active: dict[Any, dict[int, tuple[str, ...]]],
        queue: deque[Unit],
        returns: dict[int, JobReturn],
        folders: Mapping[int, Path],
    ) -> None:
        """Take one message of a task: a job has ended, the unit is through, or the task died as often as it may."""
        pending = active[handle]
        try:
            index, value, out, err = ray.get(next(handle))
        except StopIteration:  # what another command holds comes last, and is waited for
            del active[handle]
            if pending:
                queue.append(Unit(tuple(pending.items()), patient=True))
        except ray.exceptions.RayError as error:
            del active[handle]
            if not is_death(ray, error):
                refuse(f"hydra/launcher=scar_ray: {told(getattr(error, 'cause', None) or error)}")
            if len(pending) == 1:
                ((index, overrides),) = pending.items()
                folder = folders[index]
                death = WorkerDiedError(f"Ray lost its process {1 + self.retries} times: {str(error).splitlines()[0]}")
                JobRecord(folder).fail(death, {"job": folder.name, "overrides": list(overrides)})
                returns[index] = ended(overrides, None)
                progress.job_over()
            else:
                queue.extend(Unit((job,)) for job in pending.items())
        else:
            sys.stdout.write(out)
            sys.stderr.write(err)
            returns[index] = ended(pending.pop(index), value)
            progress.job_over()


def _cancel(ray: Any, handles: list[Any]) -> None:
    """End tasks: each writes how its job ended, and those that cannot in time end with the connection."""
    for handle in handles:
        with suppress(ray.exceptions.RayError, ValueError):
            ray.cancel(handle)
    deadline = time.monotonic() + GRACE
    for handle in handles:
        with suppress(ray.exceptions.RayError, StopIteration):
            while (left := deadline - time.monotonic()) > 0:
                if ray.wait([handle], timeout=left)[0]:
                    ray.get(next(handle), timeout=max(0.1, left))


def _run_unit(
    composed: Mapping[int, DictConfig], directory: str, environment: Mapping[str, str], patient: bool
) -> Iterator[tuple[int, Any, str, str]]:
    """Run a unit of jobs unless another command holds it: the body of a task.

    Yields the place of each job that has ended, its objective, and what was printed meanwhile to both outputs.
    """
    enter(directory, environment)
    setup_globals()
    context = worker_context(next(iter(composed.values())))
    out, err = io.StringIO(), io.StringIO()
    with suppress(Timeout), hold(composed, patient=patient):
        jobs = run_jobs(composed, context, run_composed)
        while True:
            with redirect_stdout(out), redirect_stderr(err):
                ran = next(jobs, None)
            if ran is None:
                return
            index, result = ran
            yield index, plain(result.return_value), out.getvalue(), err.getvalue()
            for stream in (out, err):
                stream.seek(0)
                stream.truncate()
