"""Small classification problems for the tests of the probes."""

import numpy as np
from numpy.typing import NDArray

from scar.probes.probe_set import ProbeSet, ProbeTask


def gaussian_classes(
    n: int, dimension: int, classes: int, *, separation: float = 0.3, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit-variance classes around random means, on features of different scale and offset."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    x = rng.normal(size=(classes, dimension))[labels] * separation + rng.normal(size=(n, dimension))
    x = x * rng.uniform(0.2, 5, dimension) + rng.uniform(-3, 3, dimension)
    return x.astype(np.float32), labels


def tasks_of_sizes(sizes: list[int], *, pool: int, validation: NDArray[np.int64]) -> list[ProbeTask]:
    """One task per size, on rows drawn from 0..pool-1."""
    rng = np.random.default_rng(1)
    return [ProbeTask(rng.permutation(pool)[:n], validation, seed) for seed, n in enumerate(sizes)]


def assert_same(left: ProbeSet, right: ProbeSet) -> None:
    """Every array equal to the last bit."""
    for name in ("weights", "biases", "epochs", "validation_loss", "converged", "degenerate", "penalty"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
