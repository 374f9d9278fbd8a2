import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import gap_observations, only_factors, permuted, power_law_observations, replaced

from scar.foundation.accuracy_curves import FORMS, accuracy_form, fit_accuracy
from scar.foundation.learning_curve import LearningCurveEstimator

TOTAL = 8000


def observed(error, *, heldout=4000, seed=0, factors=(1, 2, 5, 10, 15, 20, 30), steps=5):
    """Held-out error of every class is `error(n)`; the gap builder puts it half a gap above its limit."""
    return gap_observations(
        lambda n: 2.0 * error(n), limit=0.0, steps=steps, total=TOTAL, heldout=heldout, seed=seed, factors=factors
    )


def power(n):
    return 0.05 + 0.3 * (n / TOTAL) ** -0.5 * 0.25


def test_a_planted_power_law_reaches_its_target_where_it_should():
    truth = TOTAL * (0.075 / 0.05) ** 2
    sizes, inside = [], []
    for seed in range(20):
        estimator = LearningCurveEstimator(accuracy_target=0.90, curve="power_law", seed=seed)
        fitted = estimator.fit(observed(power, seed=seed))
        sizes.append(fitted.foundation_size_)
        inside.append(fitted.interval_[0] <= truth <= fitted.interval_[1])
    assert abs(np.median(np.log2(np.array(sizes) / truth))) < 0.15
    assert np.mean(inside) >= 0.85


@pytest.mark.parametrize("name", FORMS)
def test_every_form_finds_its_own_curve(name):
    form = accuracy_form(name)
    times = np.array([1 / 30, 1 / 20, 0.1, 0.2, 0.5, 1.0])
    shape = 7
    planted = 0.3 + 0.15 * form.values(times)[shape]
    fit = fit_accuracy(times, planted[:, None], np.sqrt(times), form)
    later = np.array([2.0, 4.0])
    np.testing.assert_allclose(fit.predict(later)[:, 0], 0.3 + 0.15 * form.values(later)[shape], atol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(FORMS))
def test_curves_never_fall_and_never_exceed_one(seed, name):
    random = np.random.default_rng(seed)
    times = np.array([0.05, 0.1, 0.2, 0.5, 1.0])
    accuracy = random.random((5, 4))
    fit = fit_accuracy(times, accuracy, np.sqrt(times), accuracy_form(name))
    curve = fit.predict(np.exp(np.linspace(-3, 6, 50)))
    assert (np.diff(curve, axis=0) >= -1e-12).all()
    assert (curve <= 1.0).all()
    assert (fit.limit <= 1.0 + 1e-12).all()
    residual = accuracy - (fit.intercept + fit.slope * fit.form.values(times)[fit.index].T)
    np.testing.assert_allclose(fit.squares, (np.sqrt(times) @ residual**2) / np.sqrt(times).sum(), atol=1e-9, rtol=1e-6)


def test_a_target_above_the_limit_is_unreachable():
    fitted = LearningCurveEstimator(accuracy_target=0.99, curve="power_law").fit(observed(power))
    assert np.isinf(fitted.step_sizes_).all()
    assert np.isinf(fitted.foundation_size_)
    assert fitted.flags_["set"] == ["unreachable"]
    assert fitted.flags_[0] == ["unreachable"]
    assert (fitted.growth_["limit"] < 0.99).all()


def test_a_target_already_reached_is_met():
    fitted = LearningCurveEstimator(accuracy_target=0.5).fit(observed(power))
    assert (fitted.step_sizes_ == 0.0).all()
    assert fitted.interval_ == (0.0, 0.0)
    assert fitted.flags_["set"] == ["met"]


def test_without_a_target_doubling_is_not_worth_epsilon():
    fitted = LearningCurveEstimator(curve="power_law", epsilon=0.01).fit(observed(power))
    gain = 0.075 * (1.0 - 2.0**-0.5)
    assert fitted.foundation_size_ == pytest.approx(TOTAL * (gain / 0.01) ** 2, rel=0.35)
    loose = LearningCurveEstimator(curve="power_law", epsilon=0.05).fit(observed(power))
    assert loose.foundation_size_ == 0.0


def test_perfect_accuracy_is_met_without_a_warning():
    fitted = LearningCurveEstimator().fit(observed(lambda n: 0.0))
    assert fitted.foundation_size_ == 0.0
    assert (fitted.step_intervals_ == 0.0).all()


def test_each_step_may_have_a_target_of_its_own():
    targets = np.array([0.5, 0.9, 0.9, 0.99, 0.9])
    fitted = LearningCurveEstimator(accuracy_target=targets, curve="power_law").fit(observed(power))
    assert fitted.step_sizes_[0] == 0.0
    assert np.isinf(fitted.step_sizes_[3])
    assert (fitted.step_sizes_[[1, 2, 4]] > TOTAL).all()


