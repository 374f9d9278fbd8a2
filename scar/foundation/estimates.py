"""The estimates of every estimator, as one record that can be written and read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.types import Floats
from scar.foundation.prospect import Prospect
from scar.foundation.settings import FoundationConfig
from scar.measures.observations import Observations

FILE = "foundation.json"
FEW_SAMPLES = "few_samples"
"""Flag of a step whose class has too few samples for an estimate."""
JUDGES = ("reference", "recommended")
"""Estimators that answer for every class: one as the published numbers do, one by saying itself what it cannot tell."""
ONE_CLASS = ("reference",)
"""Estimators of samples of one class each."""
LEAST_HELDOUT = 100
"""Held-out samples that tell a class by themselves: of so many, one moves its miss rate by a point."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """What one estimator says of one training set.

    Attributes:
        foundation_size: samples of the whole set that are enough; 0 where the need is met, NaN where undefined.
        interval: of `foundation_size` at `level`.
        step_sizes: [K] whole-set samples, at the class mix of the observed set, that are enough for each step; NaN
            where undefined, which includes a class with too few samples to tell (flag ``few_samples``).
        step_intervals: [K, 2].
        flags: of the set.
        step_flags: [K] flags of each step.
        level: of the intervals.
        prospect: what more data are expected to bring; None where the estimator does not say.
    """

    foundation_size: float
    interval: tuple[float, float]
    step_sizes: Floats
    step_intervals: Floats
    flags: tuple[str, ...]
    step_flags: tuple[tuple[str, ...], ...]
    level: float
    prospect: Prospect | None = None

    def class_needs(self, counts: NDArray[np.int64], samples: int | None = None) -> Floats:
        """Return [K] samples of each class that are enough, ``step_sizes · m_j / n`` at the class counts m [K].

        A step's size is in samples of the whole set of n, which `samples` gives where a sample may carry several labels. NaN
        where it is undefined, and for a class without samples.
        """
        size = counts.sum() if samples is None else samples
        needs: Floats = np.where(counts > 0, self.step_sizes, np.nan) * counts / size
        return needs


def estimate(observations: Observations, config: FoundationConfig) -> dict[str, Estimate]:
    """Fit every estimator of the configuration on the same observations.

    Where samples carry several labels `ONE_CLASS` is left out: the factor F of the published numbers is of arg-max decisions.
    """
    from scar.foundation.estimators import make_estimators

    estimates = {}
    for name, estimator in make_estimators(config).items():
        if observations.several and name in ONE_CLASS:
            continue
        fitted = estimator.fit(observations)
        found = Estimate(
            foundation_size=float(fitted.foundation_size_),
            interval=(float(fitted.interval_[0]), float(fitted.interval_[1])),
            step_sizes=np.asarray(fitted.step_sizes_, dtype=np.float64),
            step_intervals=np.asarray(fitted.step_intervals_, dtype=np.float64),
            flags=tuple(fitted.flags_["set"]),
            step_flags=tuple(tuple(fitted.flags_[step]) for step in range(observations.num_steps)),
            level=config.level,
            prospect=getattr(fitted, "prospect_", None),
        )
        judges = name in JUDGES
        estimates[name] = found if judges else _without(found, too_few(observations, config.min_count))
    return estimates


def too_few(observations: Observations, min_count: int) -> NDArray[np.bool_]:
    """Return [K] whether a class that is there has too few samples for an estimate of its own.

    That is fewer than `min_count` in the training set or, where a part is held out, fewer in it than `LEAST_HELDOUT` and
    than half of an equal share. Such a class has seldom been right or wrong often enough to tell a small gap from none;
    classes that are all small are told by pooling, one that is much smaller than the others is not.
    """
    trained = observations.class_sizes[observations.factors == observations.factors.min()].sum(axis=0)
    few, heldout = trained < min_count, observations.heldout_class_sizes
    if heldout is not None and heldout.any():
        few = few | (heldout < min(LEAST_HELDOUT, 0.5 * heldout.mean()))
    return np.asarray(few & (trained > 0))


def _without(found: Estimate, steps: NDArray[np.bool_]) -> Estimate:
    """Leave the sizes of steps undefined that rest on too few samples."""
    if not steps.any():
        return found
    flags = tuple((FEW_SAMPLES,) if few else own for few, own in zip(steps, found.step_flags, strict=True))
    noted = found.flags if "undefined_steps" in found.flags else (*found.flags, "undefined_steps")
    return replace(
        found,
        step_sizes=np.where(steps, np.nan, found.step_sizes),
        step_intervals=np.where(steps[:, None], np.nan, found.step_intervals),
        step_flags=flags,
        flags=noted,
    )


def save_estimates(estimates: dict[str, Estimate], folder: Path) -> None:
    """Write estimates as ``foundation.json``."""
    write_json(folder / FILE, {name: _plain(each) for name, each in estimates.items()})


def load_estimates(folder: Path) -> dict[str, Estimate]:
    """Read what `save_estimates` wrote."""
    return {name: _estimate(record) for name, record in read_json(folder / FILE).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate | Prospect):
        return {name: _plain(each) for name, each in vars(value).items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _estimate(record: dict[str, Any]) -> Estimate:
    low, high = record["interval"]
    ahead = record["prospect"]
    return Estimate(
        foundation_size=record["foundation_size"],
        interval=(low, high),
        step_sizes=np.array(record["step_sizes"], dtype=np.float64),
        step_intervals=np.array(record["step_intervals"], dtype=np.float64),
        flags=tuple(record["flags"]),
        step_flags=tuple(map(tuple, record["step_flags"])),
        level=record["level"],
        prospect=None if ahead is None else Prospect(**{k: np.array(v, dtype=np.float64) for k, v in ahead.items()}),
    )
