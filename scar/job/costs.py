"""What a job will cost, from unit costs that are measured here: time, disk and memory, before anything is paid for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.files import CorruptArtefactError, checksum
from scar.common.machine import chosen_accelerator
from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.samples import Samples, take_items
from scar.encoders.embeddings.cost import COST, read_cost
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import SHARD
from scar.encoders.encoder import Encoder
from scar.probes.settings import ProbeConfig
from scar.sampling.subsets import SubsetsConfig
from scar.store.artefact import read_meta

LBFGS_PASSES = 35
"""Passes over its rows until a probe of `probe=converged` is at its optimum, at a penalty that is given.

The mean over the 83 probes of a plan, weighted by their rows: 31 on 8 000 embeddings of EfficientNet-Lite0 (10 classes), 18 on
as many by TF-IDF (24 classes), 28 on digits, 76 on 6 000 images of raw pixels.
"""
_CHOICE = 2
# Passes of a choice among all penalties, as a multiple of those at one of them: 1.9 to 3.3 in the same four measurements.
_DIMENSION = 768
_TRIED = 64
# Samples that go through an encoder to measure it.


@dataclass(frozen=True)
class UnitCosts:
    """What one core of this machine does, or its GPU where `device` is ``"GPU"`` (training only).

    Attributes:
        hashed: bytes per second.
        written: bytes of a shard per second.
        trained: samples · dimensions · classes of a pass, per second.
    """

    hashed: float
    written: float
    trained: float
    device: str = "core"


@dataclass(frozen=True)
class EncoderCost:
    """What an encoder costs.

    Attributes:
        seconds: per sample; of a core, or of the GPU that it ran on. What the store says are those of a process.
        dimension: D of its embeddings.
        rows: embeddings per sample: more than one where samples have several captions.
    """

    seconds: float
    dimension: int
    rows: float = 1.0


@dataclass(frozen=True)
class CostEstimate:
    """What the embeddings of a dataset and the probes of one training set cost.

    Attributes:
        embedding_bytes: of all embeddings.
        shards: files that they lie in.
        embedding_hours: of reading, decoding and embedding, by one core or GPU.
        hashing_hours: of their checksums, by one core.
        probes: of the training set.
        probe_bytes: of their weights.
        written_hours: of the embeddings to disk.
        passes: over the rows of each probe: at most for Adam, about so many for L-BFGS.
        training_hours: of the probes, by one core or GPU, and of the choice of their penalty.
        memory_bytes: that the samples take while they are read; embeddings are mapped.
    """

    embedding_bytes: int
    shards: int
    embedding_hours: float
    hashing_hours: float
    probes: int
    probe_bytes: int
    written_hours: float
    passes: int
    training_hours: float
    memory_bytes: int


def estimate(
    units: UnitCosts,
    encoders: Sequence[EncoderCost],
    subsets: SubsetsConfig,
    probe: ProbeConfig,
    *,
    samples: int,
    classes: int,
    held: float = 0.0,
) -> CostEstimate:
    """Return what follows from unit costs; every one of them counts in proportion.

    Args:
        units: of the machine.
        encoders: of each modality, that which the probes see first.
        subsets: plan of the probes.
        probe: how they are trained.
        samples: N of the dataset.
        classes: K of the dataset; 1 where there are none yet.
        held: bytes that the catalogue of a sample takes.
    """
    probes, share = plan_size(subsets)
    dimension = encoders[0].dimension
    passes = _passes(probe)
    work = passes * share + (_CHOICE * LBFGS_PASSES if probe.chooses_once else 0)
    shards = [-(-int(each.rows * samples) // SHARD) for each in encoders]
    sizes = [int(4 * each.dimension * each.rows * samples) for each in encoders]
    return CostEstimate(
        embedding_bytes=sum(sizes),
        shards=sum(shards),
        embedding_hours=sum(each.seconds for each in encoders) * samples / 3600,
        hashing_hours=sum(sizes) / units.hashed / 3600,
        probes=probes,
        probe_bytes=4 * (dimension + 1) * classes * probes,
        written_hours=sum(sizes) / units.written / 3600,
        passes=passes,
        training_hours=samples * dimension * classes * work / units.trained / 3600,
        memory_bytes=int(held * samples),
    )


def _passes(probe: ProbeConfig) -> int:
    """Return the passes over the rows of a probe."""
    if probe.solver == "adam":
        return probe.max_epochs
    choosing = len(probe.penalties) > 1 and not probe.chooses_once
    return min(LBFGS_PASSES * (_CHOICE if choosing else 1), probe.max_epochs * len(probe.penalties))


def plan_size(plan: SubsetsConfig) -> tuple[int, float]:
    """Return how many probes a plan has, and the rows of them all as a multiple of the rows of the data."""
    parts = [(factor, min(factor, plan.max_parts or factor)) for factor in plan.factors]
    return sum(count for _, count in parts), sum(count / factor for factor, count in parts)


def unit_costs(*, accelerator: str = "cpu", samples: int = 20_000) -> UnitCosts:
    """Measure what this machine does in a second, the best of three.

    Args:
        accelerator: that probes train on.
        samples: of the training that is timed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, shard = Path(folder) / "shard.npy", np.ones((SHARD, _DIMENSION), np.float32)
        written = shard.nbytes / _least(lambda: np.save(path, shard))
        hashed = shard.nbytes / _least(lambda: checksum(path))
    device = "GPU" if chosen_accelerator(accelerator) == "cuda" else "core"
    return UnitCosts(hashed, written, _training_rate(accelerator, samples), device)


