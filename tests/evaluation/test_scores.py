import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from scar.evaluation.deployment import class_mix
from scar.evaluation.scores import Predictions, decisions, raw_scores, recalls, score_decisions
from scar.probes.decisions import matched_shift, smoothed_mix


def score(predicted, truth):
    return score_decisions(Predictions(raw=predicted, deployment=predicted, uniform=predicted, converged=True), truth)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_equal_scikit_learn(pairs):
    truth, predicted = np.array(pairs).T
    result = score(predicted, truth)
    assert result.accuracy == pytest.approx(accuracy_score(truth, predicted))
    recalls = [np.mean(predicted[truth == k] == k) for k in np.unique(truth)]
    assert result.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert result.worst_class_accuracy == pytest.approx(min(recalls))
    assert result.macro_f1 == pytest.approx(
        f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    )


def test_balanced_accuracy_is_that_of_scikit_learn_when_every_class_is_predicted():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 500)
    predicted = np.where(rng.random(500) < 0.7, truth, rng.integers(0, 4, 500))
    assert score(predicted, truth).balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_a_probe_that_predicts_one_class_is_flagged_and_a_good_one_is_not():
    truth = np.repeat([0, 1, 2], [60, 30, 10])
    assert score(np.zeros(100, np.int64), truth).majority
    assert score(np.full(100, 1), truth).majority
    assert not score(truth, truth).majority


def gaussian(rng, mix, n, centres):
    labels = rng.choice(len(mix), size=n, p=mix)
    return centres[labels] + rng.normal(size=(n, centres.shape[1])), labels


def test_matched_decisions_take_the_change_of_frequencies_out_of_a_score():
    """The exact posterior under one mix, matched to another, is the exact posterior under the other."""
    rng, centres = np.random.default_rng(0), 1.2 * np.eye(4)
    tail, even = np.array([0.85, 0.05, 0.05, 0.05]), np.full(4, 0.25)
    x, labels = gaussian(rng, even, 40_000, centres)
    likelihood = x @ centres.T - 0.5 * np.square(centres).sum(axis=1)
    arms = {name: likelihood + np.log(mix) for name, mix in {"tail": tail, "even": even}.items()}
    counts = {"tail": np.array([1700, 100, 100, 100]), "even": np.full(4, 500)}
    found = {
        name: score_decisions(decisions(arms[name], trained=counts[name], mix=even, converged=True), labels)
        for name in arms
    }
    assert found["even"].accuracy - found["tail"].accuracy > 0.1
    assert found["even"].matched_accuracy == pytest.approx(found["tail"].matched_accuracy, abs=1e-12)
    assert found["even"].matched_balanced_accuracy == pytest.approx(found["tail"].matched_balanced_accuracy, abs=1e-12)


def test_each_score_is_matched_to_its_own_mix():
    rng, centres, natural = np.random.default_rng(1), 1.2 * np.eye(3), np.array([0.8, 0.15, 0.05])
    x, labels = gaussian(rng, natural, 20_000, centres)
    logits = x @ centres.T - 0.5 * np.square(centres).sum(axis=1)  # as trained on equal classes
    made = decisions(logits, trained=np.full(3, 100), mix=natural, converged=True)
    scores = score_decisions(made, labels)
    assert scores.matched_accuracy > scores.accuracy + 0.05
    assert (
        scores.matched_balanced_accuracy
        == scores.balanced_accuracy
        == raw_scores(made.uniform, labels)["balanced_accuracy"]
    )
    assert scores.matched_macro_f1 == raw_scores(made.deployment, labels)["macro_f1"]
    assert scores.matched_worst_class_accuracy == scores.worst_class_accuracy


def test_a_declared_mix_weights_the_recalls():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    predicted = np.where(np.arange(100) % 5 == 0, (labels + 1) % 3, labels)
    mix = np.array([0.1, 0.9, 0.0])
    made = Predictions(raw=predicted, deployment=predicted, uniform=predicted, converged=True)
    expected = mix @ recalls(predicted, labels, 3)
    assert score_decisions(made, labels, mix=mix).matched_accuracy == pytest.approx(expected)


def test_a_class_without_training_samples_or_share_is_never_decided_for():
    logits = np.array([[0.0, 0.0, 9.0], [0.0, 9.0, 0.0]])
    absent = decisions(logits, trained=np.array([5, 5, 0]), mix=np.full(3, 1 / 3), converged=True)
    assert {0, 1} >= {*absent.raw, *absent.deployment, *absent.uniform}
    unused = decisions(logits, trained=np.array([5, 5, 5]), mix=np.array([0.5, 0.0, 0.5]), converged=True)
    assert unused.deployment.tolist() == [2, 0]
    assert unused.uniform.tolist() == [2, 1]


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6), st.data())
def test_a_smoothed_mix_is_a_mix_between_counts_and_prior(counts, data):
    prior = data.draw(st.lists(st.integers(1, 50), min_size=len(counts), max_size=len(counts)))
    mix, towards = smoothed_mix(counts, prior), np.array(prior) / sum(prior)
    assert mix.sum() == pytest.approx(1)
    assert (mix > 0).all()
    own = np.array(counts) / max(sum(counts), 1) if sum(counts) else towards
    assert (mix >= np.minimum(own, towards) - 1e-12).all()
    assert (mix <= np.maximum(own, towards) + 1e-12).all()
    np.testing.assert_allclose(matched_shift(prior, towards), 0, atol=1e-12)


MIX = {
    "names": ("a", "b"),
    "counts": np.array([30, 10]),
    "trained": np.array([5, 5]),
    "tested": np.array([True, False]),
}


def test_the_deployment_mix_is_estimated_uniform_or_declared():
    np.testing.assert_allclose(class_mix("natural", **MIX), [30.5 / 41, 10.5 / 41])
    np.testing.assert_allclose(class_mix("uniform", **MIX), [0.5, 0.5])
    np.testing.assert_allclose(class_mix({"a": 1.0}, **MIX), [1.0, 0.0])


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        ("natrual", "deployment='natrual' is unknown; use natural, uniform"),
        ({"a": 0.5}, "sum to 0.5, not to 1"),
        ({"a": 1.2, "b": -0.2}, "deployment.a=1.2 is a share"),
        ({"a": 0.5, "c": 0.5}, "deployment.c is no class of the dataset; classes are a, b"),
        ({"a": 0.5, "b": 0.5}, "deployment.b=0.5, but the test part has no sample"),
    ],
)
def test_a_mix_that_is_none_is_refused(deployment, message):
    with pytest.raises(ValueError, match=message):
        class_mix(deployment, **MIX)
