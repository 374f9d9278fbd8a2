"""Blocks of probes: which probes share one, and the rows that they are trained on.

A block is the unit of work. On the CPU it holds one probe and is trained by one thread, which measured faster
than stacking; on a GPU small probes are stacked. Its shape follows from the shape of each of its probes
alone, so that a result depends neither on the other probes nor on the number of threads and devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from scar.probes.config import ProbeConfig
from scar.probes.probe_set import ProbeTask, unit_rows

if TYPE_CHECKING:
    from torch import Tensor

    from scar.probes.features import Features

STACK_ROWS, STACK_LIMIT = 8000, 16
# On a GPU, up to 16 probes of together at most 8000 rows make one stacked product.
CPU_CHUNK, GPU_ELEMENTS = 512, 1 << 26
# Rows of one product in a pass over all rows: what a core caches; on a GPU, logits held at once.
LOAD_ROWS = 512
# Rows copied at once from the features; they stay in the cache of a core.
ABSENT = -1e30
# The bias of a padding class: its probability and its gradient are exactly 0.


@dataclass(frozen=True)
class BlockPlan:
    """The probes of one block, known before any data is read.

    Attributes:
        probes: their positions among the tasks.
        size: P, probes that the block has room for.
        rows: training rows that each of them has room for.
    """

    probes: tuple[int, ...]
    size: int
    rows: int

    def bytes(self, width: int) -> int:
        """Memory of the training rows, of `width` float32 values each."""
        return 4 * self.size * self.rows * width


def plan_blocks(tasks: Sequence[ProbeTask], config: ProbeConfig, *, stacked: bool) -> list[BlockPlan]:
    """Put tasks into blocks; the largest first."""
    groups: dict[tuple[int, int, int, object], list[int]] = {}
    for index, task in enumerate(tasks):
        n = len(task.train)
        size = STACK_LIMIT if stacked else 1
        while size > 1 and n * size > STACK_ROWS:
            size //= 2
        batch = config.batch_size if config.solver == "adam" and config.batch_size else STACK_ROWS
        steps = -(-n // batch)
        rows = n if size == 1 else min(STACK_ROWS // size, steps * batch)
        company = index if size == 1 else task.validation.tobytes()
        groups.setdefault((size, rows, steps, company), []).append(index)
    plans = [
        BlockPlan(tuple(members[start : start + size]), size, rows)
        for (size, rows, _, _), members in groups.items()
        for start in range(0, len(members), size)
    ]
    return sorted(plans, key=lambda plan: (-plan.size * plan.rows, plan.probes))


class Block:
    """Training and validation rows of P probes, scaled, on one device.

    Features lie in rows of W values: D features, a one (whose weight is the bias), zeros up to the alignment.

    Attributes:
        x: [P, n, W] scaled training rows; the rest of a probe with fewer rows is zero.
        y: [P, n] their classes.
        real: [P, 1, n] whether a row is one.
        sizes: [P] training rows.
        tasks: the P tasks; the last is repeated where the block has room for more.
    """

    def __init__(
        self,
        plan: BlockPlan,
        features: Features,
        labels: NDArray[np.int64],
        tasks: Sequence[ProbeTask],
        validation: Tensor,
        *,
        num_classes: int,
        config: ProbeConfig,
        device: torch.device,
        align: int = 1,
    ) -> None:
        self.num_classes, self.dimension, self.device = num_classes, features.dimension, device
        members = [tasks[index] for index in plan.probes]
        self.tasks = members + members[-1:] * (plan.size - len(members))
        self.width = aligned(self.dimension + 1, align)
        self.classes = aligned(num_classes, align)
        self.validation_x = validation
        self.validation_y = torch.from_numpy(labels[members[0].validation]).to(device)
        self.sizes = torch.tensor([len(task.train) for task in self.tasks], device=device)
        self.real = torch.arange(plan.rows, device=device)[None, None, :] < self.sizes[:, None, None]
        self.x = torch.empty(plan.size, plan.rows, self.width, device=device)
        self.y = torch.zeros(plan.size, plan.rows, dtype=torch.int64, device=device)
        self._shift = torch.zeros(plan.size, self.dimension, dtype=torch.float64, device=device)
        self._scale = torch.ones_like(self._shift)
        for p, task in enumerate(self.tasks):
            rows = self.x[p, : len(task.train)]
            self.x[p, len(task.train) :] = 0
            load_rows(features, task.train, rows, unit_norm=config.scaling == "unit_norm")
            if config.scaling == "standard":
                self._shift[p], self._scale[p] = standardize(rows[:, : self.dimension])
            self.y[p, : len(task.train)] = torch.from_numpy(labels[task.train])
        if config.precision == "bfloat16":
            self.x = self.x.to(torch.bfloat16)

    def start(self) -> Tensor:
        """Return weights [P, C, W] of zeros; the biases of padding classes switch them off."""
        weights = torch.zeros(len(self.tasks), self.classes, self.width, device=self.device)
        weights[:, self.num_classes :, self.dimension] = ABSENT
        return weights

    def chunks(self, rows: int) -> range:
        """Starts of the pieces in which a pass over `rows` rows is made; its step is their length."""
        if self.device.type == "cpu":
            return range(0, rows, CPU_CHUNK)
        return range(0, rows, max(1, GPU_ELEMENTS // (len(self.tasks) * self.classes)))

    def fold(self, weights: Tensor) -> Tensor:
        """Return weights [P, K, D + 1] for raw features: ``(x - mean) / std`` becomes part of them."""
        weights = weights[:, : self.num_classes].double()
        inner = weights[:, :, : self.dimension] * self._scale[:, None, :]
        bias = weights[:, :, self.dimension, None] - inner @ self._shift[:, :, None]
        return torch.cat([inner, bias], dim=2).float()

    def validate(self, weights: Tensor) -> Tensor:
        """Return the mean cross-entropy [P] on the validation rows, in float64."""
        total = torch.zeros(len(self.tasks), dtype=torch.float64, device=self.device)
        folded = self.fold(weights)
        pieces = self.chunks(len(self.validation_x))
        for start in pieces:
            y = self.validation_y[start : start + pieces.step].expand(len(self.tasks), 1, -1)
            logits = folded @ self.validation_x[start : start + pieces.step].mT
            total -= torch.log_softmax(logits, dim=1).gather(1, y).sum(dim=(1, 2), dtype=torch.float64)
        return total / len(self.validation_x)

    def degenerate(self, weights: Tensor) -> Tensor:
        """Return [P]: one class in the training rows, or one prediction for all validation rows."""
        single = ((self.y == self.y[:, :1]) | ~self.real[:, 0]).all(dim=1)
        if len(self.validation_x):
            weights, x, ignored = self.fold(weights), self.validation_x[None], None
        else:
            weights, x, ignored = weights.to(self.x.dtype), self.x, ~self.real
        always = torch.ones(weights.shape[:2], dtype=torch.bool, device=self.device)
        pieces = self.chunks(x.shape[1])
        for start in pieces:
            places = slice(start, start + pieces.step)
            logits = weights @ x[:, places].mT
            predicted = logits == logits.amax(dim=1, keepdim=True)
            always &= (predicted if ignored is None else predicted | ignored[:, :, places]).all(dim=2)
        return single | always.any(dim=1)


def aligned(size: int, align: int) -> int:
    """Round up to a multiple."""
    return -(-size // align) * align


def load_rows(features: Features, rows: NDArray[np.int64], out: Tensor, *, unit_norm: bool) -> None:
    """Copy rows of the features, then a one, then zeros, into out [n, W]; divide each by its norm if asked."""
    for start in range(0, len(rows), LOAD_ROWS):
        chunk = features.array[rows[start : start + LOAD_ROWS]]
        chunk = unit_rows(chunk) if unit_norm else chunk
        out[start : start + len(chunk), : chunk.shape[1]] = torch.from_numpy(chunk)
    out[:, features.dimension] = 1
    out[:, features.dimension + 1 :] = 0


def standardize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Give x [n, D] mean 0 and standard deviation 1 (ddof 0) in place; return the mean and 1 / std, both [D].

    A constant feature becomes 0 and its 1 / std is 0 too, so that it has no weight on raw features.
    """
    chunks = torch.split(x, LOAD_ROWS)
    mean = torch.stack([chunk.sum(dim=0) for chunk in chunks]).double().sum(dim=0) / len(x)
    x -= mean.float()
    std = (torch.stack([chunk.square().sum(dim=0) for chunk in chunks]).double().sum(dim=0) / len(x)).sqrt()
    scale = torch.where(std > 1e-6 * mean.abs(), 1 / std, 0.0)
    x *= scale.float()
    return mean, scale
