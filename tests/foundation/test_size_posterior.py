"""The posterior of sizes against sums written out: what classes tell each other, and what distribution functions add up to."""

from dataclasses import replace

import numpy as np
import pytest
from planted import power_law_observations
from scipy.special import logsumexp, ndtr

from scar.foundation import size_posterior
from scar.foundation.gaps import mean_noise, measure_gaps
from scar.foundation.size_posterior import (
    ODD,
    POWER_WEIGHT,
    RISE,
    TIMES,
    fit_classes,
    fit_curve,
    gap_shapes,
    power_weight,
)


def planted_gaps(classes=7):
    rng = np.random.default_rng(0)
    levels = 0.025 * np.exp(rng.normal(0, 0.8, classes))
    held = rng.integers(2, 400, classes)
    seen = power_law_observations(rng, levels, 0.5, counts=rng.integers(20, 2000, classes), heldout=held)
    gaps = measure_gaps(seen, error="balanced")
    return gaps.steps(gaps.defined), seen.class_sizes[0].astype(float)


def fitted():
    return fit_classes(*planted_gaps(), gap_shapes())


def with_training_error(gaps, error):
    return replace(gaps, heldout_error=gaps.gap.mean(axis=1) + error)


def test_power_laws_are_unlikely_where_the_training_error_rises():
    gaps, _ = planted_gaps()
    still, rising = (with_training_error(gaps, 0.05 + slope * np.log(gaps.sizes)) for slope in (0.0, 0.004))
    assert power_weight(still) == pytest.approx(POWER_WEIGHT)
    assert power_weight(rising) == pytest.approx(POWER_WEIGHT * np.exp(-0.004 / rising.heldout_error[-1] / RISE))
    assert power_weight(with_training_error(gaps, 0.05 - 0.004 * np.log(gaps.sizes))) == POWER_WEIGHT
    assert 0.0 < power_weight(replace(rising, heldout_error=0.0 * rising.heldout_error)) <= POWER_WEIGHT
    sizes = [fit_curve(each.mean(), gap_shapes(power_weight(each))).below(0.01)[0] for each in (still, rising)]
    assert (sizes[1] >= sizes[0] - 1e-12)[TIMES > 1].all()
    assert sizes[1][60] > sizes[0][60]


def test_the_shapes_of_gaps_are_probabilities():
    shapes = gap_shapes(0.3)
    prior = np.exp(shapes.log_prior)
    assert prior.sum() == pytest.approx(1.0)
    assert prior[shapes.bend == 0.0].sum() == pytest.approx(0.3)


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


def test_the_noise_of_the_mean_of_two_classes_that_are_taken_for_each_other_is_that_of_one():
    seen = power_law_observations(np.random.default_rng(2), [0.03, 0.03], 0.5, counts=[900, 900], heldout=[300, 300])
    assert mean_noise(seen, error="balanced") == 1.0  # no false alarms
    seen = replace(seen, heldout_false_alarms=seen.heldout_misses[:, ::-1])
    assert mean_noise(seen, error="balanced") == pytest.approx(2.0)
    gaps = measure_gaps(seen, error="balanced")
    whole = gaps.mean().noisier(2.0)
    np.testing.assert_allclose(whole.common[0], gaps.common.mean(axis=0), rtol=0.01)
    np.testing.assert_allclose(whole.unseen[0], gaps.unseen.mean(), rtol=0.01)
