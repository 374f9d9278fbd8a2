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
from numpy.typing import NDArray

Floats = NDArray[np.float64]

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
    fits = [_fit_exponent(relative, 1.0 - rates, weight, power) for power in EXPONENTS]
    evidence = np.array([each[0] for each in fits])
    chance = np.exp(evidence - evidence.max())
    mean, covariance, centre, spread = (np.stack([each[i] for each in fits]) for i in (1, 2, 3, 4))
    return MixedFit(
        scale=scale,
        probability=chance / chance.sum(),
        mean=mean,
        covariance=covariance,
        centre=centre,
        spread=spread,
    )


def _fit_exponent(
    relative: Floats, recall: Floats, weight: Floats, power: float
) -> tuple[float, Floats, Floats, Floats, Floats]:
    """Return evidence, posterior mean [K, 2] and covariance [K, 2, 2], mean [2] and covariance [2, 2] of classes."""
    design = np.stack([np.ones_like(relative), -np.where(weight > 0, relative**-power, 0.0)], axis=-1)
    information = np.einsum("kr,kra,krb->kab", weight, design, design)
    score = np.einsum("kr,kra,kr->ka", weight, design, recall)
    pooled = information.sum(axis=0) + 1e-9 * np.eye(2)
    centre, spread = np.linalg.solve(pooled, score.sum(axis=0)), 4.0 * WEAK
    for _ in range(ROUNDS):
        inverse = np.linalg.inv(spread)
        covariance = np.linalg.inv(information + inverse)
        mean = np.einsum("kab,kb->ka", covariance, score + inverse @ centre)
        centre = mean.mean(axis=0)
        apart = mean - centre
        spread = ((covariance + apart[:, :, None] * apart[:, None, :]).sum(axis=0) + WEAK) / (len(mean) + 1)
    return _evidence(information, score, recall, weight, centre, spread), mean, covariance, centre, spread


def _evidence(
    information: Floats, score: Floats, recall: Floats, weight: Floats, centre: Floats, spread: Floats
) -> float:
    """Return the log marginal likelihood of all points, up to a constant that no exponent changes."""
    inverse = np.linalg.inv(spread)
    precision = information + inverse
    towards = score + inverse @ centre
    fitted = np.einsum("ka,kab,kb->k", towards, np.linalg.inv(precision), towards)
    squares = (weight * recall**2).sum(axis=1) + centre @ inverse @ centre - fitted
    determinants = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(spread)[1]
    return float(-0.5 * (squares + determinants).sum())
