"""The composition surface: what each class would reach after training on sets of given class sizes, with uncertainty.

The recall of class j after training on the class sizes n_1 … n_K, ``N = Σ_l n_l``, is modelled as

    logit r_j(n) = a_j + b_j x(n_j) + c_j log((N - n_j) / N_0) + d_j o,    x(n) = -4 ((n / s_0)^(-1/4) - 1).

s_0 is the geometric mean class size and N_0 the size of the present training set. o = 1 for answers on the samples of
the training set that a composition leaves out, whose labels may be worse than those of the held-out part, and 0 for
answers on the latter, which forecasts are of. A class gains by its own size (b_j) and loses to that of the others (c_j);
without samples its recall is 0. The coefficients β_j of the classes are normal around common means μ, so that a class of
which little is known borrows from the others. Right answers are binomial, with counts divided by an overdispersion of 2:
all probes are asked about the same items. The posterior is Laplace's, normal at the mode that Newton's method finds.
Classes meet in μ alone, so that a step costs O(K).

Where the labels of the training set are worse than those held out and those of what is added, one well-labelled sample is
worth ``1 / v_j`` of those that there are: m_j of them beside n_j make the own size ``n_j + m_j / v_j``. Of a sample whose
label is another one with probability ρ the probe learns what ``(1 - ρ)²`` rightly labelled samples teach, for wrong labels
shrink what tells the classes apart by 1 - ρ and leave its noise; 1 - ρ is how much more rarely a probe agrees with labels
of the training set than with held-out ones, so that ``v_j = (r_j(o = 1) / r_j(o = 0))²`` at the present class sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from scar.common.types import Floats, Ints
from scar.completion.compositions import CompositionOutcomes

EXPONENT = 0.25
"""Of the learning curve of a class in its own size."""
PRIOR_MEAN = np.array([0.0, 0.3, 0.0, 0.0])
"""Of μ: intercept, own size, size of the others, samples outside the composition."""
PRIOR_DEVIATION = np.array([1e3, 0.5, 0.3, 0.5])
"""Of μ; the intercept is free."""
CLASS_DEVIATION = np.array([1.0, 0.15, 0.15, 0.3])
"""Of the β_j around μ."""
OVERDISPERSION = 2.0
LEAST = 0.5
"""Least number of samples, own and others', that the features are computed with."""
FEWEST_RIGHT = 0.2
"""Least 1 - ρ of a class."""
STEPS, SMALLEST_STEP = 50, 1e-9
"""Of Newton's method: at most, and the change of a coefficient that ends it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface:
    """The normal posterior of the coefficients of K classes.

    The covariance of β_j and β_l is ``1[j = l] own_j + pull_j common pull_lᵀ``.

    Attributes:
        counts: [K] sizes of the present classes.
        mean: [K, 4] of a_j, b_j, c_j, d_j.
        own: [K, 4, 4] covariance of β_j where μ is known.
        pull: [K, 4, 4] how β_j follows μ.
        common: [4, 4] covariance of μ.
        better: whether what is beyond the present class sizes is labelled as what is held out, and the rest worse.
    """

    counts: Ints
    mean: Floats
    own: Floats
    pull: Floats
    common: Floats
    better: bool = False

    def recall(self, sizes: Ints, *, outside: bool = False) -> Floats:
        """Return the recalls [..., K] at class sizes [..., K]; 0 for a class without samples.

        Args:
            sizes: of the sets that are trained on.
            outside: on samples of the training set that were left out rather than on held-out ones.
        """
        design = features(sizes, self.counts, self._added_worth(sizes))
        design[..., 3] = float(outside)
        return np.where(np.asarray(sizes) > 0, expit(np.einsum("...kp,kp->...k", design, self.mean)), 0.0)

    def slopes(self, sizes: Ints) -> Floats:
        """Return [..., K, 4] the derivative of each recall by the coefficients of its class."""
        recall, added = self.recall(sizes), self._added_worth(sizes)
        design = features(sizes, self.counts, added)
        if added is not None:  # v_j is estimated as well
            own = np.maximum(np.minimum(sizes, self.counts) + added, LEAST)
            less = (own / typical_size(self.counts)) ** -EXPONENT * added / own  # of x, by log v_j
            design -= (self.mean[:, 1] * less)[..., None] * self._log_worth()[1]
        return np.asarray((recall * (1.0 - recall))[..., None] * design)

    def _added_worth(self, sizes: Ints) -> Floats | None:
        """Return [..., K] how many samples like those there are what is added is worth; None where it is like them."""
        if not self.better:
            return None
        worth, _ = self._log_worth()
        return np.asarray(np.maximum(np.asarray(sizes) - self.counts, 0) * np.exp(-worth))

    def _log_worth(self) -> tuple[Floats, Floats]:
        """Return log v_j [K] and its derivative [K, 4] by the coefficients of the class."""
        held = features(self.counts, self.counts)
        own = held + np.array([0.0, 0.0, 0.0, 1.0])
        recalls = [expit(np.einsum("kp,kp->k", design, self.mean))[:, None] for design in (held, own)]
        slopes = 2 * ((1 - recalls[1]) * own - (1 - recalls[0]) * held)
        worth = 2 * np.log(recalls[1] / recalls[0])[:, 0]
        lowest = 2 * np.log(FEWEST_RIGHT)
        return np.clip(worth, lowest, 0.0), np.where(((worth > lowest) & (worth < 0))[:, None], slopes, 0.0)

    def variance(self, slopes: Floats) -> Floats:
        """Return [...] the posterior variance of a sum over the classes with slopes [..., K, 4], to first order."""
        own = np.einsum("...kp,kpq,...kq->...", slopes, self.own, slopes)
        common = np.einsum("...kp,kpq->...q", slopes, self.pull)
        return np.asarray(own + np.einsum("...p,pq,...q->...", common, self.common, common))


def fit_surface(outcomes: CompositionOutcomes) -> Surface:
    """Fit the surface to what the probes on compositions get right."""
    sizes, held = outcomes.sizes, outcomes.heldout
    design = features(sizes, outcomes.counts)
    outside = design.copy()
    outside[..., 3] = 1.0
    right = np.concatenate([outcomes.heldout_hits, outcomes.outside_hits])
    asked = np.concatenate([np.broadcast_to(held, sizes.shape), outcomes.outside])
    trained = np.tile(
        sizes > 0, (2, 1)
    )  # a class without samples is never decided for: that says nothing of its slopes
    weight = np.where(trained, asked, 0) / OVERDISPERSION
    mean, own, pull, common = laplace(
        np.concatenate([design, outside]), np.where(trained, right, 0) / OVERDISPERSION, weight
    )
    return Surface(counts=outcomes.counts, mean=mean, own=own, pull=pull, common=common)


def features(sizes: Ints, counts: Ints, added: Floats | None = None) -> Floats:
    """Return the design [..., K, 4] of class sizes [..., K], for answers on the held-out part.

    Args:
        sizes: of the sets that are trained on.
        counts: [K] present class sizes.
        added: [..., K] how many samples like the present ones what is beyond these sizes is worth; None: as many.
    """
    given = np.asarray(sizes, dtype=np.float64)
    worth = given if added is None else np.minimum(given, counts) + added
    own = -((np.maximum(worth, LEAST) / typical_size(counts)) ** -EXPONENT - 1.0) / EXPONENT
    others = np.log(np.maximum(given.sum(axis=-1, keepdims=True) - given, LEAST) / max(counts.sum(), 1))
    return np.stack([np.ones_like(given), own, others, np.zeros_like(given)], axis=-1)


def typical_size(counts: Ints) -> float:
    """Return s_0, the geometric mean of class sizes [K]."""
    return float(np.exp(np.log(np.maximum(counts, 1)).mean()))


def laplace(design: Floats, right: Floats, asked: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the posterior of a hierarchical binomial regression: see `Surface` for mean, own, pull and common.

    Args:
        design: [R, K, P].
        right: [R, K] right answers, whole or not.
        asked: [R, K] of so many; 0 for what does not count.
    """
    classes = design.shape[1]
    beta, centre = np.tile(PRIOR_MEAN, (classes, 1)), PRIOR_MEAN.copy()
    value = log_posterior(beta, centre, design, right, asked)
    for _ in range(STEPS):
        gradient, by_centre, blocks, corner = derivatives(beta, centre, design, right, asked)
        own, pull, common = covariance(blocks, corner)
        step_centre = common @ (by_centre + np.einsum("kqp,kq->p", pull, gradient))
        step = np.einsum("kpq,kq->kp", own, gradient) + pull @ step_centre
        size, length = max(float(np.abs(step).max()), float(np.abs(step_centre).max())), 1.0
        if size < SMALLEST_STEP:
            break
        while (new := log_posterior(beta + length * step, centre + length * step_centre, design, right, asked)) < value:
            length /= 2
            if length * size < SMALLEST_STEP:
                return beta, own, pull, common
        beta, centre, value = beta + length * step, centre + length * step_centre, new
    return beta, own, pull, common


