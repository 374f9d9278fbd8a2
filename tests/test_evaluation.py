import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from scar.evaluation import score


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
