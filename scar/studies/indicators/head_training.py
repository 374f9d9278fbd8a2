"""Training of heads on frozen features: many linear probes at once, or a small MLP each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from scar.common.randomness import derive_seed
from scar.common.types import Floats32
from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes
from scar.studies.indicators.heads import HeadTask, Logits

HIDDEN, BATCH, RATE = 128, 500, 1e-3
"""Hidden units (ReLU), samples in a step and learning rate (Adam) of the MLP."""
LEAST_SPREAD = 0.05
"""Least standard deviation by which a feature is divided, as a share of the mean one: few samples may hardly differ in it."""


@dataclass(frozen=True, eq=False)
class LinearHead:
    """One probe of a bank.

    Attributes:
        probes: a set of one.
    """

    probes: ProbeSet

    def __call__(self, x: Floats32) -> Floats32:
        """Return the logits [n, C] of raw features [n, D]."""
        return self.probes.logits(0, x)


def train_linear(
    features: Floats32, tasks: Sequence[HeadTask], *, config: ProbeConfig, trainer: TrainerConfig
) -> list[LinearHead]:
    """Train a linear probe per task; tasks that have their classes in common are trained together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, task in enumerate(tasks):
        groups.setdefault(tuple(task.classes.tolist()), []).append(index)
    heads: dict[int, LinearHead] = {}
    for classes, members in groups.items():
        labels = np.zeros(len(features), np.int64)
        for task in (tasks[index] for index in members):
            labels[task.rows] = np.searchsorted(task.classes, task.labels)
            labels[task.validation] = np.searchsorted(task.classes, task.validation_labels)
        bank = [ProbeTask(tasks[i].rows, tasks[i].validation, tasks[i].seed) for i in members]
        probes = train_probes(features, labels, bank, num_classes=len(classes), config=config, trainer=trainer)
        heads |= {index: LinearHead(probes.select([p])) for p, index in enumerate(members)}
    return [heads[index] for index in range(len(tasks))]


def train_mlp(features: Floats32, tasks: Sequence[HeadTask], *, max_epochs: int, patience: int) -> list[Logits]:
    """Train a network with one hidden layer per task, on standardised features, stopped by the validation loss."""
    return [_fit_mlp(features, task, max_epochs=max_epochs, patience=patience) for task in tasks]


def _fit_mlp(features: Floats32, task: HeadTask, *, max_epochs: int, patience: int) -> Logits:
    raw = features[task.rows]
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    scale = np.maximum(scale, LEAST_SPREAD * scale.mean())

    def tensor(values: Floats32) -> torch.Tensor:
        return torch.from_numpy((values - mean) / scale)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(task.seed, "mlp"))
        layers = (torch.nn.Linear(raw.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, len(task.classes)))
        network = torch.nn.Sequential(*layers)
        x, y = tensor(raw), torch.from_numpy(np.searchsorted(task.classes, task.labels))
        x_stop = tensor(features[task.validation])
        y_stop = torch.from_numpy(np.searchsorted(task.classes, task.validation_labels))
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
        best, waited, kept = np.inf, 0, {k: v.clone() for k, v in network.state_dict().items()}
        for _ in range(max_epochs):
            for batch in torch.split(torch.randperm(len(x)), BATCH):
                optimizer.zero_grad()
                cross_entropy(network(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            with torch.inference_mode():
                loss = float(cross_entropy(network(x_stop), y_stop))
            waited = 0 if loss < best else waited + 1
            if loss < best:
                best, kept = loss, {k: v.clone() for k, v in network.state_dict().items()}
            if waited >= patience:
                break
        network.load_state_dict(kept)

    @torch.inference_mode()
    def logits(values: Floats32) -> Floats32:
        answer: Floats32 = network(tensor(values)).numpy()
        return answer

    return logits
