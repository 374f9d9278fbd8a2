import itertools

import numpy as np
import pytest
from scipy import stats

from scar.evaluation.hypotheses import SIGNIFICANCE_LEVEL, decide, equivalence, holm, is_significant, power
from scar.evaluation.intervals import (
    at_level,
    corrected_interval,
    crossed_covariance,
    crossed_interval,
    crossed_variance,
    paired_difference,
    seed_interval,
    single_level,
)
from scar.evaluation.scores import RAW, raw_scores
from scar.evaluation.weighted_metrics import answers_one_class, item_scores, weighted_scores


def recall_mean(right, labels):
    return np.mean([right[labels == k].mean() for k in np.unique(labels)])


@pytest.fixture
def arms():
    rng = np.random.default_rng(3)
    labels = rng.choice(4, size=300, p=[0.6, 0.2, 0.15, 0.05])
    return rng.random((5, 300)) < 0.8, rng.random((5, 300)) < 0.7, labels


@pytest.mark.parametrize(("metric", "score"), [("accuracy", lambda r, y: r.mean()), ("balanced_accuracy", recall_mean)])
def test_the_difference_is_the_mean_over_seeds_of_the_metric(arms, metric, score):
    first, second, labels = arms
    expected = np.mean([score(a, labels) - score(b, labels) for a, b in zip(first, second, strict=True)])
    estimate = paired_difference(first, second, labels, metric=metric)
    assert estimate.value == pytest.approx(expected, abs=1e-12)
    assert estimate.low < expected < estimate.high
    assert estimate.seeds == 5


def test_a_null_effect_is_rarely_called_significant():
    rng = np.random.default_rng(1)
    labels = np.arange(400) % 4
    hits = 0
    for _ in range(300):
        hardness = rng.normal(size=400)
        first, second = (hardness + rng.normal(0, 0.4, (5, 400)) < 1 for _ in range(2))
        hits += paired_difference(first, second, labels, metric="balanced_accuracy").p_value < 0.05
    assert hits / 300 < 0.08


def test_crossed_variance_is_unbiased():
    rng = np.random.default_rng(2)
    seeds, items, found = 6, 50, []
    for _ in range(1500):
        x = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 1.0, (1, items)) + rng.normal(0, 2.0, (seeds, items))
        found.append(crossed_variance(x)[0])
    truth = 0.3**2 / seeds + 1 / items + 4 / (seeds * items)
    assert np.mean(found) == pytest.approx(truth, rel=0.06)


def test_the_variance_of_one_matrix_is_that_of_a_stack_of_them():
    stack = np.random.default_rng(4).normal(size=(3, 5, 40))
    variance, freedom = crossed_variance(stack)
    for x, v, f in zip(stack, variance, freedom, strict=True):
        assert crossed_variance(x) == pytest.approx((v, f))


def test_few_items_that_carry_the_variance_leave_few_degrees_of_freedom():
    scores = np.zeros((20, 1000))
    scores[:, :4] = 1.0  # four items are right, for every seed
    assert crossed_variance(scores)[1] == pytest.approx(2 * 4, rel=0.02)


def test_the_covariance_of_two_means_agrees_with_the_variance_of_their_difference():
    x = np.random.default_rng(5).normal(size=(2, 12, 60)) + np.random.default_rng(6).normal(size=(1, 1, 60))
    found = crossed_covariance(list(x))
    assert found[0, 0] + found[1, 1] - 2 * found[0, 1] == pytest.approx(crossed_variance(x[0] - x[1])[0])


def test_identical_arms_are_flagged_and_have_an_empty_interval(arms):
    first, _, labels = arms
    estimate = paired_difference(first, first, labels)
    assert (estimate.value, estimate.low, estimate.high, estimate.flag) == (0, 0, 0, "identical")


def test_one_seed_has_no_interval(arms):
    first, second, labels = arms
    estimate = paired_difference(first[:1], second[:1], labels)
    assert estimate.flag == "one_seed"
    assert np.isnan(estimate.low)


@pytest.mark.parametrize("shape", [(4, 300), (5, 299)])
def test_arms_of_different_shape_are_refused(arms, shape):
    with pytest.raises(ValueError, match=r"arms have shapes \(5, 300\)"):
        paired_difference(arms[0], np.ones(shape), arms[2])


def test_an_unknown_metric_is_refused(arms):
    with pytest.raises(ValueError, match=r"metric='recall'.*accuracy, balanced_accuracy"):
        weighted_scores(arms[0], arms[2], "recall")


