"""The composition surface and the forecasts that it makes, on planted truths."""

from dataclasses import replace

import numpy as np
import pytest
from gaussian_classes import GaussianClasses
from scipy.special import expit

from scar.completion import forecast as forecasting
from scar.completion.class_prospects import class_prospects
from scar.completion.compositions import CompositionOutcomes, draw_compositions
from scar.completion.forecast import FORECASTS, REFUSALS
from scar.completion.forecast_settings import HELD, ForecastConfig, why_none
from scar.completion.surface import covariance, derivatives, features, fit_surface, laplace, log_posterior
from scar.probes.settings import ProbeConfig

COUNTS = np.array([240, 150, 90, 60, 40, 20])


def regression(seed, classes=4, rows=12):
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((rows, classes, 4))
    asked = rng.integers(5, 40, (rows, classes)).astype(float)
    return design, rng.binomial(asked.astype(int), 0.7).astype(float), asked


def flat(function, classes=4):
    """The log posterior as a function of one vector: all β_j, then μ."""
    return lambda v: function(v[:-4].reshape(classes, 4), v[-4:])


def test_gradient_and_hessian_are_those_of_finite_differences():
    data, rng = regression(0), np.random.default_rng(1)
    beta, centre = rng.normal(0.3, 0.2, (4, 4)), rng.normal(0.3, 0.2, 4)
    value = flat(lambda b, c: log_posterior(b, c, *data))
    here, eye = np.append(beta.ravel(), centre), 1e-4 * np.eye(20)
    gradient, by_centre, blocks, corner = derivatives(beta, centre, *data)
    slope = [(value(here + e) - value(here - e)) / 2e-4 for e in eye]
    assert np.append(gradient.ravel(), by_centre) == pytest.approx(slope, rel=1e-5, abs=1e-5)
    changed = flat(lambda b, c: np.concatenate([part.ravel() for part in derivatives(b, c, *data)[:2]]))
    hessian = -np.stack([(changed(here + e) - changed(here - e)) / 2e-4 for e in eye])
    ours = np.zeros((20, 20))
    for j in range(4):
        ours[4 * j : 4 * j + 4, 4 * j : 4 * j + 4] = blocks[j]
        ours[4 * j : 4 * j + 4, 16:] = ours[16:, 4 * j : 4 * j + 4] = -np.diag(forecast_precision())
    ours[16:, 16:] = corner
    assert ours == pytest.approx(hessian, rel=1e-4, abs=1e-4)
    own, pull, common = covariance(blocks, corner)
    inverse = np.linalg.inv(ours)
    assert own[1] + pull[1] @ common @ pull[1].T == pytest.approx(inverse[4:8, 4:8])
    assert pull[1] @ common @ pull[2].T == pytest.approx(inverse[4:8, 8:12])


def forecast_precision():
    from scar.completion.surface import CLASS_DEVIATION

    return CLASS_DEVIATION**-2.0


def test_newton_ends_at_the_mode():
    data = regression(2)
    beta, *_ = laplace(*data)
    centre = np.zeros(4)
    for _ in range(200):  # the mode of μ for these β, by its own equation
        gradient, by_centre, _, corner = derivatives(beta, centre, *data)
        centre = centre + np.linalg.solve(corner, by_centre)
    assert np.abs(gradient).max() < 1e-5


