"""`scar.characterize`: the four answers for arrays in memory, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

import scar
from scar.completion.planners import ClassAveragePlanner, RandomPlanner

NAMES = [f"digit {d}" for d in range(10)]


@pytest.fixture(scope="module")
def digits():
    features, labels = load_digits(return_X_y=True)
    return (features / 16).astype(np.float32), labels


@pytest.fixture(scope="module")
def answer(digits):
    features, labels = digits
    starved = np.flatnonzero((labels != 3) | (np.arange(len(labels)) % 6 == 0))
    now, pool = starved[: len(starved) // 2 * 2 : 2], np.setdiff1d(np.arange(len(labels)), starved[::2])
    return scar.characterize(
        features[now],
        labels[now],
        class_names=NAMES,
        pool_embeddings=features[pool],
        pool_labels=labels[pool],
        random_state=1,
    )


def test_measures_are_a_frame_with_class_names(answer):
    frame = answer.measures
    assert set(frame.columns) >= {"factor", "part", "class_name", "scale", "coverage", "authenticity", "richness"}
    assert set(frame.class_name) == set(NAMES)
    assert frame.authenticity.dropna().between(0.5, 1).all()


def test_the_foundation_size_comes_from_every_estimator_with_interval_and_flags(answer):
    frame = answer.foundation
    assert list(frame.index) == ["reference", "paper", "heldout", "learning_curve"]
    known = frame.dropna(subset=["foundation_size", "low", "high"])
    assert (known.low <= known.foundation_size).all()
    assert (known.foundation_size <= known.high).all()


def test_a_plan_stays_within_pool_and_budget_and_names_pool_rows(answer):
    plan = answer.plan(budget=40, planner=ClassAveragePlanner())
    assert plan.counts.sum() == 40 == len(plan.rows)
    assert np.array_equal(np.bincount(answer.pool[plan.rows], minlength=10), plan.counts)
    assert plan.counts.index.tolist() == NAMES
    assert "add 40" in repr(plan)


def test_the_answers_read_as_text(answer):
    text = repr(answer)
    assert "test accuracy 0." in text
    assert "Foundation Data Size, heldout" in text


def test_a_given_test_set_is_used_and_nothing_else_is_tested_on(digits):
    features, labels = digits
    test = (features[1500:], labels[1500:])
    answer = scar.characterize(features[:1500], labels[:1500], test=test)
    assert len(answer.test_scores.correct) == len(labels) - 1500
    assert answer.test_scores.accuracy > 0.85


def test_without_pool_labels_a_plan_gives_counts(digits):
    features, labels = digits
    answer = scar.characterize(features[:1200], labels[:1200], pool_embeddings=features[1200:])
    plan = answer.plan(budget=25)
    assert plan.rows is None
    assert plan.counts.sum() in (0, 25)


def test_arrays_tensors_frames_and_names_give_the_same_answer(digits):
    features, labels = digits[0][:600], digits[1][:600]
    plain = scar.characterize(features, labels)
    tensors = scar.characterize(torch.from_numpy(features), torch.from_numpy(labels))
    frames = scar.characterize(pd.DataFrame(features), pd.Series([str(d) for d in labels]))
    assert frames.class_names == tuple("0123456789")
    for other in (tensors, frames):
        assert np.array_equal(plain.observations.authenticity, other.observations.authenticity, equal_nan=True)


def test_groups_are_never_divided(digits):
    features, labels = digits
    groups = [f"writer {i // 20}" for i in range(len(labels))]
    answer = scar.characterize(features, labels, groups=groups)
    assert answer.counts.sum() == pytest.approx(0.8 * 0.8 * len(labels), rel=0.1)


def test_the_seed_decides_everything(digits):
    features, labels = digits[0][:600], digits[1][:600]
    first, again, other = (scar.characterize(features, labels, random_state=s) for s in (5, 5, 6))
    assert np.array_equal(first.probe.weights, again.probe.weights)
    assert not np.array_equal(first.probe.weights, other.probe.weights)


def broken(features, row, value):
    features = features.copy()
    features[row, 0] = value
    return features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: {"embeddings": broken(x, 7, np.nan)}, r"NaN or infinite.*7"),
        (lambda x, y: {"embeddings": broken(x, 3, np.inf)}, r"NaN or infinite.*3"),
        (lambda x, y: {"embeddings": x[:-1]}, r"299|300"),
        (lambda x, y: {"labels": np.where(y == 9, 11, y)}, r"0\.\.K-1|class_names"),
        (lambda x, y: {"labels": np.where(np.arange(300) == 5, 10, y), "class_names": NAMES}, r"labels\[5\]=10"),
        (lambda x, y: {"labels": np.where(np.arange(300) == 5, -1, y), "class_names": NAMES}, r"-1"),
        (lambda x, y: {"labels": np.zeros(300, int)}, r"single class"),
        (lambda x, y: {"labels": np.where(np.arange(300) == 5, "rare", "common")}, r"'rare' has 1"),
        (lambda x, y: {"labels": np.eye(10)[y]}, r"multi-label"),
        (lambda x, y: {"labels": y + 0.5}, r"labels"),
        (lambda x, y: {"groups": ["a"] * 7}, r"groups has length 7"),
        (lambda x, y: {"pool_embeddings": x[:, :5]}, r"pool_embeddings have 5 dimensions"),
        (lambda x, y: {"pool_embeddings": x, "pool_labels": y[:-1]}, r"pool_labels has length 299"),
        (lambda x, y: {"test": (x[:, :5], y)}, r"test embeddings have 5 dimensions"),
        (lambda x, y: {"driver": "oracle"}, r"driver='oracle'"),
    ],
)
def test_bad_input_is_refused_by_name(digits, change, message):
    features, labels = digits[0][:300], digits[1][:300]
    arguments = {"embeddings": features, "labels": labels} | change(features, labels)
    with pytest.raises(ValueError, match=message):
        scar.characterize(**arguments)


def test_a_pool_without_labels_bounds_the_plan_and_random_needs_labels(digits):
    features, labels = digits
    answer = scar.characterize(features[:1200], labels[:1200], pool_embeddings=features[1200:1210])
    assert answer.plan(budget=10_000).counts.sum() <= 10
    with pytest.raises(ValueError, match="labelled pool"):
        answer.plan(budget=5, planner=RandomPlanner())
    with pytest.raises(ValueError, match="without pool_embeddings"):
        scar.characterize(features[:300], labels[:300], pool_labels=labels[:5])


def test_too_few_samples_are_refused_with_the_part_that_would_be_empty(digits):
    features, labels = digits
    rows = np.concatenate([np.flatnonzero(labels == d)[:2] for d in (0, 1)])
    with pytest.raises(ValueError, match="part is empty: 4 samples"):
        scar.characterize(features[rows], labels[rows])


def test_a_negative_budget_is_refused(answer):
    with pytest.raises(ValueError, match="budget=-1"):
        answer.plan(budget=-1)


@pytest.mark.parametrize(
    "selection", ["random", "k_center", "facility_location", "herding", "margin", "semantic_dedup"]
)
def test_planners_and_selections_are_found_by_name(answer, selection):
    plan = answer.plan(30, "water_filling", selection=selection)
    assert len(plan.rows) == len(plan.scores) == 30 == plan.cost
    assert np.array_equal(np.bincount(answer.pool[plan.rows], minlength=10), plan.allocation.counts)
    assert np.isfinite(plan.scores).any() == (selection != "random")
    with pytest.raises(ValueError, match="planner='best' is unknown; use one of scar, scar_even, random"):
        answer.plan(30, "best")


def test_a_plan_in_money_says_what_it_costs_and_what_it_promises(answer):
    from scar.completion.budgets import BudgetsConfig

    prices = BudgetsConfig(unit="money", costs={NAMES[0]: 10.0}, maximum={NAMES[1]: 2})
    plan = answer.plan(60, "class_average", budgets=prices)
    assert plan.cost <= 60
    assert plan.allocation.counts[1] <= 2
    assert plan.expected["gain_low"] <= plan.expected["gain"] <= plan.expected["gain_high"]
    ahead = answer.what_if([20, 60], "class_average", budgets=prices)
    assert ahead.loc[60, "cost"] == plan.cost
    assert ahead.gain.is_monotonic_increasing