def test_far_extrapolation_is_flagged():
    fitted = LearningCurveEstimator(accuracy_target=0.93, curve="power_law").fit(observed(power, heldout=40_000))
    assert fitted.flags_["set"] == [f"extrapolated={fitted.foundation_size_ / TOTAL:.1f}"]


def test_fewer_than_three_sizes_are_too_few():
    fitted = LearningCurveEstimator().fit(observed(power, factors=(1, 2)))
    assert np.isnan(fitted.step_sizes_).all()
    assert np.isnan(fitted.foundation_size_)
    assert fitted.flags_["set"] == ["too_few_sizes"]
    one = LearningCurveEstimator().fit(only_factors(observed(power, factors=(1, 2)), [1]))
    assert one.flags_[0] == ["too_few_sizes"]


def test_a_step_that_was_not_held_out_is_undefined_by_name():
    observations = observed(power)
    heldout = observations.heldout_class_sizes.copy()
    heldout[2] = 0
    misses = observations.heldout_misses.copy()
    misses[:, 2] = 0
    changed = replaced(observations, heldout_class_sizes=heldout, heldout_misses=misses)
    fitted = LearningCurveEstimator(accuracy_target=0.9).fit(changed)
    assert fitted.flags_[2] == ["undefined"]
    assert np.isnan(fitted.step_sizes_[2])
    assert fitted.flags_["set"][-1] == "undefined_steps"
    assert np.isfinite(np.delete(fitted.step_sizes_, 2)).all()


def test_the_order_of_the_steps_does_not_matter():
    observations = gap_observations(
        lambda n: 2.0 * power(n) * np.linspace(0.5, 1.5, 5), limit=0.0, steps=5, heldout=4000
    )
    order = np.array([4, 2, 0, 1, 3])
    one = LearningCurveEstimator(accuracy_target=0.9).fit(observations)
    other = LearningCurveEstimator(accuracy_target=0.9).fit(permuted(observations, order))
    np.testing.assert_allclose(other.step_sizes_, one.step_sizes_[order], rtol=1e-9)
    assert other.foundation_size_ == pytest.approx(one.foundation_size_, rel=1e-9)


def test_the_bootstrap_is_seeded():
    observations = observed(power)

    def interval(seed):
        return LearningCurveEstimator(accuracy_target=0.9, seed=seed).fit(observations).interval_

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)


def test_more_heldout_samples_narrow_the_interval():
    def width(heldout):
        observations = observed(power, heldout=heldout)
        fitted = LearningCurveEstimator(accuracy_target=0.9, curve="power_law").fit(observations)
        return fitted.interval_[1] - fitted.interval_[0]

    assert width(40_000) < width(4000)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epsilon", 0.0),
        ("level", 1.0),
        ("curve", "linear"),
        ("draws", 2),
        ("accuracy_target", 1.5),
        ("accuracy_target", [0.5, 0.5]),
    ],
)
def test_invalid_parameters_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        LearningCurveEstimator(**{field: value}).fit(observed(power, factors=(1, 2, 5)))


def test_missing_heldout_counts_are_named():
    with pytest.raises(ValueError, match="heldout_misses is None"):
        LearningCurveEstimator().fit(replaced(observed(power, factors=(1, 2)), heldout_misses=None))


def test_redrawn_series_that_are_alike_are_fitted_once(monkeypatch):
    counts, heldout = np.full(40, 300), np.full(40, 2)
    levels = np.random.default_rng(0).uniform(0.1, 0.4, 40)
    seen = power_law_observations(np.random.default_rng(1), levels, 0.5, counts=counts, heldout=heldout)
    fitted = []

    def watched(times, accuracy, weights, form):
        fitted.append(accuracy.shape[1])
        return fit_accuracy(times, accuracy, weights, form)

    monkeypatch.setattr("scar.foundation.learning_curve.fit_accuracy", watched)
    few = LearningCurveEstimator(curve="power_law", draws=100).fit(seen)
    assert max(fitted) < 1000
    monkeypatch.setattr("scar.foundation.learning_curve.np.unique", every_column)
    whole = LearningCurveEstimator(curve="power_law", draws=100).fit(seen)
    assert max(fitted) == 4000
    np.testing.assert_allclose(few.step_intervals_, whole.step_intervals_, rtol=1e-9)


def every_column(values, **kwargs):
    if "axis" not in kwargs:
        return UNIQUE(values, **kwargs)
    place = np.arange(values.shape[1])
    return values, place, place


UNIQUE = np.unique
