"""Tempered filling: raise the classes to sizes in proportion to a power of the deployment mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.class_curves import ClassCurves
from scar.completion.class_prospects import class_prospects
from scar.completion.forecast import Forecaster
from scar.completion.planner import Planner
from scar.completion.problem import CompletionProblem
from scar.completion.sharing import Limits, share

TAUS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Powers among which the forecast chooses."""
OBJECTIVES = ("accuracy", "balanced_accuracy", "worst_class", "mean")


@dataclass(frozen=True, kw_only=True)
class TemperedPlanner(Planner):
    """Raise the classes to sizes ``t π'_j^τ`` at the level t that spends the budget.

    π' is the class mix where the probe is used (`CompletionProblem.deployment`). τ = 0 lifts the smallest classes to one
    size, as `water_filling` does; τ = 1 restores the mix of deployment. A class with ``π'_j = 0`` receives its
    minimum for every τ. The plan says its τ in the flag ``tau=…``.

    Attributes:
        tau: τ in [0, 1]; None: the one of 0, 0.25, 0.5, 0.75, 1 whose plan is expected most of: by the composition surface
            where every seed has one (``forecast.seeds=all``), else by the learning curves, which cost nothing.
        objective: what is expected most of: ``"accuracy"`` at the deployment mix, ``"balanced_accuracy"``,
            ``"worst_class"`` (the lowest recall), or ``"mean"`` (half accuracy, half balanced accuracy).
        leave_out: where every seed has a surface, classes that are learnt and classes that more data do not mend
            (`scar.completion.class_prospects`) receive their minimum only, unless the others cannot take the whole budget, and
            are flagged ``learnt:j`` and ``not_mended:j``. Learning curves are too rough to tell noise from a class that is nearly learnt.
    """

    asks_forecasts: ClassVar[bool] = True

    name: str = "tempered"
    tau: float | None = None
    objective: str = "mean"
    leave_out: bool = True

    def __post_init__(self) -> None:
        if self.tau is not None and not 0 <= self.tau <= 1:
            raise ValueError(
                f"completion.tau={self.tau} must lie in [0, 1], or be null: chosen by what is expected of it"
            )
        if self.objective not in OBJECTIVES:
            raise ValueError(f"completion.objective={self.objective!r} is unknown; use one of {', '.join(OBJECTIVES)}")

    @property
    def why_one_class(self) -> str:
        """Classes have to exclude one another."""
        return "it raises classes to a mix, the shares of which sum to 1"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Fill at the given τ, or at the best of `TAUS`."""
        mix, curves = problem.deployment, _curves(problem)
        if mix is None:
            raise ValueError(f"completion={self.name} needs a class mix of deployment; the training set is empty")
        surface = problem.forecaster
        if curves is None and self.tau is None and surface is None:
            raise ValueError(
                f"completion={self.name} needs learning curves: a held-out part (split.heldout) and at least three "
                "subsets.factors; or give completion.tau"
            )
        least, most = problem.limits.lower, problem.limits.upper
        limits = problem.limits.within(np.where(mix > 0, most, least))
        flags = tuple(f"not_deployed:{j}" for j in np.flatnonzero(mix == 0))
        later = np.zeros(len(mix), np.bool_)
        if surface is not None and self.leave_out:
            verdicts = self._without_gain(problem, surface)
            later = verdicts != ""
            flags = (*flags, *(f"{verdicts[j]}:{j}" for j in np.flatnonzero(later)))
        tried = TAUS if self.tau is None else (self.tau,)
        plans = [_fill(budget, np.where(mix > 0, mix, 1.0) ** tau, limits, problem.counts, later) for tau in tried]
        scores = self._expected(surface or curves, mix, problem.counts + np.stack(plans)) if len(plans) > 1 else [0.0]
        best = int(np.argmax(np.round(scores, 9)))
        return Allocation(counts=plans[best], flags=(f"tau={tried[best]:g}", *flags))

    def weights(self, mix: Floats) -> Floats:
        """Return [K] what the recall of a class counts in the objective; equally for ``"worst_class"``."""
        even: Floats = np.full(len(mix), 1.0 / len(mix))
        return {"accuracy": mix, "mean": 0.5 * (mix + even)}.get(self.objective, even)

    def _expected(self, model: Forecaster | ClassCurves | None, mix: Floats, sizes: Ints) -> Floats:
        """Return [G] what is expected of sets of class sizes [G, K]: of curves, on average over their draws."""
        if isinstance(model, Forecaster):
            even = np.stack([model.recalls("matched_balanced_accuracy", each) for each in sizes])
            if self.objective == "worst_class":
                return np.asarray(even.min(axis=-1))
            deployed = np.stack([model.recalls("matched_accuracy", each) for each in sizes]) @ mix
            parts = {"accuracy": deployed, "balanced_accuracy": even.mean(axis=-1)}
            return np.asarray(parts.get(self.objective, (deployed + even.mean(axis=-1)) / 2))
        assert model is not None
        recalls = model.recall(sizes)[1:]
        scores = recalls.min(axis=-1) if self.objective == "worst_class" else recalls @ self.weights(mix)
        return np.asarray(scores.mean(axis=0))

    @staticmethod
    def _without_gain(problem: CompletionProblem, surface: Forecaster) -> NDArray[np.str_]:
        """Return [K] why a class gains nothing, or ``""``.

        A class that `define_needs` counts as the most needy is never left out: too little is known of it. Nor are all.
        """
        found = class_prospects(surface, len(problem.counts)).verdicts
        verdicts = np.where(np.isnan(problem.step_sizes) | (problem.counts == 0), "", found)
        wanted = (verdicts == "") & (problem.limits.upper > 0)
        return verdicts if wanted.any() else np.full_like(verdicts, "")


def _fill(budget: float, slope: Floats, limits: Limits, counts: Ints, later: NDArray[np.bool_]) -> Ints:
    """Raise classes to sizes in proportion to slopes [K]; classes [K] that come later take what the others cannot."""
    first = share(budget, slope, limits.within(np.where(later, limits.lower, limits.upper)), offset=counts)
    if not later.any() or limits.cost(first) >= budget - limits.prices.min():
        return first
    rest = Limits(lower=np.where(later, limits.lower, first), upper=limits.upper, prices=limits.prices)
    return share(budget, slope, rest, offset=counts)


def _curves(problem: CompletionProblem) -> ClassCurves | None:
    """Return curves of all classes; one of which too little is known takes the mean curve of the others."""
    curves = problem.curves
    if curves is None or not curves.defined.any():
        return None
    unknown = ~curves.defined | np.isnan(problem.step_sizes) | (problem.counts == 0)
    return curves.borrow(~curves.defined) if (curves.defined & ~unknown).sum() == 0 else curves.borrow(unknown)