def covariance(blocks: Floats, corner: Floats) -> tuple[Floats, Floats, Floats]:
    """Return own, pull and common of `Surface` from the blocks of `derivatives`, whose Hessian is an arrow."""
    precision = CLASS_DEVIATION**-2.0
    own = np.asarray(np.linalg.inv(blocks), dtype=np.float64)
    pull: Floats = own * precision
    common: Floats = np.linalg.inv(corner - (pull * precision[:, None]).sum(axis=0))
    return own, pull, common


def log_posterior(beta: Floats, centre: Floats, design: Floats, right: Floats, asked: Floats) -> float:
    """Return the log posterior of β [K, P] and μ [P], up to a constant; the rest as in `laplace`."""
    logits = np.einsum("rkp,kp->rk", design, beta)
    fit = np.sum(right * log_expit(logits) + (asked - right) * log_expit(-logits))
    apart = np.sum(((beta - centre) / CLASS_DEVIATION) ** 2)
    return float(fit - 0.5 * apart - 0.5 * np.sum(((centre - PRIOR_MEAN) / PRIOR_DEVIATION) ** 2))


def derivatives(
    beta: Floats, centre: Floats, design: Floats, right: Floats, asked: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the gradient of `log_posterior` by β [K, P] and μ [P], and minus its Hessian: [K, P, P] of each β_j, [P, P] of μ.

    The block between β_j and μ is ``-T⁻¹``, ``T = diag(CLASS_DEVIATION²)``; between two classes it is 0.
    """
    precision = CLASS_DEVIATION**-2.0
    recall = expit(np.einsum("rkp,kp->rk", design, beta))
    pulled = (beta - centre) * precision
    gradient = np.einsum("rk,rkp->kp", right - asked * recall, design) - pulled
    by_centre = pulled.sum(axis=0) - (centre - PRIOR_MEAN) / PRIOR_DEVIATION**2
    weighted = (asked * recall * (1.0 - recall))[..., None] * design
    blocks = np.einsum("rkp,rkq->kpq", weighted, design) + np.diag(precision)
    corner = np.diag(len(beta) * precision + PRIOR_DEVIATION**-2.0)
    return gradient, by_centre, blocks, corner
