import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_measures import draw_logits, naive_measures

from scar.measures.steps import StepStatistics, scar_measures

FIELDS = ("scale", "coverage", "authenticity", "richness", "true_positives", "coverage_defined")


def assert_same(left, right, *, exact=FIELDS):
    for name in FIELDS:
        if name in exact:
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
        else:
            np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=0, atol=1e-14)


@pytest.mark.parametrize("decision", ["argmax", "threshold"])
@pytest.mark.parametrize(("samples", "classes", "bins"), [(400, 2, 100), (600, 3, 100), (700, 7, 13)])
def test_measures_equal_their_definitions_sample_by_sample(samples, classes, bins, decision):
    logits, labels = draw_logits(samples, classes, seed=classes, shift=1.5)
    ours = scar_measures(logits, labels, decision=decision, bins=bins)
    scale, coverage, authenticity, richness, found = naive_measures(logits, labels, decision, bins)
    np.testing.assert_allclose(ours.scale, scale, rtol=1e-14)
    np.testing.assert_allclose(ours.coverage, coverage, rtol=1e-12)
    np.testing.assert_allclose(ours.authenticity, authenticity, rtol=1e-14)
    np.testing.assert_allclose(ours.richness, richness, rtol=1e-14)
    np.testing.assert_array_equal(ours.true_positives, found)
    assert ours.coverage_defined.all()


def test_two_decisions_disagree_where_they_should():
    logits, labels = draw_logits(500, 4, shift=1.0)
    argmax, threshold = (scar_measures(logits, labels, decision=d) for d in ("argmax", "threshold"))
    assert (threshold.authenticity < argmax.authenticity).all()
    np.testing.assert_array_equal(threshold.coverage, argmax.coverage)
    assert np.abs(threshold.richness - closed_form(threshold.authenticity, 4)).max() > 0.01


def closed_form(authenticity, classes):
    return authenticity + (1 - authenticity) * (classes - 2) / (classes - 1)


@settings(max_examples=40)
@given(samples=st.integers(1, 300), classes=st.integers(2, 9), seed=st.integers(0, 2**32), shift=st.floats(-2, 4))
def test_arg_max_makes_richness_a_function_of_authenticity(samples, classes, seed, shift):
    logits, labels = draw_logits(samples, classes, seed=seed, shift=shift)
    measures = scar_measures(logits, labels)
    accuracy = (logits.argmax(axis=1) == labels).mean()
    np.testing.assert_allclose(measures.richness, closed_form(measures.authenticity, classes), rtol=1e-13)
    np.testing.assert_allclose((1 - measures.authenticity).sum(), 2 * (1 - accuracy), atol=1e-12)
    if classes > 2:
        np.testing.assert_array_equal(measures.scale, 1.0)


@settings(max_examples=40)
@given(
    samples=st.integers(2, 300),
    classes=st.integers(2, 6),
    cuts=st.lists(st.integers(1, 299), max_size=4),
    decision=st.sampled_from(["argmax", "threshold"]),
    seed=st.integers(0, 2**32),
)
def test_batches_and_merges_do_not_change_the_measures(samples, classes, cuts, decision, seed):
    logits, labels = draw_logits(samples, classes, seed=seed)
    edges = [0, *sorted({c for c in cuts if c < samples}), samples]
    merged = StepStatistics(classes, decision)
    for low, high in itertools.pairwise(edges):
        part = StepStatistics(classes, decision)
        part.update(logits[low:high], labels[low:high])
        merged.merge(part)
    whole = scar_measures(logits, labels, decision=decision, min_count=2)
    assert_same(merged.compute(min_count=2), whole)


def test_the_order_of_samples_and_the_names_of_classes_do_not_matter():
    logits, labels = draw_logits(800, 5)
    random = np.random.default_rng(1)
    order, names = random.permutation(800), random.permutation(5)
    renamed = np.empty_like(logits)
    renamed[:, names] = logits
    shuffled = scar_measures(renamed[order], names[labels][order])
    original = scar_measures(logits, labels)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(shuffled, name)[names], getattr(original, name), rtol=1e-13)


def test_statistics_count_misses_and_false_alarms():
    logits = np.array([[2.0, 1.0, -1.0], [-1.0, -2.0, -3.0], [1.0, 3.0, 2.0], [0.5, 0.2, 0.7]])
    labels = np.array([0, 0, 2, 2])
    argmax, threshold = StepStatistics(3), StepStatistics(3, decision="threshold")
    argmax.update(logits, labels)
    threshold.update(logits, labels)
    assert argmax.correct == threshold.correct == 3
    np.testing.assert_array_equal(argmax.class_sizes, [2, 0, 2])
    np.testing.assert_array_equal(argmax.misses, [0, 0, 1])
    np.testing.assert_array_equal(argmax.false_alarms, [0, 1, 0])
    np.testing.assert_array_equal(threshold.misses, [1, 0, 0])
    np.testing.assert_array_equal(threshold.false_alarms, [2, 3, 0])
    np.testing.assert_array_equal(argmax.compute(min_count=1).true_positives, [1, 0, 1])


