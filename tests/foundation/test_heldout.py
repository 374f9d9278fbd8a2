import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import gap_observations, only_factors, permuted, power_law_observations, replaced

from scar.foundation.heldout import HeldoutEstimator
from scar.foundation.recommended import RecommendedEstimator


def falling(scale=0.15, turn=1500.0, power=1.2, levels=1.0):
    return lambda n: scale * np.asarray(levels) / (1.0 + (n / turn) ** power)


def crossing(epsilon, scale=0.15, turn=1500.0, power=1.2, levels=1.0):
    return turn * np.maximum(scale * np.asarray(levels) / epsilon - 1.0, 1e-9) ** (1.0 / power)


LEVELS = np.linspace(0.7, 1.3, 10)


def test_planted_crossings_are_predicted_at_two_to_four_times_the_data():
    errors, whole, inside, set_inside = [], [], [], []
    for seed in range(12):
        fitted = HeldoutEstimator().fit(gap_observations(falling(levels=LEVELS), heldout=400, seed=seed))
        for epsilon in (0.008, 0.012):
            found = fitted.crossings(epsilon)
            truth = crossing(epsilon, levels=LEVELS)
            reachable = (truth > 8000 * 1.2) & (truth < 8000 * 4)
            errors.append(np.log2(found.step_sizes / truth)[reachable])
            low, high = found.step_intervals.T
            inside.append(((low <= truth) & (truth <= high))[reachable])
            mean = crossing(epsilon)
            whole.append(np.log2(found.set_size / mean))
            set_inside.append(found.set_interval[0] <= mean <= found.set_interval[1])
    assert np.concatenate(errors).size > 150
    assert np.median(np.abs(np.concatenate(errors))) < 0.3
    assert np.median(np.abs(whole)) < 0.25
    assert np.concatenate(inside).mean() > 0.9
    assert np.mean(set_inside) > 0.9


def test_a_small_noisy_set_with_four_sizes_still_predicts():
    errors, inside = [], []
    for seed in range(20):
        observations = gap_observations(
            falling(levels=LEVELS), total=6000, heldout=120, factors=(1, 2, 5, 10), seed=seed
        )
        found = HeldoutEstimator(epsilon=0.012).fit(observations).crossings(0.012)
        errors.append(np.log2(found.set_size / crossing(0.012)))
        inside.append(found.set_interval[0] <= crossing(0.012) <= found.set_interval[1])
    assert np.median(np.abs(errors)) < 0.35
    assert np.mean(inside) > 0.9


def test_the_prediction_beats_a_global_power_law():
    ours, theirs = [], []
    for seed in range(8):
        observations = gap_observations(falling(levels=LEVELS), seed=seed)
        fitted = HeldoutEstimator().fit(observations)
        n, gap = fitted.growth_["sizes"], fitted.growth_["set_gap"]
        slope, intercept = np.polyfit(np.log(n), np.log(np.maximum(gap, 1e-3)), 1)
        truth = crossing(0.008)
        ours.append(abs(np.log2(fitted.crossings(0.008).set_size / truth)))
        theirs.append(abs(np.log2(np.exp((np.log(0.008) - intercept) / slope) / truth)))
    assert np.median(ours) < 0.5 * np.median(theirs)


def test_what_the_data_reach_already_is_met():
    fitted = HeldoutEstimator(epsilon=0.1).fit(gap_observations(falling()))
    assert (fitted.step_sizes_ == 0.0).all()
    assert fitted.foundation_size_ == 0.0
    assert fitted.flags_["set"] == ["met"]
    inside = fitted.crossings(0.1)
    assert 0 < inside.set_size < 8000
    assert inside.set_size == pytest.approx(crossing(0.1), rel=0.3)


def test_no_error_at_all_is_met_without_a_warning():
    observations = gap_observations(lambda n: 0.0, limit=0.0)
    assert observations.train_misses.sum() == 0
    fitted = HeldoutEstimator().fit(observations)
    assert fitted.foundation_size_ == 0.0
    assert all(fitted.flags_[j] == ["met"] for j in range(10))


def test_zero_training_error_leaves_the_heldout_error_as_the_gap():
    observations = gap_observations(falling())
    zero = np.zeros_like(observations.train_misses)
    fitted = HeldoutEstimator().fit(replaced(observations, train_misses=zero, train_false_alarms=zero))
    rate = observations.heldout_misses / 400 + observations.heldout_false_alarms / 3600
    np.testing.assert_allclose(fitted.growth_["gap"][-1], 0.5 * rate[observations.factors == 1][0])


def test_far_extrapolation_is_flagged_and_wider():
    fitted = HeldoutEstimator(epsilon=0.001).fit(gap_observations(falling()))
    (flag,) = fitted.flags_["set"]
    name, factor = flag.split("=")
    assert name == "extrapolated"
    assert float(factor) == pytest.approx(fitted.foundation_size_ / 8000, abs=0.1)
    near, far = fitted.crossings(0.01), fitted.crossings(0.001)

    def width(found):
        return np.log(found.set_interval[1] / found.set_interval[0])

    assert width(far) > width(near)


