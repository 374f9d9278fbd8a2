"""The processes of one job that a launcher has started (torchrun, srun, submitit): rank 0 leads, the others help.

Rank 0 alone reads the configuration, looks into the store, writes and logs, so that there is one tree of results, one
set of rows and one run of each logger. The others wait for functions that it calls with `everywhere`.
"""

from __future__ import annotations

import io
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_crewed = threading.Event()
PATIENCE = timedelta(days=14)
# How long a rank waits for the next call, or for the end of the others' work.


def _adopt() -> None:
    """Give the ranks of srun and submitit the names that torch knows."""
    if "RANK" in os.environ:
        return
    if os.environ.get("SUBMITIT_EXECUTOR"):
        import submitit

        if submitit.JobEnvironment().num_tasks > 1:
            submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        from pytorch_lightning.plugins.environments import SLURMEnvironment

        slurm = SLURMEnvironment()
        os.environ |= {"RANK": str(slurm.global_rank()), "LOCAL_RANK": str(slurm.local_rank())}
        os.environ |= {"WORLD_SIZE": str(slurm.world_size()), "MASTER_ADDR": slurm.main_address}
        os.environ["MASTER_PORT"] = str(slurm.main_port)


def rank() -> int:
    """Return the number of this process among those of its job."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return how many processes the job has."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def everywhere(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function on all ranks at once, with the same arguments, and return what it returns here.

    All ranks refuse bad values alike (`ValueError`). Any other failure of rank 0 may leave the others waiting for it,
    so that it ends the command; repeating the command goes on where it stopped.
    """
    if world_size() == 1:
        return function(*arguments, **named)
    _broadcast(_dump((function, arguments, named)))
    try:
        return function(*arguments, **named)
    except ValueError:
        raise
    except Exception as error:
        raise SystemExit(f"rank 0 failed in a call of all ranks: {error}") from error


@contextmanager
def crew() -> Iterator[bool]:
    """Bring the ranks of a job together: yields whether this one leads; the others have helped until the end.

    Inside a block of the same process it does nothing.
    """
    _adopt()
    if world_size() == 1 or _crewed.is_set():
        yield True
    elif rank() > 0:
        _serve()
        yield False
    else:
        _crewed.set()
        try:
            yield True
        except SystemExit as error:  # after a failure the launcher ends the others, who may not be listening
            if error.code in (0, None):
                _broadcast(pickle.dumps(None))
            raise
        else:
            _broadcast(pickle.dumps(None))
        finally:
            _crewed.clear()


def _serve() -> None:
    """Take part in the calls of rank 0 until it is through."""
    while call := pickle.loads(_broadcast(b"")):  # what rank 0 of this job has sent
        function, arguments, named = call
        with suppress(ValueError):  # rank 0 sees it too, and says so
            function(*arguments, **named)


def _broadcast(content: bytes) -> bytes:
    """Send bytes from rank 0 to all; returns them."""
    import torch
    import torch.distributed as dist

    group = _control_group()
    size = torch.tensor([len(content)])
    dist.broadcast(size, src=0, group=group)
    data = (
        torch.from_numpy(np.frombuffer(content, np.uint8).copy())
        if content
        else torch.empty(int(size), dtype=torch.uint8)
    )
    dist.broadcast(data, src=0, group=group)
    return data.numpy().tobytes()


@cache
def _control_group() -> Any:
    """Join the other ranks; Lightning uses the processes that are joined already."""
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    return dist.new_group(backend="gloo", timeout=PATIENCE)


class _Pickler(pickle.Pickler):
    """Sends a memory-mapped file by its name: the ranks share the file system, as they share the store."""

    def reducer_override(self, value: Any) -> Any:
        name = getattr(value, "filename", None)
        if isinstance(value, np.memmap) and name is not None and type(value.base).__name__ == "mmap":
            return _open_mapped, (str(name), value.dtype.str, value.shape, value.offset)
        return NotImplemented


def _open_mapped(name: str, dtype: str, shape: tuple[int, ...], offset: int) -> Any:
    return np.memmap(name, dtype=dtype, shape=shape, offset=offset, mode="r")


def _dump(value: Any) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()