def test_the_interval_of_a_share_stays_within_its_bounds_and_is_wider_towards_the_middle():
    right = np.random.default_rng(0).random((3, 60)) < 0.97
    estimate = crossed_interval(weighted_scores(right, np.zeros(60, int), "accuracy"), share=True)
    assert 0 < estimate.low < estimate.value < estimate.high < 1
    assert estimate.value - estimate.low > estimate.high - estimate.value


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_without_any_variation_is_flagged_and_has_no_interval(value):
    for estimate in (crossed_interval(np.full((4, 30), value), share=True), seed_interval([value] * 4, share=True)):
        assert (estimate.value, estimate.flag) == (value, "constant")
        assert np.isnan([estimate.low, estimate.high, estimate.p_value]).all()


def test_fewer_seeds_than_a_metric_needs_have_no_interval():
    scores = np.random.default_rng(0).random((4, 30))
    estimate = crossed_interval(scores, least_seeds=5)
    assert estimate.flag == seed_interval(scores[:, 0], least_seeds=5).flag == "few_seeds"
    assert np.isnan(estimate.low)
    assert estimate.value == pytest.approx(scores.mean())


def test_the_interval_over_seeds_alone_is_students():
    d = np.array([0.01, 0.03, -0.01, 0.02])
    estimate, expected = seed_interval(d), stats.ttest_1samp(d, 0)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert estimate.p_value == pytest.approx(expected.pvalue)


def test_two_one_sided_tests_agree_with_the_interval_at_90_percent():
    rng, margin, found = np.random.default_rng(7), 0.01, set()
    for _ in range(300):
        estimate = seed_interval(rng.normal(0.004, 0.012, 8))
        ninety = at_level(estimate, 0.90)
        inside = -margin < ninety.low and ninety.high < margin
        assert is_significant(equivalence(estimate, margin)) == inside
        found.add(inside)
    assert found == {True, False}


def test_two_one_sided_tests_are_two_students_tests():
    d = np.random.default_rng(8).normal(0.002, 0.01, 10)
    sides = stats.ttest_1samp(d, 0.005, alternative="less"), stats.ttest_1samp(d, -0.005, alternative="greater")
    assert equivalence(seed_interval(d), 0.005) == pytest.approx(max(each.pvalue for each in sides))
    assert equivalence(crossed_interval(np.zeros((2, 9))), 0.005) == 0.0  # identical arms
    assert np.isnan(equivalence(seed_interval([0.0, 0.0]), 0.005))  # equal scores are not equal answers
    assert np.isnan(equivalence(seed_interval([0.1]), 0.005))
    with pytest.raises(ValueError, match="margin=0"):
        equivalence(seed_interval(d), 0)


def test_a_verdict_is_one_of_four():
    nan = float("nan")
    cases = [(0.02, 0.01, 0.9), (-0.02, 0.01, 0.9), (0.001, 0.6, 0.01), (0.001, 0.6, 0.3), (0.001, nan, nan)]
    assert [decide(*case) for case in cases] == ["better", "worse", "equivalent", "cannot tell", "cannot tell"]


def test_correlated_means_need_less_than_bonferroni_and_never_more():
    rng = np.random.default_rng(9)
    alike = rng.normal(size=(1, 15, 80)) + 0.02 * rng.normal(size=(8, 15, 80))
    apart = rng.normal(size=(8, 15, 80))
    bonferroni = 1 - 0.05 / 8
    assert 0.95 <= single_level(list(alike), 8) < 0.965
    assert 0.99 < single_level(list(apart), 8) <= bonferroni
    assert single_level([x[:5] for x in alike], 8) == single_level(None, 8) == pytest.approx(bonferroni)


def test_the_corrected_interval_follows_nadeau_and_bengio():
    d = np.array([0.01, 0.03, -0.01, 0.02])
    estimate = corrected_interval(d, test_share=0.5)
    half = stats.t.ppf(0.975, 3) * np.sqrt((1 / 4 + 0.5) * d.var(ddof=1))
    assert estimate.high - estimate.value == pytest.approx(half)
    assert corrected_interval(d, test_share=0.0).p_value == pytest.approx(stats.ttest_1samp(d, 0).pvalue)


def test_holm_equals_the_closed_testing_definition():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    # Closed testing with Bonferroni for every subset: the adjusted value is the worst subset that holds the member.
    worst = [
        max(
            min(1, len(s) * min(p[list(s)])) for r in range(1, 5) for s in itertools.combinations(range(4), r) if i in s
        )
        for i in range(4)
    ]
    np.testing.assert_allclose(holm(p), worst)


