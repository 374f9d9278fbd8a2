"""Mini-batch training with Adam and early stopping, for all probes of a block at once."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from scar.common.randomness import derive_seed
from scar.probes.block import Block
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig


class AdamRun:
    """The training of one block; `epoch` is one pass over its rows, which a finished probe ignores.

    Attributes:
        kept: [P, C, W] weights to return.
        epochs, finished, converged, penalty, curve: see `ProbeSet`.
    """

    def __init__(self, block: Block, config: ProbeConfig) -> None:
        self.block, self.config = block, config
        count, rows = block.real.shape[0], block.real.shape[2]
        self.batch = min(config.batch_size or rows, rows)
        self._whole = self.batch == rows
        self._weights = block.start()
        for p, task in enumerate(block.tasks):
            self._weights[p, : block.num_classes, : block.dimension + 1] += initial_weights(task, block)
        self._orders = [torch_generator(task, "probe-order") for task in block.tasks]
        self._piece = block.piece if self._whole else self.batch
        self._shares = torch.split(self._share_of_batch(), self._piece, dim=2)
        self._real = torch.split(block.real, self._piece, dim=2)
        self._first, self._second = torch.zeros_like(self._weights), torch.zeros_like(self._weights)
        self._gradient, self._steps = torch.empty_like(self._weights), torch.zeros((), device=block.device)
        self._adam = partial(
            torch._fused_adam_,
            [self._weights],
            [self._gradient],
            [self._first],
            [self._second],
            [],
            lr=config.learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
        self.kept = self._weights.clone()
        self.epochs = torch.zeros(count, dtype=torch.int64, device=block.device)
        self.finished = torch.zeros(count, dtype=torch.bool, device=block.device)
        self.converged, self.penalty = self.finished.clone(), torch.zeros(count, device=block.device)
        self._best = torch.full((count,), torch.inf, dtype=torch.float64, device=block.device)
        self._waited = self.epochs.clone()
        self._hits = self._best.clone()
        self.curve = torch.full((count, config.max_epochs), torch.nan, device=block.device)

    def _share_of_batch(self) -> Tensor:
        """Return [P, 1, n]: what each place of an epoch counts in its batch, 1 / its samples or 0."""
        block = self.block
        start = torch.arange(block.real.shape[2], device=block.device) // self.batch * self.batch
        samples = (block.sizes[:, None] - start[None, :]).clamp(1, self.batch)
        return block.real / samples[:, None, :]

    def epoch(self) -> None:
        """Train on every row once, then compare, keep and stop."""
        self._hits.zero_()
        if self._whole:
            self._full_step()
        else:
            self._batch_steps()
        by_loss = self.config.monitor == "validation_loss"
        score = self.block.validate(self._weights) if by_loss else -self._hits
        live = ~self.finished
        better = live & (score < self._best)
        self._best = torch.where(better, score, self._best)
        keep = better if self.config.restore_best else live
        self.kept = torch.where(keep[:, None, None], self._weights, self.kept)
        self.epochs += live
        watched = score if by_loss else self._hits / self.block.sizes
        record(self.curve, self.epochs, watched, live)
        self._waited = torch.where(better, 0, self._waited + 1)
        self.converged |= live & (self._waited >= self.config.patience)
        self.finished = self.converged | (self.epochs >= self.config.max_epochs)

    def _batch_steps(self) -> None:
        block = self.block
        order = torch.stack([self._order(p) for p in range(len(block.tasks))]).to(block.device)
        labels = torch.split(block.loss.ordered(block.y, order), self.batch, dim=2)
        batches = block.rows.batches(order, self.batch)
        steps = (self._steps + torch.arange(1, len(labels) + 1, device=block.device)).unbind()
        for x, y, share, real, step in zip(batches, labels, self._shares, self._real, steps, strict=True):
            self._accumulate(x, y, share, real, beta=0)
            self._adam([step])
        self._steps = steps[-1]

    def _order(self, p: int) -> Tensor:
        n, rows = len(self.block.tasks[p].train), self.block.y.shape[2]
        return torch.cat([torch.randperm(n, generator=self._orders[p]), torch.arange(n, rows)])

    def _full_step(self) -> None:
        labels = torch.split(self.block.y, self._piece, dim=2)
        pieces = zip(self.block.rows.pieces(self._piece), labels, self._shares, self._real, strict=True)
        for index, (x, y, share, real) in enumerate(pieces):
            self._accumulate(x, y, share, real, beta=int(index > 0))
        self._adam([self._steps.add_(1)])

    def _accumulate(self, x: Tensor, y: Tensor, share: Tensor, real: Tensor, *, beta: int) -> None:
        """Add the gradient of the mean loss, ``(softmax - onehot) x / n`` or its like, over the rows x [P, b, W]."""
        weights = self._weights if x.dtype == self._weights.dtype else self._weights.to(x.dtype)
        logits = torch.bmm(weights, x.mT)
        if self.config.monitor == "train_accuracy":
            right = (logits.gather(1, y) == logits.amax(dim=1, keepdim=True)) & real
            self._hits += right.sum(dim=(1, 2))
        error = self.block.loss.error(logits, y, self._weights.dtype).mul_(share)
        add_product(self._gradient, error, x, beta=beta)


def add_product(total: Tensor, error: Tensor, x: Tensor, *, beta: int) -> None:
    """Set total [P, C, W] to ``beta · total + error @ x``, the product in the precision of x."""
    if x.dtype == total.dtype:
        torch.baddbmm(total, error, x, beta=beta, out=total)
    else:
        total.mul_(beta).add_(torch.bmm(error.to(x.dtype), x))


def record(curve: Tensor, epochs: Tensor, values: Tensor, live: Tensor) -> None:
    """Write values [P] into curve [P, E] at the epoch [P] that each live probe has just ended."""
    place = (epochs - 1).clamp(min=0)[:, None]
    before = curve.gather(1, place)
    curve.scatter_(1, place, torch.where(live[:, None], values[:, None].to(curve.dtype), before))


def initial_weights(task: ProbeTask, block: Block) -> Tensor:
    """Draw [K, D + 1] uniformly within ±1/√D, the bias last; depends on the seed of the task alone."""
    shape = (block.num_classes, block.dimension + 1)
    draw = torch.rand(shape, generator=torch_generator(task, "probe-initialisation"))
    return draw.mul_(2).sub_(1).div_(block.dimension**0.5).to(block.device)


def torch_generator(task: ProbeTask, purpose: str) -> torch.Generator:
    """Return a CPU generator, so that every device draws the same."""
    return torch.Generator().manual_seed(derive_seed(task.seed, purpose))
