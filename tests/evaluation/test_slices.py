"""Slices: clusters that are decided worse than the rest, and no more of them than chance allows."""

import numpy as np
import pytest

from scar.evaluation.slices import judge_slices


def test_a_planted_slice_is_found_with_what_it_would_gain():
    rng = np.random.default_rng(0)
    clusters, classes = np.repeat(np.arange(5), 200), np.tile([0, 1], 500)
    right = rng.random(1000) < np.where(clusters == 3, 0.5, 0.9)
    found = judge_slices(clusters, classes, right, num_classes=2, least=50)
    assert [each.cluster for each in found if each.is_low] == [3]
    first = found[0]
    assert first.size == 200
    assert first.right == right[clusters == 3].mean()
    assert first.rest == right[clusters != 3].mean()
    assert first.low < first.right < first.high < first.rest
    assert first.gain == pytest.approx(0.2 * (first.rest - first.right))
    risen = np.where(clusters == 3, first.rest, right).mean()
    assert first.gain == pytest.approx(risen - right.mean())
    assert first.classes.tolist() == [100, 100]
    by_class = [right[(clusters != 3) & (classes == k)].mean() for k in (0, 1)]
    assert first.alike == pytest.approx(np.mean(by_class))
    assert all(each.judged == 5 for each in found)


def test_where_nothing_is_planted_a_low_slice_is_as_rare_as_the_level_says():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(20), 60)
    seen = [
        any(
            each.is_low
            for each in judge_slices(clusters, clusters * 0, rng.random(1200) < 0.8, num_classes=1, least=50)
        )
        for _ in range(100)
    ]
    assert sum(seen) <= 8


def test_small_clusters_are_not_judged_and_one_cluster_has_no_rest():
    clusters = np.array([0] * 100 + [1] * 9)
    right, classes = np.ones(109, bool), np.zeros(109, int)
    assert [each.cluster for each in judge_slices(clusters, classes, right, num_classes=1, least=10)] == [0]
    assert judge_slices(clusters * 0, classes, right, num_classes=1, least=10) == []


def test_classes_that_occur_nowhere_else_and_items_without_a_class_are_no_comparison():
    clusters, classes = np.repeat([0, 1], 50), np.repeat([0, -1], 50)
    found = judge_slices(clusters, classes, np.arange(100) % 2 == 0, num_classes=2, least=10)
    assert all(np.isnan(each.alike) for each in found)
    assert [each.classes.sum() for each in sorted(found, key=lambda each: each.cluster)] == [50, 0]


def test_a_rare_class_that_occurs_nowhere_else_spoils_no_comparison():
    clusters, classes = np.repeat([0, 1], 50), np.zeros(100, int)
    classes[:3] = 1
    (first, _) = sorted(
        judge_slices(clusters, classes, np.arange(100) < 80, num_classes=2, least=10), key=lambda each: each.cluster
    )
    assert first.alike == pytest.approx(30 / 50)
