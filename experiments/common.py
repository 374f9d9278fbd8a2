"""What the experiments share: a job from overrides, an interval over seeds, tables and figures on disk."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scar.studies.common import DATASETS, OWN, TITLES, open_job, write_csv, write_png, write_text

__all__ = ["DATASETS", "OWN", "TITLES", "mean_interval", "open_job", "write_csv", "write_png", "write_text"]


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of independent values and its Student interval; a single value has an infinite one."""
    from scipy.stats import t

    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if array.size < 2:
        return mean, -np.inf, np.inf
    half = float(t.ppf(0.5 + level / 2, array.size - 1) * array.std(ddof=1) / np.sqrt(array.size))
    return mean, mean - half, mean + half
