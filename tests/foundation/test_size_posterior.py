"""The posterior of sizes against sums written out: what classes tell each other, and what distribution functions add up to."""

import numpy as np
from planted import power_law_observations
from scipy.special import logsumexp, ndtr

from scar.foundation import size_posterior
from scar.foundation.gaps import measure_gaps
from scar.foundation.size_posterior import ODD, TIMES, fit_classes, gap_shapes


def fitted(classes=7):
    rng = np.random.default_rng(0)
    levels = 0.025 * np.exp(rng.normal(0, 0.8, classes))
    held = rng.integers(2, 400, classes)
    seen = power_law_observations(rng, levels, 0.5, counts=rng.integers(20, 2000, classes), heldout=held)
    gaps = measure_gaps(seen, error="balanced")
    gaps = gaps.steps(gaps.defined)
    return fit_classes(gaps, seen.class_sizes[0].astype(float), gap_shapes())


def test_the_prior_of_a_level_is_what_the_other_classes_tell():
    rng = np.random.default_rng(1)
    nodes = [np.linspace(low, low + 4, size_posterior._LEVELS) for low in (-9.0, -6.0, -4.0)]
    logs = [-0.5 * ((node - centre) / 0.7) ** 2 for node, centre in zip(nodes, rng.normal(-4, 1, 3), strict=True)]
    tilt = np.array([0.5, -1.0, 0.5])
    grid = (size_posterior._CENTRES, size_posterior._SPREADS, size_posterior._TILTS)
    centre, spread, slope = (each.ravel() for each in np.meshgrid(*grid, indexing="ij"))
    hyper = -0.5 * (np.log(spread / 0.7) / 0.7) ** 2 - 0.5 * ((slope - 0.5) / 0.3) ** 2
    hyper -= 0.5 * ((centre - np.log(0.03)) / 2.0) ** 2
    priors = []
    for node, smaller in zip(nodes, tilt, strict=True):
        away = node - (centre + slope * smaller)[:, None]
        parts = ((1 - ODD[0], spread[:, None]), (ODD[0], np.maximum(spread, ODD[1])[:, None]))
        like = [np.log(share) - 0.5 * (away / wide) ** 2 - np.log(wide) for share, wide in parts]
        priors.append(np.logaddexp(*like) + np.log(node[1] - node[0]))
    told = np.array([logsumexp(prior + each, axis=1) for prior, each in zip(priors, logs, strict=True)])
    for k, found in enumerate(size_posterior._level_priors(nodes, logs, tilt)):
        others = hyper + told.sum(axis=0) - told[k]
        expected = logsumexp(priors[k] + (others - logsumexp(others))[:, None], axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_probabilities_and_centres_are_sums_over_the_curves():
    posterior = fitted()
    shapes = posterior.shapes.logs(TIMES)
    below, centre = posterior.below(0.03), posterior.centre(TIMES)
    for k, weight in enumerate(posterior.weight):
        logs = posterior.level[k][:, None] + shapes[posterior.shape[k]]
        logs -= posterior.departure[k][:, None] * np.log(TIMES)
        share = weight @ ndtr((np.log(0.03) - logs) / size_posterior._drift(TIMES))
        np.testing.assert_allclose(below[k], np.maximum.accumulate(share), atol=1e-12)
        np.testing.assert_allclose(centre[k], np.exp(weight @ logs), rtol=1e-10)
