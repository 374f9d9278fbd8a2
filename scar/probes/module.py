"""The bank: a module whose step is one epoch of every probe in work; `alone` runs it, or Lightning does."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scar.probes._row_memory import room, room_bytes
from scar.probes._shared_features import Features
from scar.probes.adam import AdamRun
from scar.probes.block import Block, BlockPlan, plan_blocks
from scar.probes.lbfgs import LBFGSRun
from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.rows import RowSource
from scar.probes.settings import ProbeConfig

Run = AdamRun | LBFGSRun
Progress = Callable[[int, int, float], None]
"""Of an epoch: the finished probes, all of them, and the mean of what the training of those in work watched."""
GPU_ALIGN = 16
# Features and classes are padded to a multiple of this on a GPU; on a CPU padding costs more than it gains.

log = logging.getLogger(__name__)


class ProbeBank(torch.nn.Module):
    """Trains probes in blocks, those of one device in parallel threads (CPU) or one after another (GPU).

    The blocks are shared out between the ranks; no gradient is. Each rank writes its probes into buffers
    that are zero elsewhere, and the sum over the ranks gathers them.
    """

    def __init__(
        self,
        features: Features,
        labels: NDArray[Any],
        tasks: Sequence[ProbeTask],
        *,
        num_classes: int,
        config: ProbeConfig,
        threads: int = 1,
        memory: int = 1 << 30,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        self.features, self.labels, self.tasks = features, labels, list(tasks)
        self.num_classes, self.config = num_classes, config
        self.threads, self.memory, self.progress = threads, memory, progress
        count = len(self.tasks)
        self.register_buffer("folded", torch.zeros(count, num_classes, features.dimension + 1))
        self.register_buffer("epochs", torch.zeros(count, dtype=torch.int64))
        for name in ("validation_loss", "converged", "degenerate", "penalty", "constant_features", "far_rows"):
            self.register_buffer(name, torch.zeros(count))
        self.register_buffer("curve", torch.zeros(count, config.max_epochs * max(len(config.penalties), 1)))
        self._validation: dict[bytes, Tensor] = {}
        self._work: list[tuple[BlockPlan, Run]] = []
        self._waiting: list[BlockPlan] = []
        self._pool: ThreadPoolExecutor | None = None
        self._room = memory
        self._source: RowSource

    @property
    def device(self) -> torch.device:
        """Where the probes are trained."""
        return self.get_buffer("folded").device

    @property
    def in_work(self) -> int:
        """How many probes are being trained."""
        return sum(len(plan.probes) for plan, _ in self._work)

    def alone(self) -> None:
        """Train all probes in this process, on the CPU; to the last bit what Lightning's trainer comes to."""
        self.start()
        while not self.train_epoch():
            pass

    def start(self, rank: int = 0, ranks: int = 1) -> None:
        """Share the blocks out between the ranks, and plan the memory."""
        gpu = self.device.type == "cuda"
        resident = gpu and 2 * self.features.array.nbytes <= self.memory
        self._room = self.memory - resident * self.features.array.nbytes
        self._source = RowSource(
            self.features, unit_norm=self.config.scaling == "unit_norm", device=self.device,
            align=GPU_ALIGN if gpu else 1, resident=resident,
        )  # fmt: skip
        plans = plan_blocks(self.tasks, self.config, stacked=gpu)
        self._waiting = share_out(plans, ranks)[rank]
        sizes = [self._held(plan) for plan in self._waiting]
        validation = {task.validation.tobytes(): len(task.validation) for task in self.tasks}
        plan = {
            "features": self.features.array.nbytes,
            "training rows": min(sum(sizes), max([self._room, *sizes])),
            "validation rows": room_bytes(sum(validation.values()), self._source.width),
            "results": self.get_buffer("folded").nbytes,
        }
        parts = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in plan.items())
        log.info(
            "memory for %d of %d probes: %s; %d too large for it are streamed",
            len(self._waiting), len(self.tasks), parts, sizes.count(0),
        )  # fmt: skip
        if not gpu:
            self._pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))

    def train_epoch(self) -> bool:
        """Train every probe in work for one epoch; then take out what has finished; tells whether none is left."""
        self._admit()
        list(self._map(_train_epoch, [run for _plan, run in self._work]))
        watched = self._watched() if self.progress is not None else math.nan
        over = [bool(run.finished[: len(plan.probes)].all()) for plan, run in self._work]
        finished = [item for item, done in zip(self._work, over, strict=True) if done]
        self._work = [item for item, done in zip(self._work, over, strict=True) if not done]
        gathered = self._map(_results, [run for _, run in finished])
        for (plan, _), results in zip(finished, gathered, strict=True):
            for name, values in results.items():
                buffer = self.get_buffer(name)
                buffer[list(plan.probes)] = values[: len(plan.probes)].to(buffer.dtype)
        if self.progress is not None:
            self.progress(int((self.get_buffer("epochs") > 0).sum()), len(self.tasks), watched)
        return not (self._work or self._waiting)

    def close(self) -> None:
        """End the threads and drop what only training needs, also after an error."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._work, self._validation = [], {}

    def _watched(self) -> float:
        """Mean of the last values on the curves of the probes in work."""
        last = [
            run.curve.gather(1, (run.epochs[:, None] - 1).clamp(min=0))[: len(plan.probes), 0]
            for plan, run in self._work
        ]
        return float(torch.cat(last).nanmean()) if last else math.nan

    def _held(self, plan: BlockPlan) -> int:
        """Bytes of the training rows that the block holds: none for a probe that is streamed."""
        size = plan.bytes(self._source.width)
        return 0 if plan.size == 1 and size > self._room else size

    def _map(self, work: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        return map(work, items) if self._pool is None else self._pool.map(work, items)

    def _admit(self) -> None:
        """Load the next blocks while the rows of all blocks in work fit the memory; one always does."""
        used = sum(self._held(plan) for plan, _ in self._work)
        admitted: list[BlockPlan] = []
        while self._waiting:
            used += self._held(self._waiting[0])
            if used > self._room and (self._work or admitted):
                break
            admitted.append(self._waiting.pop(0))
        self._load_validation(admitted)
        self._work += zip(admitted, self._map(self._open, admitted), strict=True)

    def _load_validation(self, plans: Sequence[BlockPlan]) -> None:
        """Load the validation rows [v, D + 1] once per distinct choice."""
        for rows in (self.tasks[plan.probes[0]].validation for plan in plans):
            if rows.tobytes() not in self._validation:
                x = room(len(rows), self.features.dimension + 1, device=self.device)
                self._validation[rows.tobytes()] = self._source.load(rows, x)

    @torch.inference_mode()
    def _open(self, plan: BlockPlan) -> Run:
        block = Block(
            plan, self._source, self.labels, self.tasks,
            self._validation[self.tasks[plan.probes[0]].validation.tobytes()],
            num_classes=self.num_classes, config=self.config, streamed=not self._held(plan),
            class_align=GPU_ALIGN if self.device.type == "cuda" else 1,
        )  # fmt: skip
        return AdamRun(block, self.config) if self.config.solver == "adam" else LBFGSRun(block, self.config)

    def probe_set(self) -> ProbeSet:
        """Return the gathered probes."""
        values = {name: buffer.cpu().numpy() for name, buffer in self.named_buffers()}
        folded = values.pop("folded")
        return ProbeSet(
            weights=np.ascontiguousarray(folded[:, :, :-1].transpose(0, 2, 1)),
            biases=np.ascontiguousarray(folded[:, :, -1]),
            epochs=values["epochs"],
            validation_loss=values["validation_loss"],
            converged=values["converged"] > 0,
            degenerate=values["degenerate"] > 0,
            penalty=values["penalty"],
            constant_features=values["constant_features"].astype(np.int64),
            far_rows=values["far_rows"].astype(np.int64),
            curve=np.ascontiguousarray(values["curve"][:, : values["epochs"].max()]),
            unit_norm=self.config.scaling == "unit_norm",
        )


@torch.inference_mode()
def _train_epoch(run: Run) -> None:
    run.epoch()


@torch.inference_mode()
def _results(run: Run) -> dict[str, Tensor]:
    """Return what the buffers of the bank gather, [P, ...] each."""
    return {
        "folded": run.block.fold(run.kept),
        "epochs": run.epochs,
        "validation_loss": run.block.validate(run.kept),
        "converged": run.converged,
        "degenerate": run.block.degenerate(run.kept),
        "penalty": run.penalty,
        "constant_features": run.block.constant_features,
        "far_rows": run.block.far_rows,
        "curve": run.curve,
    }


def share_out(plans: Sequence[BlockPlan], ranks: int) -> list[list[BlockPlan]]:
    """Give each block, the largest first, to the rank with the fewest rows."""
    shares: list[list[BlockPlan]] = [[] for _ in range(ranks)]
    loads = [0] * ranks
    for plan in plans:
        rank = loads.index(min(loads))
        shares[rank].append(plan)
        loads[rank] += plan.size * plan.rows
    return shares
