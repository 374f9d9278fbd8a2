import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scar.foundation.growth import WEAK_PRIOR, fit_growth

FACTORS = np.array([1, 2, 5, 10, 15, 20, 30])
FRACTIONS = np.repeat(1.0 / FACTORS, FACTORS)


def planted(h, kappa, *, noise=0.05, draws=1, fractions=FRACTIONS, seed=0):
    random = np.random.default_rng(seed)
    curve = h * -np.expm1(-kappa * fractions)
    return curve[:, None] * np.exp(noise * random.standard_normal((fractions.size, draws)))


def held(interval, truth):
    return float(((interval[:, 0] <= truth) & (truth <= interval[:, 1])).mean())


@pytest.mark.parametrize("kappa", [1.0, 2.0, 5.0, 10.0])
@pytest.mark.parametrize("fractions", [FRACTIONS, np.unique(FRACTIONS)], ids=["repeats", "one-each"])
def test_prior_free_intervals_hold_the_truth_95_percent_of_the_time(kappa, fractions):
    draws = 2500 if fractions.size < 10 else 1500
    fit = fit_growth(planted(7.0, kappa, draws=draws, fractions=fractions, seed=3), fractions)
    assert held(fit.kappa_interval, kappa) == pytest.approx(0.95, abs=0.02)
    assert held(fit.h_interval, 7.0) == pytest.approx(0.95, abs=0.02)
    assert fit.identified.mean() > 0.99
    assert np.isfinite(fit.h_interval).all()


def test_other_levels_are_calibrated_too():
    fit = fit_growth(planted(7.0, 2.0, draws=2000, seed=5), FRACTIONS, level=0.8)
    assert held(fit.h_interval, 7.0) == pytest.approx(0.8, abs=0.03)


def test_known_noise_is_calibrated_with_weights():
    random = np.random.default_rng(8)
    scale = np.where(FRACTIONS < 0.1, 0.1, 0.03)[:, None]
    y = 3.0 * -np.expm1(-2.0 * FRACTIONS)[:, None] * np.exp(scale * random.standard_normal((83, 1500)))
    fit = fit_growth(y, FRACTIONS, weights=1.0 / scale[:, 0] ** 2, noise=1.0)
    assert held(fit.h_interval, 3.0) == pytest.approx(0.95, abs=0.02)


def test_slow_growth_is_unidentified_and_its_interval_one_sided():
    fit = fit_growth(planted(7.0, 0.1, draws=1000, seed=1), FRACTIONS)
    assert fit.identified.mean() < 0.2
    open_ended = np.isinf(fit.h_interval[:, 1])
    assert open_ended.mean() > 0.3
    assert (fit.kappa_interval[open_ended, 0] == 0.0).all()
    assert held(fit.h_interval, 7.0) > 0.93


@settings(max_examples=40)
@given(h=st.floats(1e-6, 1e6), kappa=st.floats(0.15, 9.5))
def test_noise_free_curves_give_their_parameters_back(h, kappa):
    fit = fit_growth(planted(h, kappa, noise=0.0), FRACTIONS)
    assert fit.kappa[0] == pytest.approx(kappa, rel=1e-5)
    assert fit.h[0] == pytest.approx(h, rel=1e-5)
    assert fit.log_residual[0] < 1e-6
    assert not fit.at_edge[0]
    assert not fit.decreasing[0]
    assert fit.identified[0]


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_h_scales_with_the_bound_and_kappa_does_not(seed, scale):
    y = planted(2.0, 2.0, draws=3, seed=seed)
    one, other = fit_growth(y, FRACTIONS), fit_growth(scale * y, FRACTIONS)
    np.testing.assert_allclose(other.h, scale * one.h, rtol=1e-5)
    np.testing.assert_allclose(other.kappa, one.kappa, rtol=1e-5)
    np.testing.assert_allclose(other.h_interval, scale * one.h_interval, rtol=1e-4)


def test_steps_do_not_influence_each_other():
    y = np.concatenate([planted(2.0, 1.0, draws=2), planted(50.0, 4.0, draws=2, seed=2)], axis=1)
    together = fit_growth(y, FRACTIONS)
    for j in range(4):
        alone = fit_growth(y[:, j], FRACTIONS)
        assert together.h[j] == pytest.approx(alone.h[0], rel=1e-6)
        assert together.kappa_interval[j] == pytest.approx(alone.kappa_interval[0], rel=1e-6)


