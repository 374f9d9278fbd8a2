"""What a run will cost before it is started: samples, bytes, hours, disk, memory, and the command for one node, SLURM and Ray."""

from __future__ import annotations

import math
import shlex
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException

from scar.commands._findings import print_findings
from scar.common.console import console, escape
from scar.common.extras import told
from scar.common.memory import peak_memory
from scar.config.build import build
from scar.data.paths import data_folder
from scar.sweep.hydra_internals import packaged_configuration

if TYPE_CHECKING:
    from scar.data.samples import Samples
    from scar.data.source import Source
    from scar.job.costs import CostEstimate

_TIMED = 4000
# Samples of the training that is timed.
_CORES = 8
# Of a task on SLURM and Ray, as conf/hydra/launcher/scar_slurm.yaml asks for.
_FEW = 100_000


def cost(overrides: Sequence[str], *, data_dir: str | None, samples: int | None = None, as_json: bool = False) -> int:
    """Print what a run will cost; returns the exit code: 0 where that can be said, else 1.

    Args:
        overrides: as those of ``scar``.
        data_dir: of fetched data.
        samples: as if the dataset had so many; None for those that it has.
        as_json: print one JSON object.
    """
    try:
        if samples is not None and samples < 1:
            raise ValueError(f"--samples {samples} must be at least 1")
        found = examine_cost(overrides, data_folder(data_dir), samples)
    except (OSError, ValueError, RuntimeError, ImportError, HydraException) as error:
        found = {"ok": False, "error": told(error)}
    return print_findings(found, _show, as_json=as_json)


def examine_cost(overrides: Sequence[str], data_dir: Path, samples: int | None) -> dict[str, Any]:
    """Return everything that the command says, as plain values; hours are those of one core, or of the GPU here.

    Raises:
        ValueError: the data, or the overrides, are refused; the message says why.
        FileNotFoundError: the data, or the weights of the encoder, are not there.
    """
    from scar.job.costs import estimate, measured_encoder, unit_costs

    with packaged_configuration() as compose:
        config = build(compose("config", list(overrides)))
    if config.task is not None:
        raise ValueError(
            f"task={config.task} is a study with a loop of its own; ask for one of its datasets and encoders"
        )
    with peak_memory() as peak:  # a process with its libraries, which has embedded and trained
        loaded, held = _loaded(config.dataset, data_dir)
        read = sum(file.stat().st_size for file in config.dataset.files(data_dir) if file.is_file())
        towers = config.encoder.towers()
        modalities = sorted(config.modalities, key=lambda each: each != config.probed)
        encoders = [measured_encoder(towers[each], loaded) for each in modalities]
        units = unit_costs(accelerator=config.trainer.accelerator, samples=_TIMED)
        own = peak()
    count = samples or len(loaded)
    classes = max(1, len(loaded.class_names))
    found = estimate(units, encoders, config.subsets, config.probe, samples=count, classes=classes, held=held)
    return {
        "ok": True,
        "dataset": config.dataset.name,
        "encoder": config.encoder.name,
        "samples": count,
        "classes": classes,
        "source_bytes": round(read * count / len(loaded)),
        "device": units.device,
        "solver": config.probe.solver,
        **asdict(found),
        "disk_bytes": found.embedding_bytes + 2 * found.probe_bytes,
        "memory_bytes": found.memory_bytes + own,
        "units": {**asdict(units), "encoders": {each: asdict(c) for each, c in zip(modalities, encoders, strict=True)}},
        "commands": _commands(overrides, found, own),
    }


def _loaded(source: Source, data_dir: Path) -> tuple[Samples, float]:
    """Return the samples, and the bytes that one of them takes at the peak of their reading."""
    for again in (True, False):  # few are read twice: what is imported the first time is not theirs
        tracemalloc.start()
        try:
            samples = source.load(data_dir)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if not again or len(samples) > _FEW:
            break
    if not len(samples):
        raise ValueError(f"dataset={source.name} has no samples")
    return samples, peak / len(samples)


def _commands(overrides: Sequence[str], found: CostEstimate, own: int) -> dict[str, str]:
    """Return how to start the run where; a task of SLURM is given twice the time that its cores need.

    On Ray, one job shares out its embeddings, and a sweep its jobs, whose tasks share the embeddings that they need.
    """
    hours = found.embedding_hours + found.hashing_hours + found.written_hours + 2 * found.training_hours
    minutes = max(30, math.ceil(120 * hours / _CORES))
    memory = 1 + math.ceil((found.memory_bytes + own) / 2**30)
    slurm = [
        f"hydra.launcher.{name}" for name in (f"timeout_min={minutes}", f"cpus_per_task={_CORES}", f"mem_gb={memory}")
    ]
    ray = ["hydra.launcher.address=auto", f"hydra.launcher.cpus={_CORES}"]
    extraction = ["extraction=ray", "extraction.address=auto", f"extraction.cpus={_CORES}"]
    return {
        "one node": shlex.join(["scar", *overrides]),
        "slurm": shlex.join(["scar", "-m", "hydra/launcher=scar_slurm", *slurm, *overrides]),
        "ray": shlex.join(["scar", *overrides, *extraction]),
        "ray sweep": shlex.join(["scar", "-m", "hydra/launcher=scar_ray", *ray, *overrides]),
    }


def _show(found: dict[str, Any]) -> None:
    def say(name: str, text: str) -> None:
        console().print(f"[bold]{name:<12}[/]{escape(text)}")

    device = found["device"]
    passes = "at most" if found["solver"] == "adam" else "and a choice of the penalty (16 to 330 were seen)"
    say(
        "dataset",
        f"{found['dataset']}: {found['samples']:,} samples, {found['classes']:,} classes, {_bytes(found['source_bytes'])}",
    )
    say("embedding", f"{_time(found['embedding_hours'])} through {found['encoder']} (measured on some samples)")
    say(
        "training",
        f"{_time(found['training_hours'])} of a {device}: {found['probes']} probes on one training set, {found['passes']} passes {passes}",
    )
    say("hashing", f"{_time(found['hashing_hours'])}, written in {_time(found['written_hours'])}")
    say(
        "disk",
        f"{_bytes(found['disk_bytes'])}: embeddings in {found['shards']:,} shard(s), and weights of two training sets",
    )
    say("memory", f"{_bytes(found['memory_bytes'])} of a process")
    for name, command in found["commands"].items():
        say(name, command)


def _bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:,.1f} TiB"


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} hours"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.1f} s"
