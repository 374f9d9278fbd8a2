"""Ray, where it is installed: a cluster that runs already, or one of this machine that ends with the work."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from scar.common.machine import usable_cores
from scar.common.termination import Terminated, is_terminating

OBJECTS = 128 * 2**20
"""Bytes of shared memory of a cluster of this machine: results go through the store."""
_PATIENCE = 10.0
# Seconds that the head of a cluster has to answer.


def check_request(prefix: str, *, address: str | None, cpus: int, gpus: float, retries: int) -> None:
    """Refuse what Ray cannot be asked for.

    Args:
        prefix: of the keys, for the message.
        address: of a cluster; None for one of this machine.
        cpus: cores of a task.
        gpus: GPUs of a task.
        retries: how often a task is started again.

    Raises:
        ValueError: naming the key.
    """
    if address is not None and (not isinstance(address, str) or not address or address.startswith("ray://")):
        raise ValueError(
            f"{prefix}.address={address!r} must be null, auto or HOST:PORT; in place of ray://, start the command on a node "
            "of the cluster, e.g. by ray job submit"
        )
    for name, value, least in (("cpus", cpus, 1), ("retries", retries, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{prefix}.{name}={value!r} must be a whole number of at least {least}")
    if isinstance(gpus, bool) or not isinstance(gpus, int | float) or not gpus >= 0 or (gpus > 1 and gpus != int(gpus)):
        raise ValueError(f"{prefix}.gpus={gpus!r} must be a share of a GPU, e.g. 0.25, or a whole number")


def is_connected() -> bool:
    """Tell whether this process is connected to a cluster, as those of tasks are."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@cache
def _token() -> str:
    """Return the token of all clusters that this process starts: Ray reads it once."""
    return secrets.token_hex(32)


def _require_answer(address: str | None) -> None:
    """Refuse an address where nobody answers at once: Ray tries for minutes, and then ends the process."""
    host, _, port = (address or "").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(f"no cluster of Ray answers at address={address}: {error}") from error


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Yield the module ``ray``, connected to a cluster; one of this machine leaves nothing behind.

    Ray's reports of use are off unless ``RAY_USAGE_STATS_ENABLED`` says otherwise. The token of a cluster of this machine
    is in its environment only, not in the folder of the user.

    Args:
        address: of a cluster that runs; None starts one with the cores and GPUs that this process may use.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: there is no cluster at the address.
    """
    _require_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
    own = own if address is None and not os.environ.keys() & own.keys() else {}
    os.environ.update(own)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    quiet: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    folder = None
    try:
        import ray

        if address is None:
            folder = tempfile.mkdtemp(prefix="scar-ray-")  # short: it holds sockets
            ray.init(
                address="local",
                num_cpus=usable_cores(),
                include_dashboard=False,
                object_store_memory=OBJECTS,
                _temp_dir=folder,
                **quiet,
            )
        else:
            ray.init(address=address, **quiet)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():  # Ray's own would end the process at once
                signal.signal(number, handler)
        yield ray
    except KeyboardInterrupt:  # of Ray, in the place of ours
        if is_terminating():
            raise Terminated from None
        raise
    finally:
        if is_connected():
            ray.shutdown()
        for name in own:
            os.environ.pop(name, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def room(ray: Any, *, cpus: int, gpus: float) -> int:
    """Return how many tasks the nodes of the cluster have room for now."""
    nodes = [each["Resources"] for each in ray.nodes() if each["Alive"]]
    by_core = [int(each.get("CPU", 0) // cpus) for each in nodes]
    by_gpu = [int(each.get("GPU", 0) / gpus) if gpus else fit for each, fit in zip(nodes, by_core, strict=True)]
    return sum(map(min, by_core, by_gpu))


def is_death(ray: Any, error: BaseException) -> bool:
    """Tell whether an error of a task says that its process or node died, and not that its code failed."""
    others = (ray.exceptions.RayTaskError, ray.exceptions.TaskCancelledError)
    return isinstance(error, ray.exceptions.RayError) and not isinstance(error, others)


def inherited() -> dict[str, str]:
    """Return the environment variables that the processes of this command share, on whatever node."""
    return {name: value for name, value in os.environ.items() if name.startswith("SCAR_") or name == "WANDB_MODE"}


def thread_variables(count: int) -> dict[str, str]:
    """Return the environment variables that limit the threads of numerical libraries."""
    return {name: str(count) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def enter(directory: str, environment: Mapping[str, str]) -> None:
    """Make the process of a task like the one that the command runs in: its folder and its environment variables.

    Raises:
        FileNotFoundError: the node does not share the folder.
    """
    try:
        os.chdir(directory)
    except FileNotFoundError as error:
        node = os.uname().nodename
        raise FileNotFoundError(
            f"{directory} is not on {node}: start the command in a folder that all nodes of the cluster share"
        ) from error
    os.environ.update(environment)
    if directory not in sys.path:
        sys.path.insert(0, directory)  # classes of one's own lie beside the command
