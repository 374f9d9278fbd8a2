"""Heads on frozen features: many linear probes at once, or a small MLP each; and what they answer on a label subset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.probes.config import ProbeConfig, TrainerConfig
from scar.probes.probe_set import ProbeSet
from scar.randomness import derive_seed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Logits = Callable[[Floats], Floats]

LINEAR, MLP = "linear", "mlp"
HIDDEN, BATCH, RATE = 128, 500, 1e-3
"""Hidden units (ReLU), samples in a step and learning rate (Adam) of the MLP."""
LEAST_SPREAD = 0.05
"""Least standard deviation by which a feature is divided, as a share of the mean one: few samples may hardly differ in it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadTask:
    """One head to train.

    Attributes:
        rows: [n] rows of the features.
        labels: [n] classes, any ids.
        validation: [v] rows that stop it, and `validation_labels` [v] their classes.
        classes: [C] ids in ascending order: the meaning of its logits.
        seed: of initialisation and batch order.
    """

    rows: Ints
    labels: Ints
    validation: Ints
    validation_labels: Ints
    classes: Ints
    seed: int


@dataclass(frozen=True, eq=False)
class LinearHead:
    """One probe of a bank.

    Attributes:
        probes: a set of one.
    """

    probes: ProbeSet

    def __call__(self, x: Floats) -> Floats:
        """Return the logits [n, C] of raw features [n, D]."""
        return self.probes.logits(0, x)


def train_linear(
    features: Floats, tasks: Sequence[HeadTask], *, config: ProbeConfig, trainer: TrainerConfig
) -> list[LinearHead]:
    """Train a linear probe per task; tasks that have their classes in common are trained together."""
    from scar.probes import ProbeTask, train_probes

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


def train_mlp(features: Floats, tasks: Sequence[HeadTask], *, max_epochs: int, patience: int) -> list[Logits]:
    """Train a network with one hidden layer per task, on standardised features, stopped by the validation loss."""
    return [_fit_mlp(features, task, max_epochs=max_epochs, patience=patience) for task in tasks]


def _fit_mlp(features: Floats, task: HeadTask, *, max_epochs: int, patience: int) -> Logits:
    import torch
    from torch.nn.functional import cross_entropy

    raw = features[task.rows]
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    scale = np.maximum(scale, LEAST_SPREAD * scale.mean())

    def tensor(values: Floats) -> torch.Tensor:
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
    def logits(values: Floats) -> Floats:
        answer: Floats = network(tensor(values)).numpy()
        return answer

    return logits


def masked_predictions(logits: Floats, classes: Ints, targets: Ints, *, masking: str = "exclude") -> Ints:
    """Return the predicted class ids [n] where only the target classes may be right.

    Args:
        logits: [n, C].
        classes: [C] ids of the columns, ascending.
        targets: [T] ids of the target classes, all among `classes`.
        masking: ``"exclude"`` sets the other logits to −∞; ``"zero"`` sets them to 0 as the paper's text says, so
            that an item whose target logits are all negative is given to another class.
    """
    inside = np.isin(classes, targets)
    if inside.sum() != len(targets):
        raise ValueError(f"targets {np.setdiff1d(targets, classes).tolist()} are not among the classes of the head")
    if masking not in ("exclude", "zero"):
        raise ValueError(f"masking={masking!r} is unknown; use exclude or zero")
    outside = -np.inf if masking == "exclude" else 0.0
    answer: Ints = classes[np.where(inside, logits, np.float32(outside)).argmax(axis=1)]
    return answer