def test_a_gap_that_does_not_fall_is_out_of_reach_and_flagged():
    fitted = HeldoutEstimator().fit(gap_observations(lambda n: 0.02 + 0.1 * n / 8000))
    assert fitted.foundation_size_ > 8000
    assert "gap_rising" in fitted.flags_["set"]
    assert "gap_rising" in fitted.flags_[0]


@pytest.mark.parametrize("kind", [HeldoutEstimator, RecommendedEstimator])
def test_a_gap_that_is_surely_below_zero_is_not_met(kind):
    # As with wrong labels in training alone: the training error holds them, the held-out error does not.
    fitted = kind().fit(gap_observations(lambda n: -0.08 + 20 / n, heldout=400))
    assert math.isnan(fitted.foundation_size_)
    assert np.isnan(fitted.step_sizes_).all()
    assert all("gap_negative" in flags and "met" not in flags for flags in fitted.flags_.values())


@pytest.mark.parametrize("kind", [HeldoutEstimator, RecommendedEstimator])
def test_a_gap_of_zero_is_met_whichever_way_chance_moves_it(kind):
    rng = np.random.default_rng(0)
    for _ in range(5):
        gaps = 1e-4 * np.ones(4)
        seen = power_law_observations(rng, gaps, 0.5, counts=np.full(4, 4000), heldout=np.full(4, 2000))
        fitted = kind(epsilon=0.03).fit(seen)
        assert all(flags[0] == "met" for flags in fitted.flags_.values())


def test_one_size_is_too_few_and_two_are_few():
    observations = gap_observations(falling())
    one = HeldoutEstimator().fit(only_factors(observations, [1]))
    assert np.isnan(one.step_sizes_).all()
    assert np.isnan(one.foundation_size_)
    assert one.flags_["set"] == ["too_few_sizes"]
    assert one.flags_[0] == ["too_few_sizes"]
    two = HeldoutEstimator().fit(only_factors(observations, [1, 2]))
    assert two.foundation_size_ > 0
    assert "few_sizes" in two.flags_["set"]


def test_a_step_that_was_not_held_out_is_undefined_by_name():
    observations = gap_observations(falling())
    heldout = observations.heldout_class_sizes.copy()
    heldout[3] = 0
    misses = observations.heldout_misses.copy()
    misses[:, 3] = 0
    changed = replaced(observations, heldout_class_sizes=heldout, heldout_misses=misses)
    fitted = HeldoutEstimator().fit(changed)
    assert fitted.flags_[3] == ["undefined"]
    assert np.isnan(fitted.step_sizes_[3])
    assert "undefined_steps" in fitted.flags_["set"]
    assert np.isfinite(np.delete(fitted.step_sizes_, 3)).all()
    assert np.isfinite(fitted.foundation_size_)


@settings(max_examples=10)
@given(order=st.permutations(range(10)), seed=st.integers(0, 50))
def test_the_order_of_the_steps_does_not_matter(order, seed):
    order = np.array(order)
    observations = gap_observations(falling(levels=LEVELS), seed=seed, factors=(1, 2, 5, 10))
    one = HeldoutEstimator().fit(observations)
    other = HeldoutEstimator().fit(permuted(observations, order))
    np.testing.assert_allclose(other.step_sizes_, one.step_sizes_[order], rtol=1e-6)
    np.testing.assert_allclose(other.step_intervals_, one.step_intervals_[order], rtol=1e-6)
    assert other.foundation_size_ == pytest.approx(one.foundation_size_, rel=1e-6)


@settings(max_examples=10)
@given(epsilon=st.floats(0.002, 0.05), seed=st.integers(0, 20))
def test_a_smaller_threshold_needs_more_data(epsilon, seed):
    fitted = HeldoutEstimator().fit(gap_observations(falling(levels=LEVELS), seed=seed, factors=(1, 2, 5, 10)))
    strict, loose = fitted.crossings(epsilon), fitted.crossings(2 * epsilon)
    assert (strict.step_sizes >= loose.step_sizes).all()
    assert strict.set_size >= loose.set_size
    low, high = strict.step_intervals.T
    assert ((low <= strict.step_sizes) & (strict.step_sizes <= high)).all()


def test_every_step_needs_at_least_what_the_neediest_needs():
    observations = gap_observations(falling(levels=LEVELS))
    mean, every = HeldoutEstimator().fit(observations), HeldoutEstimator(set_gap="every").fit(observations)
    assert every.foundation_size_ >= np.nanmax(every.step_sizes_) * 0.999
    assert every.foundation_size_ > mean.foundation_size_


