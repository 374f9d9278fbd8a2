"""Scores of decisions on several labels, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score

from scar.evaluation.deployment import label_shares
from scar.evaluation.label_scores import (
    LABEL_SCORES,
    balanced_accuracies,
    decide_each,
    f1_scores,
    label_item_scores,
    score_labels,
)


@pytest.fixture
def decided():
    rng = np.random.default_rng(0)
    truth = (rng.random((300, 3)) < [0.5, 0.2, 0.05]).astype(np.uint8)
    logits = rng.normal(size=(300, 3)) + 2 * truth - np.array([1.0, 2.0, 4.0])
    how = {"trained": np.array([150, 60, 15]), "total": 300, "shares": np.array([0.5, 0.2, 0.05]), "converged": True}
    return decide_each(logits, **how), truth


def test_scores_are_those_of_scikit_learn(decided):
    predictions, truth = decided
    scores = score_labels(predictions, truth)
    balanced = [balanced_accuracy_score(truth[:, k], predictions.uniform[:, k]) for k in range(3)]
    np.testing.assert_allclose(scores.by_label["matched_balanced_accuracy"], balanced)
    assert scores.matched_balanced_accuracy == pytest.approx(np.mean(balanced))
    assert scores.matched_macro_f1 == pytest.approx(f1_score(truth, predictions.deployment, average="macro"))
    assert scores.macro_f1 == pytest.approx(f1_score(truth, predictions.raw, average="macro", zero_division=0))
    assert scores.average_precision == pytest.approx(
        average_precision_score(truth, predictions.logits, average="macro")
    )
    assert scores.matched_balanced_accuracy > scores.balanced_accuracy + 0.05
    assert set(scores.by_label) == set(LABEL_SCORES)
    assert not scores.majority


def test_a_label_that_the_test_part_lacks_does_not_count(decided):
    predictions, truth = decided
    lacking = truth.copy()
    lacking[:, 2] = 0
    scores = score_labels(predictions, lacking)
    assert all(np.isnan(scores.by_label[name][2]) for name in LABEL_SCORES)
    assert np.isfinite(scores.matched_macro_f1)


def test_shares_of_labels_need_not_sum_to_one_but_need_every_label():
    about = {"names": ("a", "b"), "counts": np.array([5, 1]), "total": 10, "trained": np.array([0.5, 0.2])}
    assert label_shares({"a": 0.9, "b": 0.8}, **about).tolist() == [0.9, 0.8]
    assert label_shares("uniform", **about).tolist() == [0.5, 0.5]
    np.testing.assert_allclose(label_shares("natural", **about), [5.5 / 11, 1.2 / 11])
    with pytest.raises(ValueError, match="names no share of 'b'"):
        label_shares({"a": 0.9}, **about)
    with pytest.raises(ValueError, match=r"deployment\.c is no label"):
        label_shares({"a": 0.9, "b": 0.1, "c": 0.1}, **about)


@pytest.mark.parametrize(("metric", "decision"), [("balanced_accuracy", "uniform"), ("macro_f1", "deployment")])
def test_scores_of_items_have_the_metric_as_mean_and_its_spread(decided, metric, decision):
    predictions, truth = decided[0], decided[1].astype(bool)
    made = getattr(predictions, decision)
    scores = label_item_scores(made[None], truth, metric)[0]
    whole = {"balanced_accuracy": balanced_accuracies, "macro_f1": f1_scores}[metric]
    assert scores.mean() == pytest.approx(whole(made, truth).mean())
    rng = np.random.default_rng(1)
    drawn = [rng.integers(len(truth), size=len(truth)) for _ in range(2000)]
    spread = np.std([np.nanmean(whole(made[rows], truth[rows])) for rows in drawn])
    assert scores.std(ddof=1) / np.sqrt(len(truth)) == pytest.approx(spread, rel=0.2)
