"""`scar.characterize` of samples that carry any number of labels, on labels simulated from known logistic models."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

import scar

NAMES = ["dog", "cat", "tree", "rain", "comet"]
BIAS = np.array([0.0, 0.0, -1.0, -2.0, -7.0])
SLOPES = 1.2 * np.random.default_rng(99).normal(size=(12, 5))


def simulate(count, seed, bias=BIAS):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 12)).astype(np.float32)
    return x, (rng.random((count, 5)) < 1 / (1 + np.exp(-(x @ SLOPES + bias)))).astype(int)


@pytest.fixture(scope="module")
def data():
    pool = simulate(1500, 2, bias=BIAS + np.array([0, 0, 0, 0, 4]))
    return {"now": simulate(1500, 1), "pool": pool, "test": simulate(4000, 3)}


@pytest.fixture(scope="module")
def answer(data):
    return scar.characterize(
        *data["now"],
        class_names=NAMES,
        pool_embeddings=data["pool"][0],
        pool_labels=data["pool"][1],
        test=data["test"],
        random_state=0,
    )


def test_scores_are_those_of_a_logistic_regression_per_label(answer, data):
    (x, y), (test, truth) = data["now"], data["test"]
    for k, name in enumerate(NAMES):
        peer = LogisticRegression(C=1.0).fit(x, y[:, k])
        score = average_precision_score(truth[:, k], peer.decision_function(test))
        assert answer.labels.average_precision[name] == pytest.approx(score, abs=0.05 if name == "comet" else 0.02)
    assert answer.test_scores.average_precision == pytest.approx(answer.labels.average_precision.mean())


def test_matched_decisions_find_a_rare_label_that_raw_ones_miss(answer):
    rare = answer.labels.loc["comet"]
    assert rare.matched_balanced_accuracy > rare.balanced_accuracy + 0.1
    best = 0.02  # of a label that half of the samples carry, both decide alike
    assert answer.labels.loc["dog"].matched_balanced_accuracy == pytest.approx(
        answer.labels.loc["dog"].balanced_accuracy, abs=best
    )


def test_measures_and_needs_are_of_labels(answer):
    frame = answer.measures.query("factor == 1").set_index("class_name")
    assert frame.index.tolist() == NAMES
    assert frame.samples.sum() > answer.samples  # several labels a sample
    assert (frame.authenticity > 0.7).all()
    assert (frame.richness > frame.authenticity).all()
    needs = answer.needs
    assert needs.have.tolist() == answer.counts.tolist()
    size = answer.estimates["heldout"].step_sizes[1]
    assert needs.enough["cat"] == pytest.approx(size * answer.counts[1] / answer.samples, nan_ok=True)
    assert "reference" not in answer.foundation.index
    assert "balanced_accuracy" in answer.prospect
    assert answer.prospect.index[0] == answer.samples


def test_a_starved_label_gets_most_of_the_plan(answer, data):
    plan = answer.plan(60)
    assert plan.counts["comet"] > 30
    assert len(plan.rows) == 60 == plan.counts.sum()
    assert np.array_equal(data["pool"][1][plan.rows].sum(axis=0), plan.brings)
    assert plan.brings["comet"] >= plan.counts["comet"]
    assert "bring" in repr(plan)


def test_without_pool_labels_a_plan_says_what_to_expect(data):
    answer = scar.characterize(*data["now"], class_names=NAMES)
    plan = answer.plan(50)
    assert plan.rows is None
    assert plan.counts.sum() == 50 < plan.brings.sum()


def test_lists_of_names_and_frames_give_the_same_answer(data):
    x, y = (each[:700] for each in data["now"])
    y = y[:, :4]
    plain = scar.characterize(x, y, class_names=NAMES[:4])
    frame = scar.characterize(x, pd.DataFrame(y, columns=NAMES[:4]))
    names = scar.characterize(x, [[NAMES[k] for k in np.flatnonzero(row)] for row in y], class_names=NAMES[:4])
    for other in (frame, names):
        assert other.class_names == tuple(NAMES[:4])
        assert np.array_equal(plain.observations.authenticity, other.observations.authenticity, equal_nan=True)
    assert plain.test_scores.macro_f1 == names.test_scores.macro_f1


def test_the_answer_reads_as_text(answer):
    text = repr(answer)
    assert "5 labels, " in text
    assert "average precision 0." in text
    assert "balanced accuracy 0." in text


def test_what_does_not_apply_is_refused_by_name(answer, data):
    assert set(answer.expect([1] * 5).refused) == {"several_labels"}
    assert "several labels" in answer.next_round(0.999).why
    for call, message in (
        (lambda: answer.plan(10, "tempered"), "completion=tempered does not plan for samples that carry several"),
        (lambda: answer.plan(10, selection="k_center"), "selection=k_center ranks samples of one class each"),
        (lambda: answer.recommend(10), "planners are compared by forecasts"),
        (lambda: scar.characterize(*data["now"], driver="reference"), "driver='reference' is of samples of one class"),
        (lambda: scar.characterize(data["now"][0], data["now"][1][:-1]), "labels has 1499 entries"),
        (lambda: scar.characterize(data["now"][0], data["now"][1] * 0.5), "holds 0.5"),
        (lambda: scar.characterize(*data["now"], deployment={"0": 0.5}), "names no share of '1'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_one_label_each_is_warned_of(data):
    x, y = data["now"][0], np.eye(3, dtype=int)[np.arange(1500) % 3]
    with pytest.warns(UserWarning, match="every sample carries exactly one label"):
        answer = scar.characterize(x, y)
    assert answer.several


def test_the_decision_asks_for_the_samples_that_the_plan_buys(data):
    collected = scar.characterize(*data["now"], class_names=NAMES, random_state=0)
    assert f"the plan: {collected.plan().counts.sum():,} samples".replace(",", "\u202f") in collected.decision.buy
    assert "5 labels)" in collected.decision.quality
    assert "experiment=inspect" not in collected.decision.free


def test_columns_that_are_named_twice_or_are_of_other_labels_are_refused(data):
    x, y = data["now"]
    with pytest.raises(ValueError, match=r"'cat' names more than one column"):
        scar.characterize(x, y, class_names=["dog", "cat", "cat", "rain", "comet"])
    pool = pd.DataFrame(data["pool"][1], columns=[*NAMES[1:], "fog"])
    with pytest.raises(ValueError, match=r"pool_labels: the column 'fog' is none of the labels dog, cat"):
        scar.characterize(x, pd.DataFrame(y, columns=NAMES), pool_embeddings=data["pool"][0], pool_labels=pool)