def test_the_prior_decides_only_where_the_data_do_not():
    clear, vague = planted(7.0, 2.0, seed=4), planted(7.0, 0.05, noise=0.3, seed=4)
    fit = fit_growth(np.concatenate([clear, vague], axis=1), FRACTIONS, prior=WEAK_PRIOR)
    assert fit.identified.tolist() == [True, False]
    assert fit.at_prior.tolist() == [False, True]
    free = fit_growth(clear, FRACTIONS)
    assert fit.kappa[0] == pytest.approx(free.kappa[0], rel=0.05)


def test_one_fraction_says_nothing_of_kappa():
    y = planted(7.0, 2.0, fractions=np.full(6, 0.5))
    free = fit_growth(y, np.full(6, 0.5))
    assert not free.defined[0]
    assert np.isnan([free.h[0], free.kappa[0], free.log_residual[0]]).all()
    prior = fit_growth(y, np.full(6, 0.5), prior=WEAK_PRIOR)
    assert prior.at_prior[0]
    assert prior.kappa[0] == pytest.approx(WEAK_PRIOR[0], rel=1e-4)


def test_two_points_fit_exactly_and_bound_nothing():
    fit = fit_growth(planted(7.0, 2.0, noise=0.0, fractions=np.array([0.1, 1.0])), [0.1, 1.0])
    assert fit.h[0] == pytest.approx(7.0, rel=1e-5)
    assert fit.h_interval[0].tolist() == [0.0, np.inf]
    assert not fit.identified[0]


def test_undefined_points_are_left_out_and_empty_steps_are_undefined():
    y = np.repeat(planted(7.0, 2.0, noise=0.0), 3, axis=1)
    y[::2, 1] = np.nan
    y[:, 2] = np.nan
    fit = fit_growth(y, FRACTIONS)
    assert fit.defined.tolist() == [True, True, False]
    assert fit.h[1] == pytest.approx(7.0, rel=1e-5)
    assert np.isnan(fit.h_interval[2]).all()
    assert not any(flags[2] for flags in (fit.identified, fit.at_edge, fit.decreasing))


def test_a_bound_that_falls_with_size_is_flagged():
    y = FRACTIONS[:, None] ** -0.3 * np.exp(0.05 * np.random.default_rng(0).standard_normal((83, 1)))
    fit = fit_growth(y, FRACTIONS)
    assert fit.decreasing[0]
    assert fit.at_edge[0]
    assert fit_growth(y, FRACTIONS).kappa[0] == pytest.approx(10.0)


def test_predict_is_the_growth_curve():
    fit = fit_growth(planted(7.0, 2.0, noise=0.0), FRACTIONS)
    np.testing.assert_allclose(fit.predict([0.5, 1.0])[:, 0], 7.0 * -np.expm1([-1.0, -2.0]), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"bound": np.empty((0, 2)), "fractions": []}, "bound"),
        ({"bound": [[-1.0], [1.0]]}, "bound"),
        ({"bound": [[0.0], [1.0]]}, "bound"),
        ({"bound": [[np.inf], [1.0]]}, "bound"),
        ({"fractions": [0.0, 1.0]}, "fractions"),
        ({"fractions": [2.0, 1.0]}, "fractions"),
        ({"fractions": [1.0]}, "fractions"),
        ({"weights": [-1.0, 1.0]}, "weights"),
        ({"weights": [1.0, 1.0, 1.0]}, "weights"),
        ({"noise": 0.0}, "noise"),
        ({"prior": (3.0, 0.0)}, "prior"),
        ({"bounds": (2.0, 1.0)}, "bounds"),
        ({"level": 1.0}, "level"),
    ],
)
def test_invalid_input_is_named(change, name):
    arguments = {"bound": [[1.0], [2.0]], "fractions": [0.5, 1.0]} | change
    with pytest.raises(ValueError, match=name):
        fit_growth(arguments.pop("bound"), arguments.pop("fractions"), **arguments)
