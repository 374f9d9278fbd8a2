"""Dataset-scale indicators: hand-computed cases, invariances, streaming, several labels per sample, errors."""

import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from scar.sampling.class_sizes import ClassCounter, ClassSizes, class_sizes
from scar.sampling.indicators import (
    dataset_indicators,
    gini,
    imbalance_ratio,
    label_set_size,
    left_skew,
    long_tail,
    normalised_entropy,
)

SIZES = np.array([600, 300, 100])
LABELS = np.repeat([0, 1, 2], SIZES)


def test_hand_computed_values_of_three_classes():
    assert label_set_size(LABELS) == 3
    assert left_skew(LABELS) == 0.6  # ⌈5 % of 3⌉ is one class
    assert left_skew(LABELS, percent=34) == left_skew(LABELS, classes=2) == 0.9
    assert long_tail(LABELS) == 2 / 3
    assert long_tail(LABELS, fewer_than=100) == 0.0  # strictly fewer
    assert long_tail(LABELS, fewer_than=101) == 1 / 3
    assert imbalance_ratio(LABELS) == 6.0
    entropy = -(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1))
    assert normalised_entropy(LABELS) == pytest.approx(entropy / math.log(3))
    differences = np.abs(SIZES[:, None] - SIZES[None]).sum()
    assert gini(LABELS) == pytest.approx(differences / (2 * 9 * SIZES.mean()))
    assert class_sizes(LABELS).summary() == {
        "smallest": 100.0, "lower_quartile": 200.0, "median": 300.0, "mean": pytest.approx(1000 / 3),
        "upper_quartile": 450.0, "largest": 600.0,
    }  # fmt: skip


@pytest.mark.parametrize("classes", [1, 3, 7, 20, 39, 100, 1000])
@pytest.mark.parametrize("percent", [0.1, 1.1, 5, 7, 33.3, 100])
def test_a_balanced_set_has_the_skew_of_its_label_set_and_no_tail(classes, percent):
    labels = np.tile(np.arange(classes), 100)
    exact = -(-round(10 * percent) * classes // 1000)  # ⌈k K / 100⌉ in whole numbers
    assert left_skew(labels, percent=percent) == exact / classes
    assert long_tail(labels, fewer_than=100) == 0.0
    assert (imbalance_ratio(labels), gini(labels)) == (1.0, 0.0)
    assert normalised_entropy(labels) == pytest.approx(1.0)


def test_five_percent_of_a_hundred_balanced_classes_hold_exactly_five_percent():
    assert left_skew(np.tile(np.arange(100), 3)) == 0.05


def test_names_and_order_of_the_labels_do_not_matter():
    rng = np.random.default_rng(0)
    labels = rng.zipf(1.7, 5000) % 50
    names = np.array([f"class {rng.integers(1 << 30)}-{i}" for i in range(50)])
    expected = dataset_indicators(labels)
    assert dataset_indicators(rng.permutation(labels)) == pytest.approx(expected)
    assert dataset_indicators(rng.permutation(50)[labels]) == pytest.approx(expected)
    for renamed in (names[labels], names[labels].tolist(), pd.Series(names[labels], index=labels), 7 * labels + 3):
        assert dataset_indicators(renamed) == pytest.approx(expected)


def test_classes_of_the_label_set_without_samples_count_as_empty():
    found = dataset_indicators(LABELS, num_classes=5)
    assert found["label_set_size"] == 5
    assert found["smallest_class"] == 0
    assert found["long_tail@100"] == 2 / 5
    assert found["imbalance_ratio"] == math.inf
    assert class_sizes(LABELS + 2).sizes.tolist() == SIZES.tolist()  # without a label set, unused ids are no classes


def test_a_single_class_is_balanced():
    found = dataset_indicators(np.zeros(600, int))
    assert found["left_skew@5%"] == found["normalised_entropy"] == found["imbalance_ratio"] == 1.0
    assert found["gini"] == found["long_tail@500"] == 0.0


def test_samples_with_several_labels_count_once_in_each_of_their_classes():
    carried = [[0, 1], [0], (0, 0, 2), {1}, []]
    matrix = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]])
    names = [["a", "b"], ["a"], ["a", "a", "c"], ["b"], []]
    for labels in (carried, matrix, matrix.astype(bool), names):
        found = class_sizes(labels)
        assert found.sizes.tolist() == [3, 2, 1]
        assert (found.samples, found.assignments) == (5, 6)
        assert left_skew(found) == 0.5  # of the six assignments
    both = [[0, 1]] * 40
    assert left_skew(both, classes=1) == 0.5  # balanced, as with one label each
    assert class_sizes(np.array([0, 1, 1], np.uint64)).sizes.tolist() == [1, 2]
    assert class_sizes(carried, num_classes=4).sizes.tolist() == [3, 2, 1, 0]


