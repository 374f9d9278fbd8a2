"""Run by test_probe_processes.py: train the same probes in two processes, and save them."""

import os
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

import scar  # noqa: F401  (its import hook comes before torch's companions)
from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes


def train(trainer: TrainerConfig) -> ProbeSet:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 1500)
    x = (rng.normal(size=(5, 30))[y] * 0.3 + rng.normal(size=(1500, 30))).astype(np.float32)
    sizes = (900, 100, 333, 700, 501)
    tasks = [ProbeTask(rng.permutation(1000)[:n], np.arange(1000, 1300), n) for n in sizes]
    config = ProbeConfig.linear(batch_size=100, max_epochs=20)
    return train_probes(x, y, tasks, num_classes=5, config=config, trainer=trainer)


if __name__ == "__main__":
    probes = train(TrainerConfig(accelerator="cpu", threads=2, devices=2, strategy=sys.argv[1]))
    arrays = {field.name: getattr(probes, field.name) for field in fields(probes)}
    np.savez(Path(sys.argv[2]) / f"rank{os.environ.get('RANK', 0)}.npz", **arrays)