def test_binary_errors_count_wrong_decisions():
    observations = gap_observations(falling())
    fitted = HeldoutEstimator(error="binary").fit(observations)
    whole = observations.factors == 1
    train = (observations.train_misses + observations.train_false_alarms)[whole][0] / 8000
    test = (observations.heldout_misses + observations.heldout_false_alarms)[whole][0] / 4000
    np.testing.assert_allclose(fitted.growth_["gap"][-1], test - train)


def test_the_gap_is_averaged_with_its_sign():
    observations = gap_observations(lambda n: 0.0, limit=0.1, heldout=4000)
    gap = HeldoutEstimator().fit(observations).growth_["gap"]
    assert (gap < 0).any()
    assert np.abs(gap.mean()) < 0.003


def test_the_implied_concept_size_is_that_of_equation_five():
    fitted = HeldoutEstimator(epsilon=0.02, delta=0.05).fit(gap_observations(falling()))
    growth = fitted.growth_
    square = np.maximum(growth["gap"] ** 2 - growth["gap_error"] ** 2, 0)
    expected = np.log(0.05) + 2 * growth["sizes"][:, None] * square
    np.testing.assert_allclose(growth["log_concept_size"], expected)
    np.testing.assert_allclose(growth["pac_sizes"], 8000 * square[-1] / 0.02**2)
    implied = (growth["log_concept_size"][-1] - np.log(0.05)) / (2 * 0.02**2)
    np.testing.assert_allclose(growth["pac_sizes"], implied)


def test_curves_for_plotting_pass_through_the_data():
    growth = HeldoutEstimator().fit(gap_observations(falling(), heldout=2000)).growth_
    at = np.array([np.interp(n, growth["curve_sizes"], growth["set_curve"]) for n in growth["sizes"]])
    np.testing.assert_allclose(at, growth["set_gap"], atol=0.01)
    assert growth["curve"].shape == (200, 10)
    assert growth["form_weights"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["heldout_misses", "heldout_false_alarms", "heldout_class_sizes"])
def test_missing_heldout_counts_are_named_with_the_way_out(name):
    observations = replaced(gap_observations(falling(), factors=(1, 2)), **{name: None})
    with pytest.raises(ValueError, match=rf"{name} is None.*split"):
        HeldoutEstimator().fit(observations)


@pytest.mark.parametrize(
    ("field", "value"), [("epsilon", 0.0), ("delta", 1.0), ("level", 1.5), ("error", "total"), ("set_gap", "max")]
)
def test_invalid_parameters_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        HeldoutEstimator(**{field: value}).fit(gap_observations(falling(), factors=(1, 2)))


@pytest.mark.slow
def test_real_probes_on_gaussian_classes_follow_the_prediction():
    """Softmax probes on Gaussian features: from a quarter of the data, predict where the gap of the rest falls."""
    from sklearn.linear_model import LogisticRegression

    steps, dimension, total = 5, 60, 12000
    random = np.random.default_rng(0)
    means = random.standard_normal((steps, dimension)) * 0.35

    def draw(count):
        labels = random.permutation(np.repeat(np.arange(steps), count // steps))
        return means[labels] + random.standard_normal((count, dimension)), labels

    x, y = draw(total)
    held_x, held_y = draw(20000)

    def counts(rows):
        model = LogisticRegression(C=1.0, max_iter=300).fit(x[rows], y[rows])
        return [
            np.array(
                [[(labels[wrong] == j).sum(), (guess[wrong] == j).sum(), (labels == j).sum()] for j in range(steps)]
            )
            for guess, labels in ((model.predict(x[rows]), y[rows]), (model.predict(held_x), held_y))
            for wrong in [guess != labels]
        ]

    base = gap_observations(falling(), steps=steps, total=total // 4, factors=(1, 2, 5, 10))
    quarter = [
        counts(np.arange(p * (total // 4 // r), (p + 1) * (total // 4 // r)))
        for r, p in zip(base.factors, base.parts, strict=True)
    ]
    train, test = (np.array([pair[i] for pair in quarter]) for i in (0, 1))
    fitted = HeldoutEstimator().fit(
        replaced(
            base,
            class_sizes=train[..., 2],
            train_misses=train[..., 0],
            train_false_alarms=train[..., 1],
            heldout_misses=test[..., 0],
            heldout_false_alarms=test[..., 1],
            heldout_class_sizes=test[0, :, 2],
        )
    )
    real = []
    for n in (6000, 9000, 12000):
        inner, outer = counts(np.arange(n))

        def balanced(c):
            return 0.5 * (c[:, 0] / c[:, 2] + c[:, 1] / (c[:, 2].sum() - c[:, 2]))

        real.append(float((balanced(outer) - balanced(inner)).mean()))
    for n, gap in zip((6000, 9000, 12000), real, strict=True):
        found = fitted.crossings(gap)
        assert abs(np.log2(found.set_size / n)) < 0.6
        assert found.set_interval[0] < n < found.set_interval[1]
