"""From what the probes showed to the problem that a planner solves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from scar.completion.budgets import BudgetsConfig
from scar.completion.curves import ClassCurves, fit_curves
from scar.completion.problem import CompletionProblem
from scar.foundation.estimates import Estimate
from scar.measures.observations import Observations

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def state_problem(
    *,
    counts: Ints,
    reserve: Ints,
    class_names: tuple[str, ...],
    estimate: Estimate,
    observations: Observations,
    budgets: BudgetsConfig,
    modalities: Iterable[str] = (),
    truth: ClassCurves | None = None,
    votes: Floats | None = None,
) -> CompletionProblem:
    """Gather what planners read of a training set.

    Args:
        counts: [K] samples there are.
        reserve: [K] samples that could be added.
        class_names: [K] names.
        estimate: of the driver.
        observations: of the training set.
        budgets: prices and limits.
        modalities: that a sample of the dataset has.
        truth: for `oracle` alone.
        votes: [E, K] needs by encoder, for `consensus` alone.

    Raises:
        ValueError: limits that contradict each other or the reserve, or name no class.
    """
    least, most = budgets.class_limits(class_names)
    return CompletionProblem(
        counts=counts,
        reserve=reserve,
        needs=estimate.class_needs(counts),
        class_names=class_names,
        need_intervals=estimate.step_intervals * (counts / counts.sum())[:, None],
        miss_rates=miss_rates(observations),
        curves=fit_curves(observations, counts),
        truth=truth,
        votes=votes,
        costs=budgets.class_costs(class_names, modalities),
        unit=budgets.unit,
        minimum=least,
        maximum=most,
    )


def miss_rates(observations: Observations) -> Floats | None:
    """Return [K] Laplace's estimate ``(misses + 1) / (samples + 2)`` on the held-out part, by the probes on all data.

    NaN for a class that is not held out; None where nothing is.
    """
    misses, heldout = observations.heldout_misses, observations.heldout_class_sizes
    if misses is None or heldout is None:
        return None
    whole = misses[observations.factors == observations.factors.min()].mean(axis=0)
    return np.where(heldout > 0, (whole + 1.0) / (heldout + 2.0), np.nan)
