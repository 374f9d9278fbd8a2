"""Samples that carry any number of labels: how they are read, and drawn so that labels keep their share."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scar.common.randomness import generator
from scar.data.label_sets import carries_several, check_label_sets, encode_label_sets, one_label_each
from scar.data.stratify import count_labels, draw_group_share, draw_per_class, label_order

MATRIX = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (MATRIX, ("0", "1", "2")),
        (MATRIX.astype(bool), ("0", "1", "2")),
        (MATRIX.astype(float), ("0", "1", "2")),
        (MATRIX.tolist(), ("0", "1", "2")),
        (pd.DataFrame(MATRIX, columns=["a", "b", "c"]), ("a", "b", "c")),
        ([["a", "c"], [], ["b"]], ("a", "b", "c")),
        ([{"c", "a"}, set(), {"b"}], ("a", "b", "c")),
        (pd.Series([["c ", "a"], [], ["b"]]), ("a", "b", "c")),
        ([[0, 2], [], [1]], ("0", "1", "2")),
    ],
)
@pytest.mark.filterwarnings("ignore:labels. white space")
def test_every_form_gives_the_same_zeros_and_ones(labels: Any, names: tuple[str, ...]) -> None:
    assert carries_several(labels)
    with np.errstate(all="raise"):
        matrix, found = encode_label_sets(labels)
    assert matrix.dtype == np.uint8
    assert matrix.tolist() == MATRIX.tolist()
    assert found == names


def test_given_names_order_the_labels_and_the_columns_of_a_frame() -> None:
    frame = pd.DataFrame(MATRIX, columns=["a", "b", "c"])
    assert encode_label_sets(frame, ["c", "b", "a"])[0].tolist() == MATRIX[:, ::-1].tolist()
    assert encode_label_sets([["a"], ["c", "b"]], ["c", "b", "a"])[0].tolist() == [[0, 0, 1], [1, 1, 0]]
    assert encode_label_sets([[0], [2, 1]], ["c", "b", "a"])[0].tolist() == [[1, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("labels", [np.array([0, 1]), ["a", "b"], [["a"], ["b"]], np.zeros((3, 1)), pd.Series(["a"])])
def test_one_class_each_is_not_several(labels: Any) -> None:
    assert not carries_several(labels)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (MATRIX * 0.5, None, r"labels\[0\] holds 0.5 .*ranks, scores and unknown labels are not supported"),
        (MATRIX - 1, None, r"labels\[0\] holds -1"),
        (MATRIX, ["a", "b"], r"labels has 3 columns, but there are 2 labels"),
        ([["a"], "b"], None, r"labels\[1\]: the label is 'b', where other samples have lists"),
        ([["a"], ["x", "b"]], ["a", "b"], r"labels\[1\]: the label 'x' is none of the classes a, b"),
        ([["a", ["b"]], ["c"]], None, r"labels\[0\]: the label"),
        ([["a"], None, ["b"]], None, r"labels\[1\]: the label is missing \(1 such rows\); drop these samples"),
        ([[], []], None, "is it the column of the labels"),
    ],
)
def test_what_is_no_label_is_refused_by_name(labels: Any, names: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_label_sets(labels, names)


def test_labels_that_tell_nothing_are_refused_by_name() -> None:
    labels = np.array([[1, 0], [1, 1], [1, 1], [1, 0]], np.uint8)
    with pytest.raises(ValueError, match="'all' is carried by 4 of 4 training samples"):
        check_label_sets(labels, ("all", "some"))
    with pytest.raises(ValueError, match="'rare' has 1"):
        check_label_sets(np.array([[1, 0], [0, 1], [1, 0], [0, 0]]), ("some", "rare"))
    with pytest.raises(ValueError, match="a single label"):
        check_label_sets(labels[:, :1], ("all",))
    with pytest.raises(ValueError, match="labels has 4 entries, but there are 7 samples"):
        check_label_sets(labels, ("a", "b"), length=7)
    assert one_label_each(np.eye(3, dtype=int))
    assert not one_label_each(labels)


def test_every_stretch_of_the_order_has_the_frequencies_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((1200, 6)) < [0.5, 0.3, 0.1, 0.03, 0.01, 0.6]).astype(np.uint8)
    order = label_order(labels, generator(0, "test"))
    assert sorted(order.tolist()) == list(range(1200))
    counts = np.stack([labels[part].sum(axis=0) for part in np.array_split(order, 4)])
    expected = labels.sum(axis=0) / 4
    assert (np.abs(counts - expected) <= np.maximum(0.1 * expected, 2)).all()
    apart = np.stack([labels[p].sum(axis=0) for p in np.array_split(rng.permutation(1200), 4)])
    assert np.abs(counts - expected).sum() < np.abs(apart - expected).sum()


def test_draws_have_the_asked_size_and_keep_groups_whole() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random((500, 4)) < [0.5, 0.2, 0.05, 0.3]).astype(np.uint8)
    drawn = draw_per_class(labels, 100, generator(1, "test"))
    assert len(drawn) == len(set(drawn.tolist())) == 100
    assert np.abs(labels[drawn].sum(axis=0) - 0.2 * labels.sum(axis=0)).max() <= 4
    groups = np.array([f"g{i // 5}" for i in range(500)])
    inside = draw_group_share(labels, groups, 0.2, generator(2, "test"))
    assert all(len(set(inside[groups == g].tolist())) == 1 for g in set(groups.tolist()))
    assert np.abs(count_labels(labels[inside], 4) - 0.2 * labels.sum(axis=0)).max() <= 10
    assert 85 <= inside.sum() <= 115
