"""Train many probes with one call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from scar.common.machine import chosen_accelerator, usable_cores
from scar.probes._row_memory import room_bytes
from scar.probes._shared_features import Features
from scar.probes.module import ProbeBank, Progress
from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig, penalty_of_subset

if TYPE_CHECKING:
    from pytorch_lightning import Callback
    from pytorch_lightning.loggers import Logger

_RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


def train_probes(
    features: NDArray[np.float32],
    labels: NDArray[Any],
    tasks: Sequence[ProbeTask],
    *,
    num_classes: int,
    config: ProbeConfig | None = None,
    trainer: TrainerConfig | None = None,
    progress: Progress | None = None,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
) -> ProbeSet:
    """Train one linear probe per task.

    A probe depends on its task and the config alone: not on the other tasks, their order, threads or
    processes.

    Args:
        features: [N, D] finite float32 values; may be memory-mapped.
        labels: [N] classes in 0..K-1, -1 for rows of no task; or [N, K] of 0 and 1 where a row carries any number of labels, each of which is
            then a decision of its own (`scar.probes.losses`).
        tasks: rows to train and validate on, and a seed, for each probe.
        num_classes: K.
        config: how; `ProbeConfig()` by default.
        trainer: on what; `TrainerConfig()` by default.
        progress: called after every epoch, see `Progress`; not under ``ddp_spawn``.
        loggers: of Lightning; they see how many probes are in work.
        callbacks: of Lightning.

    Returns:
        The probes in the order of the tasks; on every rank under ``ddp``.

    Raises:
        ValueError: for features that are not finite float32 [N, D], labels or rows out of range, an empty
            part, and weights that did not stay finite.
    """
    config, trainer = config or ProbeConfig(), trainer or TrainerConfig()
    labels = _checked_labels(labels, len(features), num_classes)
    if labels.ndim == 2 and config.monitor == "train_accuracy":
        raise ValueError(
            "probe.monitor=train_accuracy takes one class per row; with several labels use validation_loss"
        )
    tasks = [_checked_task(task, index, labels, config) for index, task in enumerate(tasks)]
    if not tasks:
        raise ValueError("tasks is empty: there is no probe to train")
    spawned = trainer.strategy == "ddp_spawn" and trainer.devices > 1
    threads = max(1, (trainer.threads or usable_cores()) // trainer.devices)
    bank = ProbeBank(
        Features(features, (rows for task in tasks for rows in (task.train, task.validation))),
        labels,
        tasks,
        num_classes=num_classes,
        config=config,
        threads=threads,
        memory=_memory(trainer, max(threads, 2) * room_bytes(len(features), features.shape[1] + 1)),
        progress=None if spawned else progress,
    )
    with _settings(config), closing(bank):
        if _is_plain(trainer) and not (loggers or callbacks):
            bank.alone()
        else:
            from scar.probes.lightning import fit  # seconds to import, which small data need not wait for

            with tempfile.TemporaryDirectory() as folder:
                fit(bank, trainer, folder, loggers, callbacks)
    probes = bank.probe_set()
    broken = np.flatnonzero(~np.isfinite(probes.weights).all(axis=(1, 2)))
    if len(broken):
        raise ValueError(
            f"probe {broken[0]} has weights that are not finite; lower "
            f"probe.learning_rate={config.learning_rate}, or set probe.scaling=standard"
        )
    return probes


def share_penalty(
    features: NDArray[np.float32],
    labels: NDArray[Any],
    tasks: Sequence[ProbeTask],
    *,
    num_classes: int,
    config: ProbeConfig,
    trainer: TrainerConfig | None = None,
) -> list[ProbeTask]:
    """Return the tasks with the penalty that suits the first of them, where the config chooses once for all.

    Args:
        features: [N, D].
        labels: as in `train_probes`.
        tasks: the first one trains on the whole set, the others on parts of it (`penalty_of_subset`).
        num_classes: K.
        config: tasks of one that does not choose once (`ProbeConfig.chooses_once`) are returned as they are.
        trainer: on what.
    """
    if not config.chooses_once:
        return list(tasks)
    rough, whole = config.for_choice, len(tasks[0].train)
    chosen = train_probes(features, labels, tasks[:1], num_classes=num_classes, config=rough, trainer=trainer)
    best = float(chosen.penalty[0])
    return [replace(t, penalty=penalty_of_subset(best, whole=whole, size=len(t.train))) for t in tasks]


def _checked_labels(labels: NDArray[Any], count: int, num_classes: int) -> NDArray[Any]:
    if labels.ndim == 2:
        if labels.shape != (count, num_classes) or not np.isin(labels, (0, 1)).all():
            raise ValueError(f"labels of shape {labels.shape} must be [{count}, {num_classes}] of 0 and 1")
        return np.ascontiguousarray(labels, dtype=np.uint8)
    labels = np.ascontiguousarray(labels, dtype=np.int64)
    if labels.shape != (count,):
        raise ValueError(f"labels of shape {labels.shape} do not fit {count} rows of features")
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a probe needs at least 2 classes")
    outside = np.flatnonzero((labels < -1) | (labels >= num_classes))
    if len(outside):
        raise ValueError(f"labels[{outside[0]}]={labels[outside[0]]} lies outside 0..{num_classes - 1}")
    return labels


def _checked_task(task: ProbeTask, index: int, labels: NDArray[Any], config: ProbeConfig) -> ProbeTask:
    parts, count = {}, len(labels)
    for name in ("train", "validation"):
        rows = parts[name] = np.ascontiguousarray(getattr(task, name), dtype=np.int64)
        if rows.ndim != 1 or (len(rows) and not (rows.min() >= 0 and rows.max() < count)):
            raise ValueError(f"tasks[{index}].{name} must be a list of rows in 0..{count - 1}")
        if labels.ndim == 1 and (unlabelled := rows[labels[rows] < 0]).size:
            raise ValueError(f"tasks[{index}].{name} holds row {unlabelled[0]}, which has no label")
        if not len(rows) and (name == "train" or (config.needs_validation and task.penalty is None)):
            raise ValueError(f"tasks[{index}].{name} is empty; probe={config.name} cannot do without")
    if task.penalty is not None and not (config.solver == "lbfgs" and task.penalty > 0):
        raise ValueError(
            f"tasks[{index}].penalty={task.penalty} must be above 0 and goes with probe.solver=lbfgs alone"
        )
    return ProbeTask(**parts, seed=task.seed, penalty=task.penalty)


def _memory(trainer: TrainerConfig, wanted: int) -> int:
    """Return the bytes that the training rows in work may take in this process."""
    if trainer.memory_gib is not None:
        return int(trainer.memory_gib * 2**30)
    if trainer.accelerator != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory // 2
    return min(wanted, _available_memory() // 2 // trainer.devices)


def _available_memory() -> int:
    """Bytes of memory that are free or could be freed."""
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return 1024 * int(fields["MemAvailable"].split()[0])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _is_plain(trainer: TrainerConfig) -> bool:
    """Tell whether one process on a CPU trains all probes, so that nothing is left for Lightning to do."""
    return trainer.devices * trainer.num_nodes == 1 and chosen_accelerator(trainer.accelerator) == "cpu"


@contextmanager
def _settings(config: ProbeConfig) -> Iterator[None]:
    """One thread per product, the asked precision; everything as before afterwards."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    before = {name: os.environ.get(name) for name in _RENDEZVOUS}
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