def _training_rate(accelerator: str, samples: int, classes: int = 100, epochs: int = 3) -> float:
    """Time a probe over some epochs more than one, so that what a training costs beyond its epochs drops out."""
    import torch

    from scar.probes.probe_set import ProbeTask
    from scar.probes.settings import TrainerConfig
    from scar.probes.train import train_probes

    rng = generator(0, "costs")
    features = rng.normal(size=(samples, _DIMENSION)).astype(np.float32)
    labels = rng.integers(0, classes, samples)
    task = ProbeTask(train=np.arange(samples - 500), validation=np.arange(samples - 500, samples), seed=0)
    trainer = TrainerConfig(accelerator=accelerator, threads=1)

    def train(count: int) -> None:
        config = ProbeConfig.linear(max_epochs=count, patience=count)
        train_probes(features, labels, [task], num_classes=classes, config=config, trainer=trainer)

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(1)
        epoch = (_least(lambda: train(1 + epochs)) - _least(lambda: train(1))) / epochs
    finally:
        torch.set_num_threads(before)
    return samples * _DIMENSION * classes / max(epoch, 1e-9)


def _least(work: Callable[[], object]) -> float:
    timings = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        timings.append(time.perf_counter() - start)
    return min(timings)


def measured_encoder(encoder: Encoder, samples: Samples) -> EncoderCost:
    """Embed some samples of a dataset and return what one costs, reading and decoding included.

    On a CPU it is processor time, over all threads; on a GPU it is time.

    Args:
        encoder: of the modality that is embedded.
        samples: drawn from.
    """
    rows = np.sort(generator(0, "costs").permutation(len(samples))[:_TRIED])
    payloads = samples.payloads[encoder.modality]
    embed = encoder.fit(take_items(payloads, rows)) if encoder.learns else encoder.open()
    clock = time.perf_counter if chosen_accelerator("auto") == "cuda" else time.process_time
    first = embed(_flat(payloads, rows[:1]))  # compiles, and asks for memory
    start, count = clock(), 0
    for begin in range(0, len(rows), encoder.batch_size):
        items = _flat(payloads, rows[begin : begin + encoder.batch_size])
        embed(items)
        count += len(items)
    return EncoderCost((clock() - start) / len(rows), int(first.shape[1]), count / len(rows))


def _flat(payloads: Sequence[Any], rows: Ints) -> list[Any]:
    """Return the items of some samples, of several captions each."""
    items = [payloads[row] for row in rows]
    return [each for item in items for each in (item if isinstance(item, tuple | list) else (item,))]


def stored_encoder(encoder: Encoder, store: Path) -> EncoderCost | None:
    """Return what an encoder has cost before, whatever the dataset; None where the store has nothing of it."""
    for folder in sorted((store / "embeddings").glob("*"), reverse=True):
        try:
            if read_meta(folder)["about"].get("encoder") != encoder.name or not (folder / COST).is_file():
                continue
            cost = read_cost(folder)
            dimension = EmbeddingSet.load(folder).dimension
        except (CorruptArtefactError, OSError, ValueError, KeyError):
            continue
        if cost["embedded"]:
            return EncoderCost(cost["seconds"] / cost["embedded"], dimension)
    return None
