"""Power laws of many classes fitted together, so that a starved class borrows what its own points cannot say.

The recall of class j at the class size m is ``L_j - D_j (m / s)^-g`` plus an error. The exponent g is shared;
``(L_j, D_j)`` are normal over the classes with a mean and covariance that are estimated from all of them (empirical
Bayes, by expectation maximisation for each g of a grid). A class of five samples that is never recognised has a flat
series of zeros, as a class of pure noise has: the size of the error of a point, which falls with the class size, is what
tells them apart. The former follows the other classes, the latter its own points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scar.common.types import Floats

EXPONENTS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.4])
"""Exponents that are tried, equally likely beforehand."""
MISFIT = 0.5
"""A power law misses the recall of a class of m samples by about this over √m."""
OWN_NOISE = 0.25
"""Share of the held-out part's binomial variance that is not common to all sizes, which share its samples."""
ROUNDS = 25
"""Rounds of the expectation maximisation."""
WEAK = np.diag([0.05**2, 0.05**2])
"""Prior scale of the covariance over the classes, worth one class."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MixedFit:
    """Posterior of the curves for each of G exponents.

    Attributes:
        scale: s, the class size at which `drop` is the distance from the limit.
        probability: [G] of the exponents.
        mean: [G, K, 2] of limit and drop.
        covariance: [G, K, 2, 2].
        centre: [G, 2] mean over the classes.
        spread: [G, 2, 2] covariance over the classes.
    """

    scale: float
    probability: Floats
    mean: Floats
    covariance: Floats
    centre: Floats
    spread: Floats

    def draw(self, draws: int, rng: np.random.Generator, *, spare: int = 0) -> tuple[Floats, Floats, Floats]:
        """Return limit and drop [1 + B, K + spare] and exponent [1 + B]; row 0 is the most likely.

        Args:
            draws: B.
            rng: of the draws.
            spare: classes that nothing is known of, appended.
        """
        mean = np.concatenate([self.mean, np.repeat(self.centre[:, None], spare, axis=1)], axis=1)
        covariance = np.concatenate([self.covariance, np.repeat(self.spread[:, None], spare, axis=1)], axis=1)
        chosen = rng.choice(len(self.probability), size=draws, p=self.probability)
        root = np.linalg.cholesky(covariance + 1e-12 * np.eye(2))[chosen]
        noise = rng.standard_normal((draws, mean.shape[1], 2, 1))
        drawn = mean[chosen] + (root @ noise)[..., 0]
        best = int(np.argmax(self.probability))
        values = np.concatenate([mean[best][None], drawn])
        exponent = EXPONENTS[np.concatenate([[best], chosen])]
        return np.clip(values[..., 0], 0.0, 1.0), np.maximum(values[..., 1], 0.0), exponent


def fit_mixed(sizes: Floats, rates: Floats, heldout: Floats) -> MixedFit:
    """Fit the curves.

    Args:
        sizes: [K, R] class size at each subset size; points without samples do not count.
        rates: [K, R] held-out miss rates.
        heldout: [K] held-out samples.
    """
    smooth = (rates * heldout[:, None] + 0.5) / (heldout[:, None] + 1.0)
    noise = OWN_NOISE * smooth * (1.0 - smooth) / heldout[:, None]
    weight = np.where(sizes > 0, 1.0 / (MISFIT**2 / np.maximum(sizes, 1e-9) + noise), 0.0)
    scale = float(np.exp(np.log(sizes.max(axis=1)).mean()))
    relative = np.maximum(sizes, 1e-9) / scale
    falling = np.where(weight > 0, relative[None] ** -EXPONENTS[:, None, None], 0.0)
    design = np.stack([np.ones_like(falling), -falling], axis=-1)
    weighted = design * weight[None, :, :, None]
    information = np.einsum("gkra,gkrb->gkab", weighted, design)
    score = np.einsum("gkra,kr->gka", weighted, 1.0 - rates)
    mean, covariance, centre, spread = _maximise(information, score)
    evidence = _evidence(information, score, centre, spread)
    chance = np.exp(evidence - evidence.max())
    return MixedFit(
        scale=scale, probability=chance / chance.sum(), mean=mean, covariance=covariance, centre=centre, spread=spread
    )


def _maximise(information: Floats, score: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return posterior means [G, K, 2] and covariances, and mean [G, 2] and covariance [G, 2, 2] of the classes."""
    pooled = information.sum(axis=1) + 1e-9 * np.eye(2)
    centre = np.linalg.solve(pooled, score.sum(axis=1)[..., None])[..., 0]
    spread = np.broadcast_to(4.0 * WEAK, pooled.shape)
    for _ in range(ROUNDS):
        inverse = np.linalg.inv(spread)
        covariance = np.linalg.inv(information + inverse[:, None])
        towards = score + np.einsum("gab,gb->ga", inverse, centre)[:, None]
        mean = (covariance @ towards[..., None])[..., 0]
        centre = mean.mean(axis=1)
        apart = mean - centre[:, None]
        scatter = covariance.sum(axis=1) + np.einsum("gka,gkb->gab", apart, apart)
        spread = (scatter + WEAK) / (mean.shape[1] + 1)
    return mean, covariance, centre, spread


def _evidence(information: Floats, score: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return [G] the log marginal likelihood of all points, up to a constant that no exponent changes."""
    inverse = np.linalg.inv(spread)
    precision = information + inverse[:, None]
    pull = np.einsum("gab,gb->ga", inverse, centre)
    towards = score + pull[:, None]
    fitted = np.einsum("gka,gkab,gkb->gk", towards, np.linalg.inv(precision), towards)
    squares = np.einsum("ga,ga->g", centre, pull)[:, None] - fitted
    determinants = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(spread)[1][:, None]
    return np.asarray(-0.5 * (squares + determinants).sum(axis=1))