def test_a_subset_scales_by_its_fraction_and_by_nothing_else():
    logits, labels = draw_logits(300, 3)
    statistics = StepStatistics(3)
    statistics.update(logits, labels)
    whole, fifth = statistics.compute(), statistics.compute(scale=0.2)
    np.testing.assert_allclose(fifth.scale, 0.2 * whole.scale)
    np.testing.assert_array_equal(fifth.richness, whole.richness)


def test_a_class_with_too_few_true_positives_has_no_coverage_but_all_else():
    logits, labels = draw_logits(300, 3, shift=9.0)
    keep = np.flatnonzero((labels != 1) | (np.cumsum(labels == 1) <= 29))
    measures = scar_measures(logits[keep], labels[keep])
    np.testing.assert_array_equal(measures.coverage_defined, [True, False, True])
    np.testing.assert_array_equal(np.isnan(measures.coverage), [False, True, False])
    assert measures.true_positives[1] == 29
    assert np.isfinite(measures.authenticity).all()
    assert scar_measures(logits[keep], labels[keep], min_count=29).coverage_defined.all()


def test_an_absent_class_is_undefined_not_an_error():
    logits, labels = draw_logits(300, 3)
    present = labels != 2
    measures = scar_measures(logits[present], labels[present])
    assert measures.true_positives[2] == 0
    assert not measures.coverage_defined[2]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64])
def test_other_number_types_are_measured_as_the_doubles_they_are(dtype):
    logits, labels = draw_logits(500, 3)
    narrow = (logits * (100 if dtype is np.int64 else 1)).astype(dtype)
    assert_same(scar_measures(narrow, labels), scar_measures(narrow.astype(np.float64), labels))


def test_layout_does_not_matter():
    logits, labels = draw_logits(500, 3)
    assert_same(scar_measures(np.asfortranarray(logits), labels), scar_measures(logits, labels))


GOOD = np.eye(3), np.arange(3)


@pytest.mark.parametrize(
    ("logits", "labels", "options", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), {}, "logits"),
        (np.zeros((3, 1)), np.zeros(3, int), {}, "K ≥ 2"),
        (np.zeros(3), np.zeros(3, int), {}, "logits has shape"),
        (np.eye(3), np.arange(2), {}, "labels has shape"),
        (np.eye(3), np.array([0, 1, 3]), {}, "labels spans 0..3"),
        (np.eye(3), np.array([0, 1, -1]), {}, "labels spans -1"),
        (np.eye(3), np.arange(3.0), {}, "labels has dtype"),
        (np.where(np.eye(3) > 0, np.nan, 0), np.arange(3), {}, "logits holds NaN"),
        (np.where(np.eye(3) > 0, np.inf, 0), np.arange(3), {}, "logits holds NaN or infinite"),
        (np.where(np.eye(3) > 0, -np.inf, 0), np.arange(3), {}, "logits holds NaN or infinite"),
        (*GOOD, {"decision": "softmax"}, "decision='softmax'"),
        (*GOOD, {"bins": 0}, "bins=0"),
        (*GOOD, {"min_count": 0}, "min_count=0"),
    ],
)
def test_invalid_arguments_are_named(logits, labels, options, message):
    with pytest.raises(ValueError, match=message):
        scar_measures(logits, labels, **options)


def test_an_accumulator_refuses_what_it_cannot_answer():
    with pytest.raises(ValueError, match="no samples"):
        StepStatistics(3).compute()
    with pytest.raises(ValueError, match="num_classes=1"):
        StepStatistics(1)
    with pytest.raises(ValueError, match="num_classes=4"):
        StepStatistics(3).merge(StepStatistics(4))
    filled = StepStatistics(3)
    filled.update(*GOOD)
    with pytest.raises(ValueError, match="scale=2"):
        filled.compute(scale=2.0)


def test_no_matrix_of_logits_is_kept():
    statistics = StepStatistics(50)
    logits, labels = draw_logits(2000, 50, shift=6.0, dtype=np.float32)
    statistics.update(logits, labels)
    kept = statistics.true_positives()
    assert sum(array.nbytes for array in kept) <= 2000 * 8
    assert all(array.base is None for array in kept)
