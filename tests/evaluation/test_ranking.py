"""Rank intervals hold the true ranks of simulated encoders."""

from itertools import product

import numpy as np
import pytest

from scar.evaluation import ranking
from scar.evaluation.intervals import crossed_variance, single_level, single_level_of_pairs
from scar.evaluation.ranking import rank_arms
from scar.evaluation.weighted_metrics import weighted_scores


def simulate(strength, *, seeds=4, items=400, rng):
    """Right answers [E, S, n]: items differ in difficulty, which all encoders share, and seeds in luck."""
    difficulty = rng.normal(0, 1.5, items)
    luck = rng.normal(0, 0.1, (len(strength), seeds, 1))
    own = rng.normal(0, 1.0, (len(strength), 1, items))  # what an encoder finds hard by itself
    chance = 1 / (1 + np.exp(-(np.asarray(strength)[:, None, None] + luck + own - difficulty)))
    return rng.random(chance.shape) < chance


def true_ranks(strength):
    return [1 + sum(other > own for other in strength) for own in strength]


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("strength", [(0.9, 0.8, 0.75, 0.3), (1.5, 1.0, 0.5, 0.0)], ids=["close", "apart"])
def test_the_intervals_of_all_encoders_hold_their_true_ranks_as_often_as_they_say(strength, metric):
    rng, runs = np.random.default_rng(0), 120
    labels = np.arange(400) % 3
    held = 0
    for _ in range(runs):
        found = rank_arms(simulate(strength, rng=rng), labels, metric=metric)
        held += all(each.low <= true <= each.high for each, true in zip(found, true_ranks(strength), strict=True))
    assert held >= 0.92 * runs  # 95 % are asked for; two standard errors of 120 runs are 4 %


def test_encoders_that_are_far_apart_get_their_ranks_and_equal_ones_share_theirs():
    rng = np.random.default_rng(1)
    right = simulate((2.5, 1.0, -0.5), items=3000, rng=rng)
    found = rank_arms(right, np.zeros(3000, int))
    assert [(each.rank, each.low, each.high) for each in found] == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    twice = rank_arms(np.stack([right[0], right[0], right[2]]), np.zeros(3000, int))
    assert [(each.rank, each.low, each.high) for each in twice] == [(1, 1, 2), (1, 1, 2), (3, 3, 3)]


def test_few_items_say_nothing_about_the_order():
    right = simulate((0.55, 0.5, 0.45), items=30, rng=np.random.default_rng(2))
    assert all((each.low, each.high) == (1, 3) for each in rank_arms(right, np.zeros(30, int)))


def test_one_seed_is_ranked_by_the_test_items_alone():
    right = simulate((3.0, -1.0), seeds=1, items=1000, rng=np.random.default_rng(3))
    assert [each.rank for each in rank_arms(right, np.zeros(1000, int))] == [1, 2]


def test_scores_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"expected \[E, S, 5\]"):
        rank_arms(np.zeros((2, 5)), np.zeros(5, int))


def test_the_level_of_all_pairs_needs_no_matrix_of_all_pairs():
    scores = simulate(np.linspace(0, 1, 7), seeds=12, items=200, rng=np.random.default_rng(4)).astype(float)
    scores[6] = scores[5]  # a difference that is 0 everywhere
    pairs = [scores[i] - scores[j] for i in range(7) for j in range(i + 1, 7)]
    expected = single_level(pairs[:-1], len(pairs), level=0.9)
    assert single_level_of_pairs(scores, level=0.9) == pytest.approx(expected, abs=2e-3)
    few = simulate((1.0, 0.0, 0.5), rng=np.random.default_rng(5)).astype(float)
    assert single_level_of_pairs(few, level=0.9) == single_level(None, 3, level=0.9)


def test_very_many_arms_are_ranked_without_the_differences_of_all_pairs(monkeypatch):
    right = simulate(np.linspace(0, 2, 40), seeds=10, items=100, rng=np.random.default_rng(6))
    labels = np.zeros(100, int)
    monkeypatch.setattr(
        ranking, "single_level", lambda scores, *_, **__: 1.0 if scores is None else pytest.fail("held")
    )
    found = rank_arms(right, labels)
    assert sorted(each.rank for each in found)[0] == 1
    assert all(each.low <= each.rank <= each.high for each in found)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
def test_differences_of_very_many_encoders_are_tested_as_pair_by_pair(metric, monkeypatch):
    rng = np.random.default_rng(3)
    right = simulate(np.linspace(0.2, 1.6, 37), seeds=5, items=90, rng=rng)
    right[4] = right[9]
    labels = np.arange(90) % 4
    x = weighted_scores(right, labels, metric)
    for start, variances, freedoms in ranking.crossed_variances_of_pairs(x):
        for i, j in product(range(len(variances)), range(len(x))):
            variance, freedom = crossed_variance(x[start + i] - x[j])
            assert variances[i, j] == pytest.approx(variance, rel=1e-9, abs=1e-15)
            if variance > 0:
                assert freedoms[i, j] == pytest.approx(freedom, rel=1e-6)
    found = rank_arms(right, labels, metric=metric)
    monkeypatch.setattr(ranking, "single_level", lambda *_, level: single_level_of_pairs(x, level=level))
    monkeypatch.setattr(ranking, "TOGETHER", 10_000)
    assert found == rank_arms(right, labels, metric=metric)
