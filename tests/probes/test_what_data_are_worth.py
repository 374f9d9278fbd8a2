"""Probes at the optimum, matched decisions: a change of class frequencies alone is worth nothing."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scar
from scar.evaluation.scores import decisions, score_decisions
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, penalty_of_subset
from scar.probes.train import share_penalty, train_probes

K, D = 4, 12
CENTRES = 1.3 * np.random.default_rng(5).normal(size=(K, D)) / np.sqrt(2)
TAIL, EVEN = np.array([1400, 400, 130, 70]), np.full(K, 500)


def gaussian(counts, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(K), counts)
    return (CENTRES[labels] + rng.normal(size=(len(labels), D))).astype(np.float32), labels


TEST_X, TEST_Y = gaussian(np.full(K, 2500), 99)


def scored(rows, labels, penalty=0.001):
    """Scores of a probe that was trained on rows, by 10 000 test items of equal classes."""
    task = ProbeTask(train=np.arange(len(rows)), validation=np.arange(0), seed=0)
    probes = train_probes(rows, labels, [task], num_classes=K, config=ProbeConfig(penalties=(penalty,)))
    counts = np.bincount(labels, minlength=K)
    made = decisions(
        probes.logits(0, TEST_X), trained=counts, mix=np.full(K, 1 / K), converged=bool(probes.converged[0])
    )
    return score_decisions(made, TEST_Y)


def test_other_frequencies_of_the_same_classes_move_raw_scores_by_points_and_matched_ones_by_none():
    found = {"tail": [], "even": []}
    for seed in range(5):
        found["tail"].append(scored(*gaussian(8 * TAIL, seed)))
        found["even"].append(scored(*gaussian(8 * EVEN, 10 + seed)))
    gains = {
        metric: np.mean([getattr(s, metric) for s in found["even"]])
        - np.mean([getattr(s, metric) for s in found["tail"]])
        for metric in ("balanced_accuracy", "matched_balanced_accuracy", "matched_accuracy")
    }
    assert gains["balanced_accuracy"] > 0.03
    assert abs(gains["matched_balanced_accuracy"]) < 0.005
    assert abs(gains["matched_accuracy"]) < 0.005


def test_additions_without_information_change_nothing():
    """Every sample of the rarest classes twice, three times: raw scores rise, matched ones stay."""
    for seed in range(3):
        rows, labels = gaussian(4 * TAIL, seed)
        again = np.concatenate([np.arange(len(labels)), *[np.flatnonzero(labels >= 2)] * 2])
        before, after = scored(rows, labels), scored(rows[again], labels[again])
        assert after.balanced_accuracy > before.balanced_accuracy + 0.005
        assert after.matched_balanced_accuracy == pytest.approx(before.matched_balanced_accuracy, abs=0.005)


def test_one_penalty_is_chosen_for_a_set_and_its_subsets_keep_it_as_a_whole():
    rows, labels = gaussian(4 * TAIL, 0)
    order = np.random.default_rng(0).permutation(len(labels))
    sizes = (6000, 3000, 1500)
    tasks = [ProbeTask(train=order[:size], validation=order[6000:], seed=0) for size in sizes]
    shared = share_penalty(rows, labels, tasks, num_classes=K, config=ProbeConfig())
    alone = train_probes(rows, labels, tasks[:1], num_classes=K, config=ProbeConfig().for_choice)
    assert [t.penalty for t in shared] == [
        penalty_of_subset(float(alone.penalty[0]), whole=6000, size=n) for n in sizes
    ]
    trained = train_probes(rows, labels, shared, num_classes=K, config=ProbeConfig())
    np.testing.assert_allclose(trained.penalty, [t.penalty for t in shared], rtol=1e-6)
    assert trained.converged.all()
    assert share_penalty(rows, labels, tasks, num_classes=K, config=ProbeConfig.linear()) == tasks


def small_sets():
    for load in (load_iris, load_wine, load_digits):
        yield load.__name__, *load(return_X_y=True)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    yield "blobs", 2.5 * np.eye(3, 6)[labels] + rng.normal(size=(600, 6)), labels


@pytest.mark.parametrize(
    ("name", "features", "labels"), list(small_sets()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_small_data_come_within_two_points_of_logistic_regression(name, features, labels):
    ours, theirs = [], []
    for seed in range(3):
        x, test_x, y, test_y = train_test_split(features, labels, test_size=0.3, stratify=labels, random_state=seed)
        answer = scar.characterize(x, y, test=(test_x, test_y), random_state=seed)
        assert not [text for text in answer.warnings if "max_epochs" in text]
        ours.append(answer.test_scores.matched_accuracy)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, y)
        theirs.append(model.score(test_x, test_y))
    assert np.mean(ours) > np.mean(theirs) - 0.02


def test_a_probe_that_is_not_trained_says_so():
    answer = scar.characterize(*load_iris(return_X_y=True), probe=ProbeConfig.linear())
    assert "ended at probe.max_epochs before they were trained" in answer.warnings[0]
    assert "use probe=converged" in repr(answer)


@pytest.fixture(scope="module")
def wine():
    features, labels = load_wine(return_X_y=True)
    labels = np.where(np.arange(len(labels)) % 3 == 0, (labels + 1) % 3, labels)  # so that something is needed
    return features, labels, scar.characterize(features, labels)


@pytest.mark.parametrize("scale", [1e18, 1e-18, 1e-30])
def test_the_scale_of_the_features_does_not_matter(wine, scale):
    features, labels, plain = wine
    scaled = scar.characterize(features * scale, labels)
    assert scaled.test_scores.matched_accuracy == pytest.approx(plain.test_scores.matched_accuracy, abs=1e-3)
    assert scaled.plan(40).allocation.counts.tolist() == plain.plan(40).allocation.counts.tolist()
    assert plain.plan(40).allocation.counts.sum() > 0


def test_one_row_far_from_all_others_is_named_and_spoils_nothing(wine):
    features, labels = load_wine(return_X_y=True)
    clean = scar.characterize(features, labels)
    broken = features.copy()
    broken[5] = 1e6
    answer = scar.characterize(broken, labels)
    assert answer.test_scores.matched_accuracy > clean.test_scores.matched_accuracy - 0.03
    assert "1 of 114 training rows lie more than ten times as far out" in answer.warnings[0]
    assert not clean.warnings


def test_constant_features_are_counted():
    features, labels = load_wine(return_X_y=True)
    answer = scar.characterize(np.column_stack([features, np.ones(len(features))]), labels)
    assert answer.warnings == ("1 features are the same in every training row and carry nothing",)
