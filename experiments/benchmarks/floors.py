"""What the hardware allows for one training step: its two products, and the copy of its rows."""

from dataclasses import dataclass

import torch

from experiments.benchmarks.timing import least_seconds


@dataclass(frozen=True)
class Floor:
    """Seconds of one core for 500 rows; `train` counts the larger of products and gather, as the bar does."""

    products: float
    gather: float
    forward: float
    peak: float

    @property
    def train(self) -> float:
        return max(self.products, self.gather)


def measure_floor(dimension: int, classes: int, rows: int = 20_000) -> Floor:
    """Time on one thread, as each probe is trained; the best of the layouts that BLAS offers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x, weights = torch.randn(500, dimension), torch.randn(classes, dimension)
        error, wide = torch.randn(classes, 500), weights.t().contiguous()
        data, order = torch.randn(rows, dimension), torch.randperm(rows)
        batches, place = order.split(500), iter(range(10**9))
        square = torch.randn(2048, 2048)
        forward = min(least_seconds(lambda: weights @ x.t()), least_seconds(lambda: x @ wide))
        backward = min(least_seconds(lambda: error @ x), least_seconds(lambda: x.t() @ error.t()))
        gather = least_seconds(lambda: torch.index_select(data, 0, batches[next(place) % len(batches)], out=x))
        peak = 2 * 2048**3 / least_seconds(lambda: square @ square, calls=5)
    finally:
        torch.set_num_threads(threads)
    return Floor(forward + backward, gather, forward, peak)
