import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from scar.statistics import (
    answers_one_class,
    bootstrap_interval,
    corrected_interval,
    crossed_variance,
    f1_scores,
    holm,
    item_weights,
    paired_difference,
    power,
    replicate_metric,
    sign_test,
    wilcoxon_test,
)


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
    estimate = paired_difference(first, second, labels, metric=metric, resamples=300)
    assert estimate.value == pytest.approx(expected, abs=1e-12)
    assert estimate.low < expected < estimate.high
    assert estimate.seeds == 5


def test_replicates_equal_a_plain_loop_over_resampled_items(arms):
    first, _, labels = arms
    fast = replicate_metric(first, labels, metric="balanced_accuracy", resamples=400, seed=5)
    assert fast.shape == (400, 5)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, 300, 300) for _ in range(2000)]
    slow = np.array([recall_mean(first[0][i], labels[i]) for i in drawn])
    assert fast[:, 0].mean() == pytest.approx(slow.mean(), abs=0.004)
    assert fast[:, 0].std() == pytest.approx(slow.std(), rel=0.15)


def test_two_rows_meet_the_same_resamples(arms):
    first, _, labels = arms
    replicates = replicate_metric(np.stack([first[0], first[0], ~first[0]]), labels, resamples=50)
    np.testing.assert_array_equal(replicates[:, 0], replicates[:, 1])
    np.testing.assert_allclose(replicates[:, 0] + replicates[:, 2], 1, atol=1e-6)


@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("spreads", [(0.003, 0.05, 0.3), (0.02, 0.1, 0.3)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(seeds, spreads):
    truth, items, repeats, rng = 0.02, 300, 600, np.random.default_rng(seeds)
    labels = np.zeros(items, dtype=int)
    inside = 0
    for _ in range(repeats):
        seed_effect, item_effect = rng.normal(0, spreads[0], (seeds, 1)), rng.normal(0, spreads[1], (1, items))
        scores = truth + seed_effect + item_effect + rng.normal(0, spreads[2], (seeds, items))
        estimate = bootstrap_interval(scores, labels, resamples=400)
        inside += estimate.low <= truth <= estimate.high
    assert 0.92 <= inside / repeats <= 0.99


def test_a_null_effect_is_rarely_called_significant():
    rng = np.random.default_rng(1)
    labels = np.arange(400) % 4
    hits = 0
    for _ in range(300):
        hardness = rng.normal(size=400)
        first, second = (hardness + rng.normal(0, 0.4, (5, 400)) < 1 for _ in range(2))
        hits += paired_difference(first, second, labels, metric="balanced_accuracy", resamples=100).p_value < 0.05
    assert hits / 300 < 0.08


def test_crossed_variance_is_unbiased():
    rng = np.random.default_rng(2)
    seeds, items, found = 6, 50, []
    for _ in range(1500):
        x = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 1.0, (1, items)) + rng.normal(0, 2.0, (seeds, items))
        found.append(crossed_variance(x, np.full(items, 1 / items))[0])
    truth = 0.3**2 / seeds + 1 / items + 4 / (seeds * items)
    assert np.mean(found) == pytest.approx(truth, rel=0.06)


def test_weights_sum_to_one_and_give_every_class_the_same_share():
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(item_weights(labels, "balanced_accuracy"), [1 / 6, 1 / 6, 1 / 6, 1 / 2])
    np.testing.assert_allclose(item_weights(labels, "accuracy"), 0.25)


def test_identical_arms_are_flagged_and_have_an_empty_interval(arms):
    first, _, labels = arms
    estimate = paired_difference(first, first, labels)
    assert (estimate.value, estimate.low, estimate.high, estimate.flag) == (0, 0, 0, "identical")


def test_one_seed_has_no_interval(arms):
    first, second, labels = arms
    estimate = paired_difference(first[:1], second[:1], labels)
    assert estimate.flag == "one_seed"
    assert np.isnan(estimate.low)


def test_the_interval_stays_within_what_the_metric_can_be():
    labels = np.zeros(200, dtype=int)
    first = np.stack([np.ones(200), np.arange(200) < 100])
    estimate = bootstrap_interval(first, labels, resamples=200, bounds=(0.0, 1.0))
    assert estimate.low >= 0
    assert estimate.high == 1


@pytest.mark.parametrize("shape", [(4, 300), (5, 299)])
def test_arms_of_different_shape_are_refused(arms, shape):
    with pytest.raises(ValueError, match=r"arms have shapes \(5, 300\)"):
        paired_difference(arms[0], np.ones(shape), arms[2])


def test_an_unknown_metric_is_refused(arms):
    with pytest.raises(ValueError, match=r"metric='recall'.*accuracy, balanced_accuracy"):
        bootstrap_interval(arms[0], arms[2], metric="recall")


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


def test_rank_tests_agree_with_counting():
    assert sign_test([1, 2, 3, 0]) == pytest.approx(2 * 0.5**3)
    assert sign_test([0, 0]) == wilcoxon_test([0, 0]) == 1.0
    assert wilcoxon_test([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 * 0.5**5)


def test_an_arm_that_answers_one_class_is_found():
    labels = np.array([0, 0, 1, 1, 2])
    assert answers_one_class(labels == 1, labels)
    assert not answers_one_class(np.array([1, 0, 0, 0, 0], dtype=bool), labels)
    assert not answers_one_class(np.ones(5, dtype=bool), labels)


def macro_f1(predicted, truth):
    return f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)


def planted_predictions(rng, seeds, items):
    """Truth of four unbalanced classes and predictions of a fair classifier; class 3 is rarely predicted."""
    truth = rng.choice(4, size=items, p=[0.5, 0.25, 0.2, 0.05])
    wrong = rng.integers(0, 5, size=(seeds, items))
    return np.where(rng.random((seeds, items)) < 0.7, truth, wrong), truth


def test_the_mean_of_the_f1_scores_is_macro_f1():
    predicted, truth = planted_predictions(np.random.default_rng(0), 3, 400)
    expected = [macro_f1(each, truth) for each in predicted]
    np.testing.assert_allclose(f1_scores(predicted, truth).mean(axis=1), expected, atol=1e-12)


def test_the_f1_scores_vary_as_macro_f1_does_when_the_items_are_redrawn():
    rng = np.random.default_rng(1)
    predicted, truth = planted_predictions(rng, 1, 1500)
    linear = f1_scores(predicted, truth)[0]
    exact = []
    for _ in range(300):
        drawn = rng.integers(0, 1500, 1500)
        exact.append(macro_f1(predicted[0, drawn], truth[drawn]))
    assert linear.std() / np.sqrt(1500) == pytest.approx(np.std(exact), rel=0.12)


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
