"""What every estimator says from the small sample, on one grid of targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from scar.common.types import Floats
from scar.foundation.heldout import HeldoutEstimator
from scar.foundation.learning_curve import LearningCurveEstimator
from scar.foundation.paper_text import PaperEstimator
from scar.foundation.published import ReferenceEstimator
from scar.measures.observations import Observations
from scar.studies.need.reality import gap_curve

Answer = tuple[str, str, float, Floats, Floats]
"""Question, estimator, target, sizes [K + 1] and intervals [K + 1, 2]; the set stands last."""

FLOOR = 1e-3
"""Least gap whose logarithm the power laws take."""


def power_law(sizes: Floats, gaps: Floats, exponent: float | None = None) -> Callable[[float], Floats]:
    """Fit ``gap = c n^-a`` [R, M] by least squares of the logarithms over all sizes.

    Args:
        sizes: [R].
        gaps: [R, M].
        exponent: a; None fits it, at least 0.05 so that every target is reached somewhere.

    Returns:
        The function that gives the sizes [M] at which the gaps fall to a target.
    """
    x, y = np.log(sizes), np.log(np.maximum(gaps, FLOOR))
    centred = x - x.mean()
    fitted = np.maximum(-(centred @ (y - y.mean(axis=0))) / (centred @ centred), 0.05)
    power = fitted if exponent is None else np.full(gaps.shape[1], exponent)
    return lambda target: np.exp(x.mean() + (y.mean(axis=0) - np.log(target)) / power)


def answers(seen: Observations, gaps: Sequence[float], recalls: Sequence[float]) -> Iterator[Answer]:
    """Yield the answers of all estimators, of the power laws, and of saying "twice what there is" to everything."""
    sizes, curve = gap_curve(seen)
    laws = {
        "power_fitted": power_law(sizes, curve),
        "power_half": power_law(sizes, curve, 0.5),
        "power_last_two": power_law(sizes[-2:], curve[-2:]),
    }
    heldout = HeldoutEstimator().fit(seen)
    none, twice = np.full((curve.shape[1], 2), np.nan), np.full(curve.shape[1], 2.0 * seen.n_total)
    for target in gaps:
        found = heldout.crossings(target)
        sizes_found = np.append(found.step_sizes, found.set_size)
        yield "gap", "heldout", target, sizes_found, np.vstack([found.step_intervals, found.set_interval])
        for name, estimator in (("paper", PaperEstimator), ("reference", ReferenceEstimator)):
            yield "gap", name, target, *_fitted(estimator(epsilon=target), seen)
        for name, law in laws.items():
            yield "gap", name, target, law(target), none
        yield "gap", "twice", target, twice, none
    for target in recalls:
        yield "recall", "learning_curve", target, *_fitted(LearningCurveEstimator(accuracy_target=target), seen)
        yield "recall", "twice", target, twice, none


def _fitted(estimator: object, seen: Observations) -> tuple[Floats, Floats]:
    fitted = estimator.fit(seen)  # type: ignore[attr-defined]
    sizes = np.append(fitted.step_sizes_, fitted.foundation_size_)
    return sizes, np.vstack([fitted.step_intervals_, fitted.interval_])


def predictions(seen: Observations, gaps: Sequence[float], recalls: Sequence[float]) -> pd.DataFrame:
    """Return one row per question, estimator, target and class (-1: the set)."""
    frames = []
    for question, estimator, target, sizes, intervals in answers(seen, gaps, recalls):
        about = {"question": question, "estimator": estimator, "target": target}
        classes = np.append(np.arange(seen.num_steps), -1)
        columns = {"class_id": classes, "predicted": sizes, "low": intervals[:, 0], "high": intervals[:, 1]}
        frames.append(pd.DataFrame(about | columns))
    return pd.concat(frames, ignore_index=True)