def test_chunks_in_any_division_give_what_the_whole_gives():
    rng = np.random.default_rng(1)
    labels = rng.zipf(1.3, 20_000) % 3000
    whole = class_sizes(labels, num_classes=3000).sizes
    for cuts in ([1, 2, 10], range(0, 20_000, 37), [19_999]):
        counter = ClassCounter(3000)
        for chunk in np.split(labels, list(cuts)):
            counter.update(chunk)
        assert counter.samples == 20_000
        np.testing.assert_array_equal(counter.compute().sizes, whole)
    halves = [ClassCounter().update(half) for half in np.split(labels, 2)]
    merged = halves[0].merge(halves[1]).compute()
    np.testing.assert_array_equal(merged.sizes, class_sizes(labels).sizes)


def test_memory_depends_on_the_classes_and_not_on_the_labels():
    rng = np.random.default_rng(2)
    chunk = rng.integers(0, 1_000_000, 200_000).astype(np.int32)
    peaks = []
    for chunks in (2, 40):
        tracemalloc.start()
        counter = ClassCounter(1_000_000)
        for _ in range(chunks):
            counter.update(chunk)
        dataset_indicators(counter.compute())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert counter.samples == 8_000_000
    assert peaks[1] < 1.05 * peaks[0] < 100e6


@pytest.mark.slow
def test_a_billion_labels_of_a_million_classes_are_counted_by_chunks():
    chunk = np.random.default_rng(3).integers(0, 1_000_000, 10_000_000).astype(np.int32)
    counter = ClassCounter(1_000_000)
    for _ in range(100):
        counter.update(chunk)
    found = dataset_indicators(counter.compute())
    assert counter.samples == 10**9
    assert found["label_set_size"] == 1e6
    assert found["long_tail@500"] == pytest.approx((np.bincount(chunk, minlength=10**6) < 5).mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_sizes([]), "labels are empty"),
        (lambda: class_sizes([[], []]), "labels are empty"),
        (lambda: class_sizes(np.zeros((2, 3), bool)), "labels are empty"),
        (lambda: ClassCounter().compute(), "labels are empty"),
        (lambda: class_sizes([0, -1]), r"labels\[1\]=-1 is negative"),
        (lambda: class_sizes([[0], [2, -5]]), "-5 is negative"),
        (lambda: class_sizes([0, 3], num_classes=3), r"labels\[1\]=3 lies outside 0\.\.2"),
        (lambda: class_sizes([1 << 40]), "number the classes"),
        (lambda: class_sizes([0.5, 1.0]), "whole numbers"),
        (lambda: class_sizes([[0.5], [1]]), "whole numbers"),
        (lambda: class_sizes(["a"], num_classes=2), "names tell the classes"),
        (lambda: class_sizes([["a"]], num_classes=2), "names tell the classes"),
        (lambda: class_sizes(np.array([[0, 2]])), "zeros and ones"),
        (lambda: class_sizes(np.eye(3), num_classes=4), "not the 3 columns"),
        (lambda: ClassCounter(0), "num_classes=0"),
        (lambda: ClassCounter(2).merge(ClassCounter(3)), "num_classes=2 is less than the 3"),
        (lambda: left_skew(LABELS, percent=0), "percent=0"),
        (lambda: left_skew(LABELS, percent=101), "percent=101"),
        (lambda: left_skew(LABELS, classes=0), "classes=0"),
        (lambda: left_skew(LABELS, classes=4), r"classes=4 must lie in 1\.\.3"),
        (lambda: long_tail(LABELS, fewer_than=0), "fewer_than=0"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_indicators_are_named_by_their_parameters():
    sizes = ClassSizes(SIZES, 1000)
    assert list(dataset_indicators(sizes, percent=2.5, tails=(7,)))[4:6] == ["left_skew@2.5%", "long_tail@7"]
    assert list(dataset_indicators(sizes))[4:7] == ["left_skew@5%", "long_tail@500", "long_tail@100"]


def test_the_answers_of_the_python_api_hold_the_indicators():
    import scar
    from scar.probes.settings import ProbeConfig
    from scar.sampling.subsets import SubsetsConfig

    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [400, 150, 50])
    features = np.eye(3)[labels] * 3 + rng.normal(size=(600, 3))
    plan = SubsetsConfig(name="tiny", factors=(1, 2), max_parts=1)
    answer = scar.characterize(features, labels, subsets=plan, probe=ProbeConfig.linear(max_epochs=3))
    assert answer.indicators["label_set_size"] == 3
    assert answer.indicators["left_skew@5%"] == answer.counts.max() / answer.counts.sum()
    assert answer.indicators["long_tail@100"] == (answer.counts < 100).mean()
