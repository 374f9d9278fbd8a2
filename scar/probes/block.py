"""Blocks of probes: which probes share one, and the rows that they are trained on.

A block is the unit of work. On the CPU it holds one probe and is trained by one thread, which measured faster
than stacking; on a GPU small probes are stacked. Its shape follows from the shape of each of its probes
alone, so that a result depends neither on the other probes nor on the number of threads and devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scar.probes._row_memory import aligned, room, room_bytes, scratch
from scar.probes.losses import loss_of, products
from scar.probes.probe_set import ProbeTask
from scar.probes.rows import LOAD_ROWS, HeldRows, RowSource, StreamedRows, parts
from scar.probes.settings import ProbeConfig

STACK_ROWS, STACK_LIMIT = 8000, 16
# On a GPU, up to 16 probes of together at most 8000 rows make one stacked product.
CPU_PIECE, GPU_ELEMENTS = 512, 1 << 26
# Rows of one product in a pass over all rows: what a core caches; on a GPU, logits or streamed features held at once.
CPU_LOGITS, LEAST_PIECE = 1 << 18, 64
# Logits of one product that a core caches, where there are many classes; of fewer rows it would take longer again.
DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
# Of the training rows, by probe.precision.
ABSENT = -1e30
# The bias of a padding class: its probability and its gradient are exactly 0.
FAR, FAR_ROUNDS = 10.0, 5
# A row longer than 10 times the median, once standardised, is far: see `standardization`.
SMALLEST_STD = 1e-37
# Below it, 1 / std is no float32.


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
        loss: of the kind of labels that there are.
        y: [P, L, n] their targets (`scar.probes.losses`).
        real: [P, 1, n] whether a row is one.
        sizes: [P] training rows.
        tasks: the P tasks; the last is repeated where the block has room for more.
    """

    def __init__(
        self,
        plan: BlockPlan,
        source: RowSource,
        labels: NDArray[Any],
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
        self.loss = loss_of(labels)
        self.validation_y = self.loss.read(labels[members[0].validation]).to(device)
        self.sizes = torch.tensor([len(task.train) for task in self.tasks], device=device)
        self.real = torch.arange(plan.rows, device=device)[None, None, :] < self.sizes[:, None, None]
        self.y = self.loss.targets(plan.size, self.classes, plan.rows, device)
        for p, task in enumerate(self.tasks):
            own = self.loss.read(labels[task.train])
            self.y[p, : len(own), : len(task.train)] = own
        self._shift = torch.zeros(plan.size, self.dimension, dtype=torch.float64, device=device)
        self._scale = torch.ones_like(self._shift)
        self._longest = [math.inf] * plan.size
        self.far_rows = torch.zeros(plan.size, dtype=torch.int64, device=device)
        self.rows = self._stream(source, config) if streamed else self._hold(source, config, plan)

    def _hold(self, source: RowSource, config: ProbeConfig, plan: BlockPlan) -> HeldRows:
        x = room(plan.size * plan.rows, self.width, device=self.device).view(plan.size, plan.rows, self.width)
        for p, task in enumerate(self.tasks):
            x[p, len(task.train) :] = 0
            rows = source.load(task.train, x[p, : len(task.train)])
            if config.scaling == "standard":
                chunks = partial(torch.split, rows, LOAD_ROWS)
                self._find_scale(p, chunks)
                for chunk in chunks():
                    self._standardize(p, chunk)
        return HeldRows(x.to(DTYPES[config.precision]))

    def _stream(self, source: RowSource, config: ProbeConfig) -> StreamedRows:
        rows, standard = self.tasks[0].train, config.scaling == "standard"
        if standard:
            chunks = partial(map, source.read, list(parts(rows, LOAD_ROWS)))
            self._find_scale(0, chunks)

        def read(part: NDArray[np.int64]) -> Tensor:
            x = source.read(part)
            return (self._standardize(0, x) if standard else x).to(DTYPES[config.precision])

        return StreamedRows(rows, read)

    def _find_scale(self, p: int, chunks: Callable[[], Iterable[Tensor]]) -> None:
        self._shift[p], self._scale[p], longest, self.far_rows[p] = standardization(chunks, self.dimension)
        if self.far_rows[p]:
            self._longest[p] = longest

    def _standardize(self, p: int, x: Tensor) -> Tensor:
        """Give rows x [b, W] of probe p mean 0 and standard deviation 1, far ones the largest length, in place."""
        inner = x[:, : self.dimension].sub_(self._shift[p].float()).mul_(self._scale[p].float())
        if self._longest[p] < math.inf:
            inner.mul_((self._longest[p] / lengths(inner)).clamp(max=1.0)[:, None])
        return x

    @property
    def constant_features(self) -> Tensor:
        """Return [P]: features that are constant on the training rows and have no weight."""
        return (self._scale == 0).sum(dim=1)

    def start(self) -> Tensor:
        """Return weights [P, C, W] of zeros; the biases of padding classes switch them off."""
        weights = torch.zeros(len(self.tasks), self.classes, self.width, device=self.device)
        weights[:, self.num_classes :, self.dimension] = ABSENT
        return weights

    @property
    def piece(self) -> int:
        """Rows of one product in a pass over all rows."""
        if self.device.type == "cpu":
            return min(CPU_PIECE, max(LEAST_PIECE, CPU_LOGITS // self.classes // LEAST_PIECE * LEAST_PIECE))
        return max(1, GPU_ELEMENTS // max(len(self.tasks) * self.classes, self.width))

    def fold(self, weights: Tensor) -> Tensor:
        """Return weights [P, K, D + 1] for raw features: ``(x - mean) / std`` becomes part of them."""
        weights = weights[:, : self.num_classes].double()
        inner = weights[:, :, : self.dimension] * self._scale[:, None, :]
        bias = weights[:, :, self.dimension, None] - inner @ self._shift[:, :, None]
        return torch.cat([inner, bias], dim=2).float()

    def validate(self, weights: Tensor, *, matched: bool = False) -> Tensor:
        """Return the mean cross-entropy [P] on the validation rows (with several labels, their sum), in float64.

        Args:
            weights: [P, C, W].
            matched: shift the logits to the class mix of the validation part (`matched_shift`), and leave out the rows
                of classes that a probe was not trained on; of several labels the mean over rows and labels.
        """
        total = torch.zeros(len(self.tasks), dtype=torch.float64, device=self.device)
        counted = total.clone()
        folded, shift = self.fold(weights), self._matched_shift if matched else None
        for x, y in zip(
            torch.split(self.validation_x, self.piece), torch.split(self.validation_y, self.piece, dim=1), strict=True
        ):
            logits = products(folded, x)
            if shift is not None:
                logits = logits + shift
            logs = self.loss.log_likelihood(logits, y.expand(len(self.tasks), -1, -1))
            known = logs > -torch.inf
            total -= torch.where(known, logs, 0.0).sum(dim=(1, 2), dtype=torch.float64)
            counted += known.sum(dim=(1, 2))
        return total / (counted if matched else len(self.validation_x))

    @cached_property
    def _matched_shift(self) -> Tensor:
        """Return [P, K, 1] what matches the logits to the class mix of the validation part."""
        shifts = [
            self.loss.matched_shift(y[:, :size], self.validation_y, self.num_classes)
            for y, size in zip(self.y, self.sizes.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(shifts)).float().to(self.device)[:, :, None]

    def degenerate(self, weights: Tensor) -> Tensor:
        """Return [P]: one class in the training rows, or one prediction for all validation rows."""
        always = torch.ones(len(self.tasks), self.num_classes, dtype=torch.bool, device=self.device)
        never, every = always.clone(), torch.ones((), dtype=torch.bool, device=self.device)
        pieces: Iterable[tuple[Tensor, Tensor]]
        if len(self.validation_x):
            weights = self.fold(weights)
            pieces = ((x, every) for x in torch.split(self.validation_x, self.piece))
        else:
            pieces = zip(self.rows.pieces(self.piece), torch.split(self.real, self.piece, dim=2), strict=True)
        for x, real in pieces:
            decided = self.loss.decided(weights.to(x.dtype) @ x.mT)[:, : self.num_classes]
            always &= (decided | ~real).all(dim=2)
            never &= ~(decided & real).any(dim=2)
        return self.loss.single(self.y, self.real) | self.loss.constant(always, never)


def standardization(chunks: Callable[[], Iterable[Tensor]], dimension: int) -> tuple[Tensor, Tensor, float, int]:
    """Return how rows become standard: mean [D], 1 / std [D], the length that no row may exceed, and how many do.

    One row far from all others would inflate every standard deviation and leave the rest at zero. So the moments are
    those of the rows that are, standardised, at most `FAR` times as long as the median row, found by iteration; the
    other rows are shortened to that length.

    Args:
        chunks: the rows [n, W], in pieces; called several times.
        dimension: D, the features among the W values.
    """
    kept: Tensor | None = None
    for _ in range(FAR_ROUNDS):
        mean, inverse = moments(chunks, dimension, kept)
        sizes = torch.cat([_standard_lengths(chunk[:, :dimension], mean, inverse) for chunk in chunks()])
        limit = FAR * float(sizes.median())
        near = sizes <= limit if limit > 0 else torch.ones_like(sizes, dtype=torch.bool)
        if bool(near.all()) or (kept is not None and bool((near == kept).all())):
            break
        kept = near
    return mean, inverse, limit, int((~near).sum())


def moments(
    chunks: Callable[[], Iterable[Tensor]], dimension: int, kept: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean [D] and 1 / std [D] (ddof 0), in float64, of rows [n, W] that come in chunks, twice.

    The 1 / std of a constant feature is 0, so that it has no weight on raw features. `kept` [n] leaves rows out.
    """

    def rows() -> Iterable[Tensor]:
        start = 0
        for chunk in chunks():
            inner = chunk[:, :dimension]
            yield inner if kept is None else inner[kept[start : start + len(chunk)]]
            start += len(chunk)

    count = sum(map(len, rows()))
    mean = torch.stack([part.sum(dim=0, dtype=torch.float64) for part in rows()]).sum(dim=0) / count
    squares = []
    for part in rows():
        room = scratch("squares", len(part), dimension, device=part.device)
        squares.append(torch.sub(part, mean.float(), out=room).double().square_().sum(dim=0))
    std = (torch.stack(squares).sum(dim=0) / count).sqrt()
    return mean, torch.where(std > (1e-6 * mean.abs()).clamp(min=SMALLEST_STD), 1 / std, 0.0)


def lengths(rows: Tensor) -> Tensor:
    """Return the Euclidean lengths [n] of rows [n, D]; values up to the square root of what float32 holds."""
    sizes: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    return sizes.float()


def _standard_lengths(rows: Tensor, mean: Tensor, inverse: Tensor) -> Tensor:
    room = scratch("squares", len(rows), rows.shape[1], device=rows.device)
    return lengths(torch.sub(rows, mean.float(), out=room).mul_(inverse.float()))
