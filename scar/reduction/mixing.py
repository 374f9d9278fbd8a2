"""Learned mixing weights: small models of random mixtures, a regression of what they achieve, and the mixture it likes best.

After RegMix (Liu et al., 2025, *RegMix: Data Mixture as Regression for Language Model Pre-training*), with a ridge regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from scar.common.randomness import generator
from scar.common.types import Floats, Ints
from scar.reduction.choices import share_by_need

_PENALTIES = np.logspace(-4, 2, 13)
_SIMULATED = 4000
_BEST = 0.01
"""Share of the simulated mixtures whose mean is taken."""
_SPREAD = (0.5, 5.0)
"""Of the concentration, over the number of concepts, from which mixtures are drawn; a small one gives extreme mixtures."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    """What was learned of K concepts.

    Attributes:
        counts: [K] pairs to take of each.
        effects: [K] slope of what is achieved over the share of a concept, about their mean.
        rank_correlation: of what was achieved and what the regression predicted for each mixture left out in turn; at 0 or below the
            weights are noise.
    """

    counts: Ints
    effects: Floats
    rank_correlation: float


def draw_mixtures(available: ArrayLike, budget: int, count: int, *, seed: int) -> Ints:
    """Draw how many pairs of each concept a mixture has: Dirichlet about what there is, never more than there is.

    Args:
        available: [K] pairs of each concept.
        budget: pairs of a mixture, at most the sum of `available`.
        count: number of mixtures M.
        seed: of the draws.

    Returns:
        [M, K], each row sums to the budget.
    """
    have = np.asarray(available, np.int64)
    rng, held = generator(seed, "mixtures"), have > 0
    shares = have[held] / have.sum()
    drawn = np.zeros((count, len(have)), np.int64)
    for row in range(count):
        concentration = np.exp(rng.uniform(*np.log(_SPREAD))) * held.sum()
        weights = rng.dirichlet(concentration * shares)
        drawn[row, held] = share_by_need(weights * budget, have[held], budget)
    return drawn


def learn_mixture(drawn: Ints, achieved: ArrayLike, available: ArrayLike, budget: int, *, seed: int) -> Mixture:
    """Fit what small models achieved to the shares of the concepts, and return the mean of the best simulated mixtures.

    Args:
        drawn: [M, K] pairs of each concept in the mixture of each model.
        achieved: [M], the larger the better.
        available: [K] pairs of each concept.
        budget: pairs to take.
        seed: of the simulated mixtures.

    Raises:
        ValueError: fewer than 8 models, or a value that is not finite.
    """
    values = np.asarray(achieved, np.float64)
    if len(values) < 8 or not np.isfinite(values).all():
        raise ValueError(
            f"{len(values)} mixtures, {int(np.isfinite(values).sum())} with a finite score: 8 or more are needed"
        )
    have, shares = np.asarray(available, np.int64), _shares(drawn)
    penalty = float(RidgeCV(alphas=_PENALTIES).fit(shares, values).alpha_)
    left_out = cross_val_predict(Ridge(alpha=penalty), shares, values, cv=LeaveOneOut())
    effects = np.asarray(Ridge(alpha=penalty).fit(shares, values).coef_, np.float64)
    simulated = draw_mixtures(have, budget, _SIMULATED, seed=seed)
    best = np.argsort(-(_shares(simulated) @ effects), kind="stable")[: round(_BEST * _SIMULATED)]
    counts = share_by_need(simulated[best].mean(axis=0), have, budget)
    known = np.ptp(left_out) > 0 and np.ptp(values) > 0
    correlation = float(spearmanr(left_out, values).statistic) if known else 0.0
    return Mixture(counts=counts, effects=effects - effects.mean(), rank_correlation=correlation)


def _shares(drawn: Ints) -> NDArray[np.float64]:
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True), np.float64)
