"""Slice Tuner: spend a budget where the learning curves promise most (Tae and Whang, 2021)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.class_curves import ClassCurves
from scar.completion.planner import Planner
from scar.completion.problem import CompletionProblem
from scar.completion.sharing import Limits, round_counts

FLAT = 1e-6
"""A drop below this is a flat curve."""


@dataclass(frozen=True, kw_only=True)
class SliceTunerPlanner(Planner):
    """Minimise the mean miss rate that the curves predict, and the excess of the classes above it.

    With the curve ``e_j(m)`` of the miss rate of class j, the size ``m_j``, the price ``p_j`` and the mean ē of the
    present miss rates: minimise ``Σ_j e_j(m_j + d_j) + λ Σ_j max(0, e_j(m_j + d_j) / ē - 1)`` subject to
    ``Σ_j p_j d_j = B`` and the limits. One shot: nothing is trained again in between. The problem is convex and is
    solved with cvxpy and Clarabel. A class whose curve is flat, such as one of pure noise, receives next to nothing.
    The curve is that of the probes' held-out recall rather than of a loss.

    Attributes:
        fairness: λ, the weight of the classes that are worse than the mean.
    """

    name: str = "slice_tuner"
    fairness: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.fairness < math.inf:
            raise ValueError(f"completion.fairness={self.fairness} must be at least 0 and finite")

    @property
    def why_one_class(self) -> str:
        """Classes have to exclude one another."""
        return "its curves are of classes that exclude one another"

    def allocate(self, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
        """Solve the allocation problem and round it."""
        if problem.curves is None:
            raise ValueError(
                f"completion={self.name} needs learning curves: a held-out part (split.heldout) and at least three "
                "subsets.factors"
            )
        return spend_on_curves(problem.curves, problem, budget, fairness=self.fairness)


def spend_on_curves(curves: ClassCurves, problem: CompletionProblem, budget: float, *, fairness: float) -> Allocation:
    """Divide a budget by curves; a class without a curve takes the mean curve of the others and is flagged."""
    flags = [f"no_curve:{j}" for j in np.flatnonzero(~curves.defined)]
    flags += [f"unseen:{j}" for j in np.flatnonzero(curves.defined & (problem.counts == 0))]
    curves = curves.borrow(~curves.defined)
    limits = problem.limits.within(np.where(curves.defined, problem.limits.upper, problem.limits.lower))
    budget = float(np.clip(budget, limits.cost(limits.lower), limits.cost(limits.upper)))
    room = limits.upper > limits.lower
    for bound in (limits.lower, limits.upper):
        if budget == limits.cost(bound) or not room.any():
            return Allocation(counts=bound.copy(), flags=tuple(flags))
    if not (curves.drop[0][room] > FLAT).any():
        flags.append("curves_flat")
    exact = limits.lower.astype(np.float64)
    exact[room] = _solve(curves, problem.counts, limits, budget, fairness, room)
    return Allocation(counts=round_counts(exact, budget, limits), flags=tuple(flags))


def _solve(
    curves: ClassCurves, counts: Ints, limits: Limits, budget: float, fairness: float, room: NDArray[np.bool_]
) -> Floats:
    """Return the additions [k] of the classes that have room."""
    spend = budget - limits.cost(np.where(room, 0, limits.lower))
    present = np.maximum(counts, 1)[room].astype(np.float64)
    miss = 1.0 - curves.recall(counts)[0]
    mean = float(np.nanmean(miss))
    prices, low = limits.prices[room], limits.lower[room]
    high = np.minimum(limits.upper[room], np.ceil(spend / prices))
    # An empty class may grow by hundreds of samples where others double: in samples, or in shares of what there is,
    # the solver fails now and then. In this unit no class grows much more than the others.
    unit = np.maximum(present, spend / prices.sum())
    program = _program(int(room.sum()))
    cost = prices * unit
    program.floor.value = 1.0 - curves.limit[0][room] - mean
    program.log_drop.value = np.log(np.maximum(curves.drop[0][room], FLAT)) - curves.exponent[0][room] * np.log(
        unit / curves.scale[room]
    )
    program.exponent.value = curves.exponent[0][room]
    program.fairness.value = fairness / max(mean, 1e-6)
    program.low.value, program.high.value = (present + low) / unit, (present + high) / unit
    program.cost.value = cost / cost.mean()
    program.total.value = (spend + prices @ present) / cost.mean()
    return np.asarray(np.clip(program.solve() * unit - present, low, high))


@dataclass(frozen=True, eq=False)
class _Program:
    """A compiled problem in the sizes ``x_j = (m_j + d_j) / u_j`` of k classes in units u; only its parameters change."""

    problem: Any
    size: Any
    floor: Any
    log_drop: Any
    exponent: Any
    fairness: Any
    low: Any
    high: Any
    cost: Any
    total: Any

    def solve(self) -> Floats:
        """Return the sizes [k]."""
        with warnings.catch_warnings():
            # Where curves are nearly flat, many allocations are equally good, and the solver says so.
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            # A warm start would make a plan depend on the plans before it, and fails now and then.
            self.problem.solve(solver="CLARABEL", warm_start=False)
        if self.size.value is None:
            raise RuntimeError(f"the allocation problem was not solved: {self.problem.status}")
        return np.asarray(self.size.value, dtype=np.float64)


@cache
def _program(classes: int) -> _Program:
    """Compile the problem for a number of classes, once."""
    import cvxpy

    cp: Any = cvxpy  # its atoms are exported without annotations

    size, excess, above = cp.Variable(classes), cp.Variable(classes), cp.Variable(classes, nonneg=True)
    floor, log_drop, low, high = (cp.Parameter(classes) for _ in range(4))
    exponent, cost = (cp.Parameter(classes, nonneg=True) for _ in range(2))
    fairness, total = cp.Parameter(nonneg=True), cp.Parameter()
    constraints = [
        excess >= cp.exp(log_drop - cp.multiply(exponent, cp.log(size))),
        above >= excess + floor,
        size >= low,
        size <= high,
        cost @ size == total,
    ]
    problem = cp.Problem(cp.Minimize(cp.sum(excess) + fairness * cp.sum(above)), constraints)
    return _Program(problem, size, floor, log_drop, exponent, fairness, low, high, cost, total)