def test_holm_leaves_unknown_values_out_of_the_family():
    np.testing.assert_allclose(holm([0.02, np.nan, 0.03]), [0.04, np.nan, 0.04])


def test_a_p_value_below_the_level_is_significant_and_an_undefined_one_is_not():
    assert [is_significant(p) for p in (0.049, SIGNIFICANCE_LEVEL, float("nan"))] == [True, False, False]


def test_an_arm_that_answers_one_class_is_found():
    labels = np.array([0, 0, 1, 1, 2])
    assert answers_one_class(labels == 1, labels)
    assert not answers_one_class(np.array([1, 0, 0, 0, 0], dtype=bool), labels)
    assert not answers_one_class(np.ones(5, dtype=bool), labels)


def planted_predictions(rng, seeds, items):
    """Truth of four unbalanced classes and predictions of a fair classifier; class 3 is rarely predicted."""
    truth = rng.choice(4, size=items, p=[0.5, 0.25, 0.2, 0.05])
    wrong = rng.integers(0, 5, size=(seeds, items))
    return np.where(rng.random((seeds, items)) < 0.7, truth, wrong), truth


@pytest.mark.parametrize("metric", RAW)
def test_the_mean_of_the_item_scores_is_the_metric(metric):
    predicted, truth = planted_predictions(np.random.default_rng(0), 3, 400)
    expected = [raw_scores(each, truth)[metric] for each in predicted]
    np.testing.assert_allclose(item_scores(predicted, truth, metric).mean(axis=1), expected, atol=1e-12)
    stacked = item_scores(np.stack([predicted, predicted]), truth, metric)
    np.testing.assert_array_equal(stacked[1], item_scores(predicted, truth, metric))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1"])
def test_the_item_scores_vary_as_the_metric_does_when_the_items_are_redrawn(metric):
    rng = np.random.default_rng(1)
    predicted, truth = planted_predictions(rng, 1, 1500)
    linear = item_scores(predicted, truth, metric)[0]
    exact = []
    for _ in range(300):
        drawn = rng.integers(0, 1500, 1500)
        exact.append(raw_scores(predicted[0, drawn], truth[drawn])[metric])
    assert linear.std() / np.sqrt(1500) == pytest.approx(np.std(exact), rel=0.12)


def test_item_scores_of_differences_are_differences_of_item_scores(arms):
    first, second, labels = arms
    difference = first.astype(int) - second
    expected = weighted_scores(first, labels, "balanced_accuracy") - weighted_scores(
        second, labels, "balanced_accuracy"
    )
    np.testing.assert_allclose(weighted_scores(difference, labels, "balanced_accuracy"), expected, atol=1e-12)


def test_power_is_the_share_of_simulated_experiments_that_find_the_effect():
    rng = np.random.default_rng(2)
    estimate = corrected_interval(rng.normal(0, 1, 12), test_share=0.0)
    effect = 2.75 * estimate.error
    found = 0
    for _ in range(4000):
        sample = effect + rng.normal(0, estimate.error * np.sqrt(12), 12)
        found += stats.ttest_1samp(sample, 0).pvalue < 0.05
    assert power(estimate, effect) == pytest.approx(found / 4000, abs=0.03)
    assert power(estimate, effect, tests=20) < power(estimate, effect)
    assert power(estimate, 100.0) == 1.0


@pytest.mark.parametrize("tests", [1, 540])
def test_power_grows_with_the_effect_and_is_a_number_everywhere(tests):
    estimate = corrected_interval(np.random.default_rng(3).normal(0, 1, 20), test_share=0.0)
    powers = [power(estimate, shift * estimate.error, tests=tests) for shift in np.arange(0.25, 40, 0.25)]
    assert not np.isnan(powers).any()
    assert np.all(np.diff(powers) >= -1e-9)
    assert powers[0] < 0.1
    assert powers[-1] == 1.0


def test_power_of_one_seed_is_undefined_and_of_no_spread_certain():
    assert np.isnan(power(corrected_interval([0.1], test_share=0.0), 0.01))
    assert power(corrected_interval([0.1, 0.1], test_share=0.0), 0.01) == 1.0
    with pytest.raises(ValueError, match="effect=0"):
        power(corrected_interval([0.1, 0.2], test_share=0.0), 0)
