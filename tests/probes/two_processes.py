"""Run by test_distributed.py: train the same probes in one process and in two, and save both."""

import os
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

import scar  # noqa: F401
from scar.probes import ProbeConfig, ProbeSet, ProbeTask, TrainerConfig, train_probes


def save(probes: ProbeSet, path: Path) -> None:
    np.savez(path, **{f.name: getattr(probes, f.name) for f in fields(probes)})


def main(strategy: str, folder: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 1500)
    x = (rng.normal(size=(5, 30))[y] * 0.3 + rng.normal(size=(1500, 30))).astype(np.float32)
    sizes = (900, 100, 333, 700, 501)
    tasks = [ProbeTask(rng.permutation(1000)[:n], np.arange(1000, 1300), n) for n in sizes]
    config = ProbeConfig(batch_size=100, max_epochs=20)
    rank = os.environ.get("RANK")
    suffix = "" if rank is None else f"-rank{rank}"
    if rank in (None, "0"):
        np.save(folder / f"x{suffix}.npy", x)
    alone = TrainerConfig(accelerator="cpu", threads=2)
    two = replace(alone, devices=2, strategy=strategy)
    if rank is None:
        save(train_probes(x, y, tasks, num_classes=5, config=config, trainer=alone), folder / "one.npz")
    save(train_probes(x, y, tasks, num_classes=5, config=config, trainer=two), folder / f"array{suffix}.npz")
    mapped = np.load(next(folder.glob("x*.npy")), mmap_mode="r")
    probes = train_probes(mapped, y, tasks, num_classes=5, config=config, trainer=two)
    save(probes, folder / f"memory-mapped{suffix}.npz")
    if rank == "0":
        os.environ.pop("TORCHELASTIC_RUN_ID")
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            os.environ.pop(name)
        save(train_probes(x, y, tasks, num_classes=5, config=config, trainer=alone), folder / "one.npz")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