def outcomes(seed, counts=COUNTS, compositions=90, heldout=200):
    """Right answers drawn from a planted surface, and that surface."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    drawn = draw_compositions(np.arange(len(labels)), labels, count=compositions, largest=10**6, seed=seed)
    sizes = np.stack([np.bincount(labels[rows], minlength=len(counts)) for rows in drawn])
    beta = np.array([1.0, 0.4, -0.2, -0.1]) + rng.standard_normal((len(counts), 4)) * [0.8, 0.1, 0.1, 0.1]

    def recall(given, o=0.0):
        design = features(given, counts)
        design[..., 3] = o
        return expit(np.einsum("...kp,kp->...k", design, beta))

    held, outside = np.full(len(counts), heldout), counts - sizes
    made = CompositionOutcomes(
        counts=counts,
        sizes=sizes,
        heldout=held,
        heldout_hits=rng.binomial(held, recall(sizes)),
        outside=outside,
        outside_hits=rng.binomial(outside, recall(sizes, 1.0)),
    )
    return made, recall


def test_the_posterior_of_a_planted_surface_holds_what_was_planted():
    inside, cases = 0, 0
    for seed in range(20):
        made, recall = outcomes(seed)
        surface = fit_surface(made)
        for added in (np.full(6, 40), COUNTS[::-1]):
            weights = np.full(6, 1 / 6)
            slopes = (surface.slopes(COUNTS + added) - surface.slopes(COUNTS)) * weights[:, None]
            found = surface.recall(COUNTS + added).mean() - surface.recall(COUNTS).mean()
            planted = recall(COUNTS + added).mean() - recall(COUNTS).mean()
            inside += abs(found - planted) <= 1.645 * np.sqrt(surface.variance(slopes))
            cases += 1
    assert inside >= 0.85 * cases  # overdispersion widens: independent answers are held more often than 90 %


def test_the_order_of_the_classes_changes_nothing():
    made, _ = outcomes(3)
    order = np.array([4, 1, 5, 0, 2, 3])
    turned = CompositionOutcomes(**{name: value[..., order] for name, value in vars(made).items()})
    sizes = COUNTS + 30
    one, other = fit_surface(made), fit_surface(turned)
    assert other.recall(sizes[order]) == pytest.approx(one.recall(sizes)[order], abs=1e-9)
    assert other.variance(other.slopes(sizes[order])) == pytest.approx(one.variance(one.slopes(sizes)), rel=1e-6)


def test_forecasts_of_raw_and_matched_gains_hold_what_comes_true():
    held = {"gain": [], "matched_gain": []}
    for seed in range(8):
        world = GaussianClasses(classes=6, seed=seed)
        forecaster = world.forecaster(COUNTS)
        for added in (np.full(6, 60), COUNTS // 2, np.maximum(120 - COUNTS, 0)):
            ahead = forecaster.expect((COUNTS + added)[None])
            assert ahead.refused.tolist() == [""]
            then, before = world.real(added)
            for name, now, past in zip(held, then, before, strict=True):
                _, low, high = getattr(ahead, name)[0]
                held[name].append(low <= now - past <= high)
    assert np.mean(held["gain"]) >= 0.85
    assert np.mean(held["matched_gain"]) >= 0.85


@pytest.mark.slow
def test_where_labels_are_wrong_forecasts_of_gains_by_right_ones_hold():
    held = {"gain": [], "matched_gain": []}
    counts = np.array([180, 140, 110, 90, 80, 70])
    for seed in range(10):
        world = GaussianClasses(classes=6, seed=seed, flipped=0.2)
        forecaster = world.forecaster(counts)
        assert forecaster.worse_labels
        now = forecaster.counts
        for added in (np.full(6, 60), counts // 2, np.maximum(150 - counts, 0)):
            ahead = forecaster.expect((now + added)[None])
            then, before = world.real(added)
            for name, reached, past in zip(held, then, before, strict=True):
                _, low, high = getattr(ahead, name)[0]
                held[name].append(low <= reached - past <= high)
    assert np.mean(held["gain"]) >= 0.85
    assert np.mean(held["matched_gain"]) >= 0.85


def test_right_labels_are_worth_more_than_those_there_are_and_say_so_to_the_last_class():
    forecaster = GaussianClasses(classes=4, seed=11, flipped=0.3).forecaster([60, 50, 40, 30])
    even, now = np.full(4, 0.25), forecaster.counts
    surface = forecaster.surface(even)
    alike, added = replace(surface, better=False), np.array([40, 0, 40, 40])
    assert surface.recall(now) == pytest.approx(alike.recall(now), abs=1e-12)
    assert np.flatnonzero(surface.recall(now + added) > alike.recall(now + added)).tolist() == [0, 2, 3]
    assert class_prospects(forecaster, 4).verdicts.tolist() == [""] * 4


def test_slopes_hold_what_the_worth_of_right_labels_depends_on():
    forecaster = GaussianClasses(classes=4, seed=11, flipped=0.3).forecaster([60, 50, 40, 30], compositions=30)
    surface, step = forecaster.surface(np.full(4, 0.25)), 1e-5
    sizes = forecaster.counts + np.array([40, 0, 10, 80])
    for p in range(4):
        up, down = (replace(surface, mean=surface.mean + sign * step * np.eye(4)[p]) for sign in (1, -1))
        assert surface.slopes(sizes)[:, p] == pytest.approx(
            (up.recall(sizes) - down.recall(sizes)) / (2 * step), abs=1e-7
        )


def test_a_forecast_is_deterministic_and_nothing_added_gains_nothing():
    one, other = (GaussianClasses(classes=4, seed=5).forecaster([50, 40, 30, 20], compositions=30) for _ in range(2))
    sizes = np.array([[50, 40, 30, 20], [60, 60, 60, 60]])
    for name in FORECASTS:
        assert np.array_equal(getattr(one.expect(sizes), name), getattr(other.expect(sizes), name))
    assert one.expect(sizes).matched_gain[0, 0] == 0
    assert one.expect(sizes, now=sizes[1]).gain[1, 0] == 0


def test_fewer_compositions_widen_the_interval():
    counts = np.array([80, 60, 40, 20])
    few, many = (GaussianClasses(classes=4, seed=6).forecaster(counts, compositions=c) for c in (30, 90))
    width = [np.ptp(each.expect((counts + 40)[None]).matched_balanced_gain[0, 1:]) for each in (few, many)]
    assert width[0] > 1.2 * width[1]


def test_an_absent_class_is_worth_what_the_others_teach():
    world = GaussianClasses(classes=5, seed=7)
    counts = np.array([60, 60, 60, 60, 0])
    forecaster = world.forecaster(counts)
    added = np.array([0, 0, 0, 0, 60])
    _, low, high = forecaster.expect((counts + added)[None]).matched_balanced_gain[0]
    then, before = world.real(added)
    assert low <= then[1] - before[1] <= high
    assert forecaster.recalls("matched_balanced_accuracy", counts)[4] == 0


@pytest.mark.parametrize("apart", [0.3, 0.5, 2.0])
def test_too_many_wrong_labels_are_refused_however_little_probes_learn(apart):
    for seed in range(2):
        world = GaussianClasses(classes=10, seed=seed, flipped=0.8, apart=apart)
        forecaster = world.forecaster([60] * 10, compositions=30)
        assert forecaster.expect(forecaster.counts[None] + 10).refused.tolist() == ["noisy_labels"]


def test_probes_that_are_no_better_than_chance_are_not_forecast_from():
    forecaster = GaussianClasses(classes=10, seed=2, flipped=0.9).forecaster([60] * 10, compositions=30)
    assert forecaster.expect(forecaster.counts[None] + 10).refused.tolist() == ["at_chance"]


def test_what_cannot_be_forecast_is_refused_by_name():
    forecaster = GaussianClasses(classes=4, seed=8).forecaster([60, 50, 40, 30], compositions=30)
    ahead = forecaster.expect(np.array([[100, 90, 80, 70], [900, 900, 900, 900]]))
    assert ahead.refused.tolist() == ["", "too_large"]
    assert np.isnan(ahead.matched_gain[1]).all()
    noisy = GaussianClasses(classes=10, seed=8, flipped=0.8, apart=0.5).forecaster([60] * 10, compositions=30)
    assert noisy.expect(noisy.counts[None] + 10).refused.tolist() == ["noisy_labels"]
    untested = replace(forecaster, tested=np.zeros(4, int))
    assert untested.expect(np.array([[100, 90, 80, 70]])).refused.tolist() == ["nothing_held_out"]
    assert set(REFUSALS) >= {"noisy_labels", "too_large", "nothing_held_out"}


def test_scores_that_were_not_asked_for_are_left_out():
    asked = GaussianClasses(classes=3, seed=9).forecaster([50, 40, 30], compositions=30, scores=("matched_accuracy",))
    ahead = asked.expect(np.array([[70, 70, 70]]))
    assert np.isfinite(ahead.matched_gain).all()
    assert np.isnan(ahead.balanced_gain).all()


def test_a_declared_mix_weights_matched_accuracy():
    mix = np.array([0.7, 0.3, 0.0])
    forecaster = GaussianClasses(classes=3, seed=10).forecaster(
        [50, 40, 30], compositions=30, deployment=mix, declared=True
    )
    recalls = forecaster.recalls("matched_accuracy", np.array([50, 40, 30]))
    ahead = forecaster.expect(np.array([[50, 40, 30]]))
    assert ahead.matched_accuracy[0, 0] == pytest.approx(mix @ recalls)
    assert recalls[2] == 0  # never decided for


def test_settings_refuse_what_is_not_calibrated():
    with pytest.raises(ValueError, match=r"forecast\.scores: 'macro_f1' is not forecast, because no interval"):
        ForecastConfig(scores=("macro_f1",))
    with pytest.raises(ValueError, match=r"forecast\.compositions=8 must be at least 30, or 0 for no forecast"):
        ForecastConfig(compositions=8)
    with pytest.raises(ValueError, match=r"forecast\.seeds='last' is unknown; use one of first, all"):
        ForecastConfig(seeds="last")
    assert ForecastConfig().scores == HELD


@pytest.mark.parametrize(
    ("changes", "probe", "seed", "reason"),
    [
        ({}, ProbeConfig(), 0, ""),
        ({}, ProbeConfig(), 3, "not_asked"),
        ({"seeds": "all"}, ProbeConfig(), 3, ""),
        ({"compositions": 0}, ProbeConfig(), 0, "not_asked"),
        ({}, ProbeConfig.linear(), 0, "not_at_optimum"),
        ({}, ProbeConfig(shared_penalty=False), 0, "not_at_optimum"),
        ({}, ProbeConfig(shared_penalty=False, penalties=(0.01,)), 0, ""),
    ],
)
def test_forecasts_are_for_seeds_that_ask_and_probes_at_the_optimum(changes, probe, seed, reason):
    assert why_none(ForecastConfig(**changes), probe, seed, heldout=True) == reason
    assert why_none(ForecastConfig(**changes), probe, seed, heldout=False) == (
        "not_asked" if reason == "not_asked" else "nothing_held_out"
    )


def test_compositions_keep_two_of_a_class_and_stay_within_the_set():
    labels = np.repeat(np.arange(3), [100, 20, 1])
    rows = np.arange(len(labels))
    drawn = draw_compositions(rows, labels, count=40, largest=10**6, seed=0)
    assert np.array_equal(drawn[0], rows)
    for each in drawn:
        sizes = np.bincount(labels[each], minlength=3)
        assert (sizes >= [6, 2, 1]).all()
        assert len(np.unique(each)) == len(each)
    few = draw_compositions(rows, labels, count=5, largest=60, seed=0)
    assert len(few[0]) == 60
    assert all(np.isin(each, few[0]).all() for each in few)
    assert ForecastConfig().compositions == forecasting.CALIBRATED
