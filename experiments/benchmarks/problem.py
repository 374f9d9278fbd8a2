"""Synthetic embeddings and the tasks of a characterization."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.probes.probe_set import ProbeTask
from scar.sampling.subsets import SubsetsConfig, draw_subsets

FACTORS = (1, 2, 5, 10, 15, 20, 30)


@dataclass(frozen=True)
class Problem:
    """N training rows, a validation part of a tenth of them, and one probe per subset."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    tasks: list[ProbeTask]
    classes: int

    @property
    def trained(self) -> int:
        """Rows of an epoch of all probes."""
        return sum(len(task.train) for task in self.tasks)

    @property
    def checked(self) -> int:
        """Rows that validate it."""
        return sum(len(task.validation) for task in self.tasks)


def make_problem(n: int, dimension: int, classes: int, factors: tuple[int, ...] = FACTORS, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n + n // 10)
    centres = rng.standard_normal((classes, dimension), dtype=np.float32) * np.float32(3 / dimension**0.5)
    x = rng.standard_normal((len(y), dimension), dtype=np.float32)
    x += centres[y]
    rows, validation = np.arange(n), np.arange(n, len(y))
    subsets = draw_subsets(rows, y, SubsetsConfig(factors=factors), seed=seed)
    return Problem(x, y, [ProbeTask(s.rows, validation, seed) for s in subsets], classes)
