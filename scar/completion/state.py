"""Makes the `CompletionProblem` of a training set from its counts, its estimate and what its probes showed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.budgets import BudgetsConfig
from scar.completion.class_curves import ClassCurves, fit_curves
from scar.completion.co_label_table import CoLabels
from scar.completion.forecast import Forecaster
from scar.completion.problem import CompletionProblem
from scar.foundation.estimates import Estimate
from scar.measures.observations import Observations


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
    pools: Ints | None = None,
    deployment: Floats | None = None,
    forecaster: Forecaster | None = None,
    co_labels: CoLabels | None = None,
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
        votes: [E, K] step sizes by encoder, for `consensus` alone.
        pools: [M, K] class sizes of the pools that are compared, or None.
        deployment: [K] class mix where a classifier will be used; None: that of the training set.
        forecaster: for a planner that asks for forecasts alone.
        co_labels: where samples may carry several labels.

    Raises:
        ValueError: limits that contradict each other or the reserve, or name no class.
    """
    least, most = budgets.class_limits(class_names)
    shares = counts / (counts.sum() if co_labels is None else co_labels.samples)
    return CompletionProblem(
        counts=counts,
        reserve=reserve,
        step_sizes=estimate.step_sizes,
        class_names=class_names,
        need_intervals=estimate.step_intervals * shares[:, None],
        miss_rates=miss_rates(observations),
        curves=fit_curves(observations, counts),
        forecaster=forecaster,
        deployment=shares if deployment is None else deployment,
        truth=truth,
        votes=votes,
        costs=budgets.class_costs(class_names, modalities),
        unit=budgets.unit,
        minimum=least,
        maximum=most,
        pools=pools,
        co_labels=co_labels,
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
