"""Plans for samples that carry any number of labels: what a sample brings besides the label that it is bought for.

A plan counts samples. Each stands under the rarest of the labels that it carries (by the training set), and samples that
carry none are not bought. A strategy says how many samples of each label it wants; those that stand under label j bring
``T[j, l]`` samples of label l each, on average over those that stand under j in the pool (or, where nobody knows its
labels, in the training set). The plan buys the fewest samples that bring what is wanted, the rarest label first: what
comes along is not bought again. T is triangular in that order, so that this is forward substitution.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.co_label_table import CoLabels
from scar.completion.planner import Planner
from scar.completion.problem import CompletionProblem


def buy(planner: Planner, problem: CompletionProblem, budget: float, order: Ints) -> Allocation:
    """Divide a budget over the classes; of several labels per sample, over the labels that samples are bought for.

    Args:
        planner: the strategy.
        problem: counts, reserve, needs and limits.
        budget: samples to add, or money.
        order: [R] class of every reserve sample, or the label that it stands under, in the random order in which samples
            are taken.

    Raises:
        ValueError: the strategy does not plan for several labels.
    """
    together = problem.co_labels
    if together is None:
        return planner.allocate(problem, budget, order)
    if planner.why_one_class:
        raise ValueError(
            f"completion={planner.name} does not plan for samples that carry several labels: {planner.why_one_class}; use scar, "
            "class_average, water_filling, long_tail_first, proportional, error_proportional or random"
        )
    if planner.draws_samples:
        drawn = replace(
            problem, co_labels=None, counts=together.standing, reserve=together.room, minimum=None, maximum=None
        )
        return planner.allocate(drawn, budget, order)
    return _buy_wanted(planner, problem, together, budget, order)


def _buy_wanted(
    planner: Planner, problem: CompletionProblem, together: CoLabels, budget: float, order: Ints
) -> Allocation:
    """Return the samples of the largest wish of a strategy that the budget pays."""
    plain = replace(problem, co_labels=None)

    def wish(amount: float) -> tuple[Ints, tuple[str, ...]]:
        wanted = planner.allocate(plain, amount, order)
        return together.cover(wanted.counts), wanted.flags

    low = plain.limits.cost(plain.limits.lower)
    high = max(np.ceil(budget * together.most), low)
    counts, flags = wish(high)
    if problem.prices @ counts <= budget:
        return Allocation(counts=counts, flags=flags)
    above = counts
    counts, flags = wish(low)
    while high - low > 1:
        middle = (low + high) // 2
        tried, said = wish(middle)
        if problem.prices @ tried <= budget:
            low, counts, flags = middle, tried, said
        else:
            high, above = middle, tried
    return Allocation(counts=_spend(counts, above, budget, problem.prices), flags=flags)


def _spend(counts: Ints, above: Ints, budget: float, prices: Floats) -> Ints:
    """Spend what is left of a budget on what the next larger wish would buy, as far as it goes."""
    bought = counts.copy()
    for step in np.argsort(counts - above, kind="stable"):
        left = (budget - prices @ bought + 1e-9) // prices[step]
        bought[step] += int(np.clip(above[step] - bought[step], 0, max(left, 0)))
    return bought
