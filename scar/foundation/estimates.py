"""The estimates of every estimator, as one record that can be written and read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.foundation.config import FoundationConfig
from scar.measures.observations import Observations

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """What one estimator says of one training set.

    Attributes:
        foundation_size: samples of the whole set that are enough; 0 where the need is met, NaN where undefined.
        interval: of `foundation_size` at `level`.
        step_sizes: [K] whole-set samples, at the class mix of the observed set, that are enough for each step.
        step_intervals: [K, 2].
        flags: of the set.
        step_flags: [K] flags of each step.
        level: of the intervals.
    """

    foundation_size: float
    interval: tuple[float, float]
    step_sizes: Floats
    step_intervals: Floats
    flags: tuple[str, ...]
    step_flags: tuple[tuple[str, ...], ...]
    level: float

    def class_needs(self, counts: NDArray[np.int64]) -> Floats:
        """Return [K] samples of each class that are enough, given the class counts [K] of the observed set.

        ``step_sizes · m_j / n``: a step's size is in samples of the whole set. A class that the observed set lacks
        takes the largest defined need.
        """
        needs = np.where(counts > 0, self.step_sizes, np.nan) * counts / counts.sum()
        defined = needs[np.isfinite(needs) & (counts > 0)]
        filled: Floats = np.where(counts == 0, defined.max(initial=0.0), needs)
        return filled


def estimate(observations: Observations, config: FoundationConfig) -> dict[str, Estimate]:
    """Fit every estimator of the configuration on the same observations."""
    from scar.foundation import make_estimators

    estimates = {}
    for name, estimator in make_estimators(config).items():
        fitted = estimator.fit(observations)
        estimates[name] = Estimate(
            foundation_size=float(fitted.foundation_size_),
            interval=(float(fitted.interval_[0]), float(fitted.interval_[1])),
            step_sizes=np.asarray(fitted.step_sizes_, dtype=np.float64),
            step_intervals=np.asarray(fitted.step_intervals_, dtype=np.float64),
            flags=tuple(fitted.flags_["set"]),
            step_flags=tuple(tuple(fitted.flags_[step]) for step in range(observations.num_steps)),
            level=config.level,
        )
    return estimates


def save_estimates(path: Path, estimates: dict[str, Estimate]) -> None:
    """Write estimates as JSON."""
    from scar.store import write_json

    write_json(path, {name: _plain(each) for name, each in estimates.items()})


def load_estimates(path: Path) -> dict[str, Estimate]:
    """Read what `save_estimates` wrote."""
    from scar.store import read_json

    return {
        name: Estimate(
            foundation_size=record["foundation_size"],
            interval=tuple(record["interval"]),
            step_sizes=np.array(record["step_sizes"], dtype=np.float64),
            step_intervals=np.array(record["step_intervals"], dtype=np.float64),
            flags=tuple(record["flags"]),
            step_flags=tuple(tuple(flags) for flags in record["step_flags"]),
            level=record["level"],
        )
        for name, record in read_json(path).items()
    }


def _plain(value: Estimate) -> dict[str, Any]:
    return {
        "foundation_size": value.foundation_size,
        "interval": list(value.interval),
        "step_sizes": value.step_sizes.tolist(),
        "step_intervals": value.step_intervals.tolist(),
        "flags": list(value.flags),
        "step_flags": [list(flags) for flags in value.step_flags],
        "level": value.level,
    }
