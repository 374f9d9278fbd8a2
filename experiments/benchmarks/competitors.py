"""What a user would write instead. All standardise each subset, use Adam 1e-3 and validate after every epoch."""

import logging
import warnings

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from experiments.benchmarks.problem import Problem
from scar.probes.probe_set import ProbeTask

Probe = tuple[torch.nn.Linear, np.ndarray, np.ndarray]
# A layer, and the mean and standard deviation that its features are scaled by.


def scaling(problem: Problem, task: ProbeTask) -> tuple[np.ndarray, np.ndarray]:
    x = problem.x[task.train]
    return x.mean(axis=0), x.std(axis=0)


def tensors(problem: Problem, task: ProbeTask) -> tuple[torch.Tensor, ...]:
    x, y = problem.x[task.train], problem.y[task.train]
    mean, std = scaling(problem, task)
    held, answers = (problem.x[task.validation] - mean) / std, problem.y[task.validation]
    return tuple(torch.from_numpy(array) for array in ((x - mean) / std, y, held, answers))


def dataloader_loop(problem: Problem, *, epochs: int, batch_size: int | None) -> Probe:
    """(a) A DataLoader over a TensorDataset per probe: the manner of the published code; returns the last one."""
    for task in problem.tasks:
        x, y, held, answers = tensors(problem, task)
        loader = DataLoader(TensorDataset(x, y), batch_size=batch_size or len(x), shuffle=True)
        validation = DataLoader(TensorDataset(held, answers), batch_size=batch_size or len(held))
        layer = torch.nn.Linear(x.shape[1], problem.classes)
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        for _ in range(epochs):
            for features, labels in loader:
                optimizer.zero_grad()
                functional.cross_entropy(layer(features), labels).backward()
                optimizer.step()
            with torch.no_grad():
                for features, labels in validation:
                    functional.cross_entropy(layer(features), labels, reduction="sum").item()
    return layer, *scaling(problem, task)


def lightning_trainers(problem: Problem, *, epochs: int) -> None:
    """(b) One plain Lightning Trainer per probe."""
    import pytorch_lightning as pl

    class LinearProbe(pl.LightningModule):
        def __init__(self, dimension: int, classes: int) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(dimension, classes)

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
            return functional.cross_entropy(self.layer(batch[0]), batch[1])

        def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> None:
            self.log("validation_loss", functional.cross_entropy(self.layer(batch[0]), batch[1]))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for task in problem.tasks:
            x, y, held, answers = tensors(problem, task)
            trainer = pl.Trainer(
                accelerator="cpu", max_epochs=epochs, logger=False, enable_checkpointing=False,
                enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
            )  # fmt: skip
            trainer.fit(
                LinearProbe(x.shape[1], problem.classes),
                DataLoader(TensorDataset(x, y), batch_size=500, shuffle=True),
                DataLoader(TensorDataset(held, answers), batch_size=500),
            )


def scikit_learn(problem: Problem, *, penalty: float) -> None:
    """(c) LogisticRegression per subset, to the same optimum as `probe=converged`."""
    from sklearn.linear_model import LogisticRegression

    for task in problem.tasks:
        x, y, held, _ = (tensor.numpy() for tensor in tensors(problem, task))
        model = LogisticRegression(C=1 / (penalty * len(x)), max_iter=1000, tol=1e-4)
        model.fit(x, y).predict(held)


def in_memory_loop(problem: Problem, *, epochs: int) -> None:
    """(d) A plain torch loop over tensors in memory."""
    for task in problem.tasks:
        x, y, held, answers = tensors(problem, task)
        layer = torch.nn.Linear(x.shape[1], problem.classes)
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(500):
                optimizer.zero_grad()
                functional.cross_entropy(layer(x[batch]), y[batch]).backward()
                optimizer.step()
            with torch.no_grad():
                functional.cross_entropy(layer(held), answers).item()


def published_measures(logits: np.ndarray, labels: np.ndarray) -> list[tuple[float, ...]]:
    """The measures class by class and sample by sample, as the definitions read; only errors look at other classes."""
    decided = logits.argmax(axis=1)
    count, classes = logits.shape
    rows = []
    for j in range(classes):
        valid = semi = 0
        rich = 0.0
        for i in range(count):
            if (decided[i] == j) == (labels[i] == j):
                valid += 1
                continue
            right = sum((decided[i] == k) == (labels[i] == k) for k in range(classes))
            if right:
                semi += 1
                rich += right / (classes - 1)
        values = logits[(labels == j) & (decided == j) & (logits[:, j] > 0), j]
        coverage = 1 - divergence(values) if len(values) > 1 else float("nan")
        rows.append(((valid + semi) / count, coverage, valid / count, (valid + rich) / count))
    return rows


def numpy_measures(logits: np.ndarray, labels: np.ndarray) -> list[tuple[float, ...]]:
    """The measures in a well-written NumPy loop over the classes."""
    count, classes = logits.shape
    steps = np.arange(classes)
    decided = logits.argmax(axis=1)
    right = (decided[:, None] == steps) == (labels[:, None] == steps)
    right_steps = right.sum(axis=1)
    rows = []
    for j in range(classes):
        valid = right[:, j]
        semi = ~valid & (right_steps > 0)
        rich = valid.sum() + (right_steps[semi] / (classes - 1)).sum()
        values = logits[(labels == j) & (decided == j) & (logits[:, j] > 0), j]
        coverage = 1 - divergence(values) if len(values) > 1 else float("nan")
        rows.append(((valid.sum() + semi.sum()) / count, coverage, valid.mean(), rich / count))
    return rows


def divergence(values: np.ndarray) -> float:
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import norm

    histogram, edges = np.histogram(values, bins=100, density=True)
    centres = (edges[1:] + edges[:-1]) / 2
    normal = norm.pdf(centres, values.mean(), values.std(ddof=1))
    p, q = histogram + 1e-12, normal + 1e-12
    return float(jensenshannon(p / p.sum(), q / q.sum(), base=2) ** 2)
