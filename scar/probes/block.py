"""Blocks of probes: which probes share one, and the rows that they are trained on.

A block is the unit of work. On the CPU it holds one probe and is trained by one thread, which measured faster
than stacking; on a GPU small probes are stacked. Its shape follows from the shape of each of its probes
alone, so that a result depends neither on the other probes nor on the number of threads and devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from scar.probes.config import ProbeConfig
from scar.probes.memory import aligned, room, room_bytes, scratch
from scar.probes.probe_set import ProbeTask
from scar.probes.rows import LOAD_ROWS, HeldRows, Source, StreamedRows, parts

if TYPE_CHECKING:
    from torch import Tensor

STACK_ROWS, STACK_LIMIT = 8000, 16
# On a GPU, up to 16 probes of together at most 8000 rows make one stacked product.
CPU_PIECE, GPU_ELEMENTS = 512, 1 << 26
# Rows of one product in a pass over all rows: what a core caches; on a GPU, logits or streamed features held at once.
DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
# Of the training rows, by probe.precision.
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
        return room_bytes(self.size * self.rows, width)


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
    """Training and validation rows of P probes, scaled, for one device.

    Attributes:
        rows: x [P, n, W], the scaled training rows; the rest of a probe with fewer rows is zero.
        y: [P, n] their classes.
        real: [P, 1, n] whether a row is one.
        sizes: [P] training rows.
        tasks: the P tasks; the last is repeated where the block has room for more.
    """

    def __init__(
        self,
        plan: BlockPlan,
        source: Source,
        labels: NDArray[np.int64],
        tasks: Sequence[ProbeTask],
        validation: Tensor,
        *,
        num_classes: int,
        config: ProbeConfig,
        class_align: int = 1,
        streamed: bool = False,
    ) -> None:
        device = source.device
        self.num_classes, self.dimension, self.device = num_classes, source.dimension, device
        members = [tasks[index] for index in plan.probes]
        self.tasks = members + members[-1:] * (plan.size - len(members))
        self.width, self.classes = source.width, aligned(num_classes, class_align)
        self.validation_x = validation
        self.validation_y = torch.from_numpy(labels[members[0].validation]).to(device)
        self.sizes = torch.tensor([len(task.train) for task in self.tasks], device=device)
        self.real = torch.arange(plan.rows, device=device)[None, None, :] < self.sizes[:, None, None]
        self.y = torch.zeros(plan.size, plan.rows, dtype=torch.int64, device=device)
        for p, task in enumerate(self.tasks):
            self.y[p, : len(task.train)] = torch.from_numpy(labels[task.train])
        self._shift = torch.zeros(plan.size, self.dimension, dtype=torch.float64, device=device)
        self._scale = torch.ones_like(self._shift)
        self.rows = self._stream(source, config) if streamed else self._hold(source, config, plan)

    def _hold(self, source: Source, config: ProbeConfig, plan: BlockPlan) -> HeldRows:
        x = room(plan.size * plan.rows, self.width, device=self.device).view(plan.size, plan.rows, self.width)
        for p, task in enumerate(self.tasks):
            x[p, len(task.train) :] = 0
            rows = source.load(task.train, x[p, : len(task.train)])
            if config.scaling == "standard":
                chunks = partial(torch.split, rows, LOAD_ROWS)
                self._shift[p], self._scale[p] = moments(chunks, len(rows), self.dimension)
                for chunk in chunks():
                    self._standardize(p, chunk)
        return HeldRows(x.to(DTYPES[config.precision]))

    def _stream(self, source: Source, config: ProbeConfig) -> StreamedRows:
        rows, standard = self.tasks[0].train, config.scaling == "standard"
        if standard:
            chunks = partial(map, source.read, list(parts(rows, LOAD_ROWS)))
            self._shift[0], self._scale[0] = moments(chunks, len(rows), self.dimension)

        def read(part: NDArray[np.int64]) -> Tensor:
            x = source.read(part)
            return (self._standardize(0, x) if standard else x).to(DTYPES[config.precision])

        return StreamedRows(rows, read)

    def _standardize(self, p: int, x: Tensor) -> Tensor:
        """Give rows x [b, W] of probe p mean 0 and standard deviation 1 in place; return them."""
        x[:, : self.dimension].sub_(self._shift[p].float()).mul_(self._scale[p].float())
        return x

    def start(self) -> Tensor:
        """Return weights [P, C, W] of zeros; the biases of padding classes switch them off."""
        weights = torch.zeros(len(self.tasks), self.classes, self.width, device=self.device)
        weights[:, self.num_classes :, self.dimension] = ABSENT
        return weights

    @property
    def piece(self) -> int:
        """Rows of one product in a pass over all rows."""
        if self.device.type == "cpu":
            return CPU_PIECE
        return max(1, GPU_ELEMENTS // max(len(self.tasks) * self.classes, self.width))

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
        for x, y in zip(
            torch.split(self.validation_x, self.piece), torch.split(self.validation_y, self.piece), strict=True
        ):
            logits = folded @ x.mT
            wanted = y.expand(len(self.tasks), 1, -1)
            total -= torch.log_softmax(logits, dim=1).gather(1, wanted).sum(dim=(1, 2), dtype=torch.float64)
        return total / len(self.validation_x)

    def degenerate(self, weights: Tensor) -> Tensor:
        """Return [P]: one class in the training rows, or one prediction for all validation rows."""
        single = ((self.y == self.y[:, :1]) | ~self.real[:, 0]).all(dim=1)
        always = torch.ones(weights.shape[:2], dtype=torch.bool, device=self.device)
        if len(self.validation_x):
            folded = self.fold(weights)
            always = always[:, : self.num_classes]
            for x in torch.split(self.validation_x, self.piece):
                always = always & largest(folded @ x.mT).all(dim=2)
        else:
            for x, real in zip(self.rows.pieces(self.piece), torch.split(self.real, self.piece, dim=2), strict=True):
                always &= (largest(weights.to(x.dtype) @ x.mT) | ~real).all(dim=2)
        return single | always.any(dim=1)


def largest(logits: Tensor) -> Tensor:
    """Return where logits [P, C, b] are the largest of their row."""
    return logits == logits.amax(dim=1, keepdim=True)


def moments(chunks: Callable[[], Iterable[Tensor]], count: int, dimension: int) -> tuple[Tensor, Tensor]:
    """Return the mean [D] and 1 / std [D] (ddof 0) of n rows [n, W] that come in chunks, twice.

    The 1 / std of a constant feature is 0, so that it has no weight on raw features.
    """
    mean = torch.stack([chunk[:, :dimension].sum(dim=0) for chunk in chunks()]).double().sum(dim=0) / count
    squares = []
    for chunk in chunks():
        room = scratch("squares", len(chunk), dimension, device=chunk.device)
        squares.append(torch.sub(chunk[:, :dimension], mean.float(), out=room).square_().sum(dim=0))
    std = (torch.stack(squares).double().sum(dim=0) / count).sqrt()
    return mean, torch.where(std > 1e-6 * mean.abs(), 1 / std, 0.0)
