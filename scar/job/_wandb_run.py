"""Starting a run of Weights & Biases: offline it is complete in its own folder, online it goes on where it was.

A logger never stops the science: what it cannot do is a warning, and a run that cannot be online is offline.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

from scar.common.console import errors, escape

MODES = {name: name for name in ("online", "offline", "disabled")} | {"run": "online", "dryrun": "offline"}
"""Values of ``WANDB_MODE``, the old ones too."""
SECONDS = 15
"""That the server may take to answer."""
DATA_DIR = "WANDB_DATA_DIR"
"""Variable that says where wandb keeps copies of what it will upload."""
REPORTING = "WANDB_ERROR_REPORTING"
"""Variable that says whether wandb counts runs and errors at its server, which it does for offline runs too."""
SERVICE = "WANDB_SERVICE"
"""Variable by which wandb leaves to child processes the service that writes its runs; the second field is whose it is."""


def wandb_mode(configured: str) -> str:
    """Return how runs are logged: as configured, unless ``WANDB_MODE`` or ``WANDB_DISABLED`` say otherwise.

    What is configured as disabled stays so.
    """
    if configured == "disabled" or os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1", "yes"):
        return "disabled"
    return MODES.get(os.environ.get("WANDB_MODE", "").lower(), configured)


def give_up_online(reason: object) -> None:
    """Let this process and those that it starts log offline, and say so once."""
    os.environ["WANDB_MODE"] = "offline"
    errors().print(
        f"[yellow]W&B[/] cannot be reached ({escape(str(reason).splitlines()[0] if str(reason) else type(reason).__name__)}): "
        "this and later runs are offline"
    )


def check_connection(configured: str) -> None:
    """Give up online runs before the first of them, where the server does not answer: one try for all jobs.

    Args:
        configured: mode of the loggers.
    """
    address = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    if wandb_mode(configured) != "online" or getproxies().get(address.scheme):
        return
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        with socket.create_connection((address.hostname or "", port), timeout=SECONDS):
            return
    except OSError as error:
        give_up_online(error)


@contextmanager
def spared(what: str) -> Iterator[None]:
    """Turn a failure of the logger into a warning: the results of the job are complete without it."""
    try:
        yield
    except Exception as error:
        _warn(what, error)


def _warn(what: str, error: Exception) -> None:
    errors().print(f"[yellow]W&B[/] {what} failed ({type(error).__name__}: {escape(error)}); results are not affected")


def open_run(folder: Path, *, mode: str, **about: Any) -> Any:
    """Start a run and return it; None where there is to be none, or none can be had.

    Online, a run with this id is resumed. Offline, an earlier run with this id in the same folder that was not synced is
    replaced, so that nothing is uploaded twice. Under an agent of a W&B sweep the agent's id stands.

    Args:
        folder: the run lies in ``<folder>/wandb``.
        mode: ``"offline"``, ``"online"`` or ``"disabled"``, see `wandb_mode`.
        about: of `_start`.
    """
    chosen = wandb_mode(mode)
    if chosen == "online":
        try:
            return _start(folder, mode=chosen, **about)
        except Exception as error:
            give_up_online(error)
            chosen = "offline"
    if chosen == "disabled":
        return None
    try:
        return _start(folder, mode=chosen, **about)
    except Exception as error:
        _warn("logging", error)
        return None


def _start(
    folder: Path,
    *,
    mode: str,
    project: str,
    run_id: str,
    name: str,
    group: str,
    kind: str,
    tags: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    system: bool = False,
) -> Any:
    """Start a run.

    Args:
        folder: that the run lies in.
        mode: ``"offline"`` or ``"online"``.
        project: of Weights & Biases.
        run_id: what makes the run the same one when it is repeated.
        name: of the run.
        group: of the run.
        kind: job type of the run.
        tags: of the run.
        settings: its configuration.
        system: record the load of the machine.
    """
    _find_home(folder)
    if mode == "offline":
        os.environ.setdefault(REPORTING, "false")
    import wandb
    import wandb.apis.public  # `wandb.init` does too, from so deep that to find the docstrings of its classes takes 0.2 s more

    _leave_other_service()
    identifier = safe_id(run_id)
    if mode == "offline":
        _remove_unsynced(folder, identifier)
    return wandb.init(
        project=project,
        dir=folder,
        id=None if os.environ.get("WANDB_SWEEP_ID") else identifier,
        name=name,
        group=group,
        job_type=kind,
        tags=[tag[:64] for tag in tags],
        config=dict(settings or {}),
        mode=cast(Any, mode),
        resume="allow" if mode == "online" else None,
        reinit="finish_previous",
        settings=wandb.Settings(
            silent=True, console="off", x_disable_stats=not system, x_disable_meta=not system, init_timeout=SECONDS
        ),
    )


def safe_id(text: str) -> str:
    """Return what wandb takes for an id: at most 64 letters, digits, ``-`` and ``_``; the end is kept."""
    return re.sub(r"[^\w-]", "-", text)[-64:]


@contextmanager
def staged(run: Any) -> Iterator[None]:
    """Keep copies of what an offline run will upload in its own folder; what the user has chosen stays."""
    if not run.offline or DATA_DIR in os.environ:
        yield
        return
    os.environ[DATA_DIR] = str(Path(run.dir).absolute().parent)
    try:
        yield
    finally:
        del os.environ[DATA_DIR]


def _remove_unsynced(folder: Path, identifier: str) -> None:
    for run in folder.glob(f"wandb/offline-run-*-{identifier}"):
        if not any(run.glob("*.wandb.synced")):
            shutil.rmtree(run)


def _leave_other_service() -> None:
    """Let this process start a service of its own.

    One that it has inherited outlives it: it holds the run of a process that was killed, and refuses the run that replaces it.
    """
    if os.environ.get(SERVICE, "").split("-")[1:2] != [str(os.getpid())]:
        os.environ.pop(SERVICE, None)


def _find_home(folder: Path) -> None:
    """Give wandb folders of its own where there is no home to write to; what the user has chosen stays."""
    try:
        home: Path | None = Path.home()
    except RuntimeError:
        home = None
    if home is None or not os.access(home, os.W_OK):
        for purpose in ("CONFIG", "CACHE", "DATA", "ARTIFACT"):
            os.environ.setdefault(f"WANDB_{purpose}_DIR", str(folder.absolute() / "wandb"))
