"""Starting a run of Weights & Biases: offline it is complete in its own folder, online it goes on where it was."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

DATA_DIR = "WANDB_DATA_DIR"
"""Variable that says where wandb keeps copies of what it will upload."""


def open_run(
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
) -> Any:
    """Start a run and return it.

    Online, a run with this id is resumed. Offline, an earlier run with this id in the same folder that was not synced is
    replaced, so that nothing is uploaded twice. Under an agent of a W&B sweep the agent's id stands.

    Args:
        folder: the run lies in ``<folder>/wandb``.
        mode: ``"offline"`` or ``"online"``.
        project: of Weights & Biases.
        run_id: what makes the run the same one when it is repeated.
        name: of the run.
        group: of the run.
        kind: job type of the run.
        tags: of the run.
        settings: its configuration.
    """
    _find_home(folder)
    import wandb

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
        settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
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


def _find_home(folder: Path) -> None:
    """Give wandb folders of its own where there is no home to write to; what the user has chosen stays."""
    try:
        home: Path | None = Path.home()
    except RuntimeError:
        home = None
    if home is None or not os.access(home, os.W_OK):
        for purpose in ("CONFIG", "CACHE", "DATA", "ARTIFACT"):
            os.environ.setdefault(f"WANDB_{purpose}_DIR", str(folder.absolute() / "wandb"))
