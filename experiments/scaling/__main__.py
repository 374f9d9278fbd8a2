"""Unit costs of this machine, and what they mean for large datasets: ``python -m experiments.scaling``."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.common.files import checksum
from scar.encoders.embeddings.extraction import SHARD
from scar.sampling.subsets import SubsetsConfig

DIMENSION = 768
PLANS = (SubsetsConfig(name="paper"), SubsetsConfig(name="quick", factors=(1, 2, 4, 8), max_parts=3))
EPOCHS = 100
# Passes of a probe over its rows, at most.


@dataclass(frozen=True)
class Size:
    """A dataset."""

    name: str
    samples: int
    classes: int


SIZES = (
    Size("ImageNet-1k", 1_281_167, 1000),
    Size("ImageNet-21k", 14_197_122, 21_841),
    Size("LAION-400M", 400_000_000, 1000),
)


def seconds(work: Callable[[], object]) -> float:
    """Return the least of three timings."""
    timings = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        timings.append(time.perf_counter() - start)
    return min(timings)


def unit_costs() -> dict[str, float]:
    """Measure, per second: bytes hashed, bytes of a shard written, sample · dimension · class of an epoch."""
    import torch

    from scar.probes.probe_set import ProbeTask
    from scar.probes.settings import ProbeConfig, TrainerConfig
    from scar.probes.train import train_probes

    with tempfile.TemporaryDirectory() as folder:
        path, shard = Path(folder) / "shard.npy", np.ones((SHARD, DIMENSION), np.float32)
        written = shard.nbytes / seconds(lambda: np.save(path, shard))
        hashed = shard.nbytes / seconds(lambda: checksum(path))
    samples, classes, epochs = 20_000, 100, 3
    rng = np.random.default_rng(0)
    features = rng.normal(size=(samples, DIMENSION)).astype(np.float32)
    labels = rng.integers(0, classes, samples)
    task = ProbeTask(train=np.arange(samples - 500), validation=np.arange(samples - 500, samples), seed=0)

    def train(count: int) -> None:
        config = ProbeConfig.linear(max_epochs=count, patience=count)
        train_probes(
            features,
            labels,
            [task],
            num_classes=classes,
            config=config,
            trainer=TrainerConfig(accelerator="cpu", threads=1),
        )

    torch.set_num_threads(1)
    train(1)
    epoch = (seconds(lambda: train(1 + epochs)) - seconds(lambda: train(1))) / epochs
    return {"hashed": hashed, "written": written, "trained": samples * DIMENSION * classes / epoch}


def plan_size(plan: SubsetsConfig) -> tuple[int, float]:
    """Return how many probes a plan has, and the rows of them all as a multiple of the rows of the data."""
    parts = [(factor, min(factor, plan.max_parts or factor)) for factor in plan.factors]
    return sum(count for _, count in parts), sum(count / factor for factor, count in parts)


def main() -> None:
    """Print the unit costs and, for each size, what follows from them for one encoder and one seed."""
    costs = unit_costs()
    print(f"load average {os.getloadavg()[0]:.1f}; one core")
    print(f"hashed {costs['hashed'] / 1e6:,.0f} MB/s, written {costs['written'] / 1e6:,.0f} MB/s")
    print(f"trained {costs['trained'] / 1e9:.2f} G sample·dimension·class/s (one probe, one core)")
    for size in SIZES:
        embeddings = 4 * DIMENSION * size.samples
        work = size.samples * DIMENSION * size.classes * EPOCHS
        hours = [work * plan_size(plan)[1] / costs["trained"] / 3600 for plan in PLANS]
        probes = [plan_size(plan)[0] for plan in PLANS]
        print(f"{size.name}: {size.samples:,} samples, {size.classes:,} classes")
        print(f"  embeddings {embeddings / 1e9:,.1f} GB in {-(-size.samples // SHARD):,} shards, hashed in")
        print(f"  {embeddings / costs['hashed'] / 60:.1f} min, written in {embeddings / costs['written'] / 60:.1f} min")
        print(f"  weights of {probes[0]} probes {4 * DIMENSION * size.classes * probes[0] / 1e9:.2f} GB")
        for plan, each, count in zip(PLANS, hours, probes, strict=True):
            print(f"  subsets={plan.name}: {count} probes, {EPOCHS} epochs: {each:,.0f} core hours")


if __name__ == "__main__":
    main()
