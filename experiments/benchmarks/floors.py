"""What the hardware allows: for one training step its two products and the copy of its rows; for a device its rates."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import torch
from torch import Tensor

from experiments.benchmarks.timing import least_seconds

BATCHES = 300
# Of 500 rows, that each thread takes in one timing of a floor.


def floor_cases(x: Tensor, classes: int, threads: int) -> dict[str, Callable[[], None]]:
    """Return what a training cannot do without: each case takes `BATCHES` batches of rows x [N, D] per thread.

    The threads work at once, as they do in training, and share the memory as they do there. Of the layouts that BLAS
    offers for a product the faster one is taken.
    """
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    weights, error = torch.randn(classes, x.shape[1]), torch.randn(classes, 500)
    wide, tall = weights.t().contiguous(), error.t()

    def product(*layouts: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        batch = torch.randn(500, x.shape[1])
        trial = partial(min, layouts, key=lambda layout: least_seconds(lambda: layout(batch)))
        faster = pool.submit(trial).result()
        return at_once(lambda own: faster(own))

    def gather() -> Callable[[], None]:
        batches = cycle(torch.randint(len(x), (BATCHES, 500)))
        return at_once(lambda own: torch.index_select(x, 0, next(batches), out=own))

    def at_once(call: Callable[[Tensor], object]) -> Callable[[], None]:
        buffers = [torch.randn(500, x.shape[1]) for _ in range(threads)]

        def run() -> None:
            list(pool.map(repeat, [call] * threads, buffers))

        return run

    return {
        "forward": product(lambda own: weights @ own.t(), lambda own: own @ wide),
        "backward": product(lambda own: error @ own, lambda own: own.t() @ tall),
        "gather": gather(),
    }


def repeat(call: Callable[[Tensor], object], buffer: Tensor) -> None:
    for _ in range(BATCHES):
        call(buffer)


@dataclass(frozen=True)
class Device:
    """Bytes per second that a large copy moves, and floating-point operations per second of a large product."""

    bandwidth: float
    peak: float


def measure_device(device: str, precision: str) -> Device:
    """Time a product of large square matrices and a copy of one, with the precision of the probes."""
    size = 8192 if device == "cuda" else 2048
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    square = torch.randn(size, size, device=device, dtype=kind)
    out = torch.empty_like(square)

    def finished(operation: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            operation()
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        product = least_seconds(finished(lambda: torch.mm(square, square, out=out)), calls=5)
    finally:
        torch.set_float32_matmul_precision(before)
    copy = least_seconds(finished(lambda: out.copy_(square)), calls=5)
    return Device(2 * square.nbytes / copy, 2 * size**3 / product)
