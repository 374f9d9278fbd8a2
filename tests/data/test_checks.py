from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scar.data.checks import encode_labels, validate_aligned, validate_embeddings, validate_labels, validate_samples
from scar.data.samples import Samples


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog", "cat"],
        np.array(["cat", "dog", "cat"], dtype=object),
        pd.Series(["cat", "dog", "cat"]),
        pd.Series(["cat", "dog", "cat"], dtype="category"),
        pd.DataFrame({"label": ["cat", "dog", "cat"]}),
    ],
    ids=["list", "objects", "series", "categorical", "frame"],
)
def test_names_become_indices_in_sorted_order(labels: Any) -> None:
    ids, names = encode_labels(labels)
    assert ids.tolist() == [0, 1, 0]
    assert ids.dtype == np.int64
    assert names == ("cat", "dog")


def test_indices_stay_and_take_the_names_given() -> None:
    import torch

    for labels in ([0, 2, 1], np.array([0, 2, 1], np.uint8), torch.tensor([0, 2, 1]), pd.Series([0, 2, 1])):
        assert encode_labels(labels)[0].tolist() == [0, 2, 1]
        assert encode_labels(labels, ["x", "y", "z"])[1] == ("x", "y", "z")
    assert encode_labels([0, 2, 1])[1] == ("0", "1", "2")
    assert encode_labels([True, False])[1] == ("False", "True")


def test_given_names_fix_the_order_and_may_be_without_samples() -> None:
    ids, names = encode_labels(["dog", "cat"], ["dog", "cow", "cat"])
    assert ids.tolist() == [0, 2]
    assert names == ("dog", "cow", "cat")


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([[0, 1], [1, 0]], None, r"labels are multi-label \(shape \(2, 2\)\)"),
        ([["a"], ["a", "b"]], None, "labels are multi-label"),
        ([{"a"}, {"b"}], None, r"labels are multi-label \(the item \{'a'\}\)"),
        (pd.DataFrame({"a": [0, 1], "b": [1, 1]}), None, "labels are multi-label"),
        (pd.Categorical(["low", "high"], ordered=True), None, "labels are ordinal"),
        (pd.Series(pd.Categorical(["low", "high"], ordered=True)), None, "labels are ordinal"),
        ([0.5, 1.5], None, "ordinal or continuous targets are not supported"),
        (["a", None], None, "labels are missing in 1 rows, the first is 1"),
        (np.array(["a", np.nan], dtype=object), None, "labels are missing in 1 rows"),
        ([1, 2, 3], None, r"0\.\.K-1 without a gap, got 1, 2, 3"),
        ([-1, 0], None, "labels are -1 in 1 rows; if these have no label"),
        ([-1, 0, 2], None, r"0\.\.K-1 without a gap, got -1, 0"),
        ([0, 3], ["a", "b", "c"], r"labels\[1\]: the label '3' is none of the classes 0\.\.2"),
        ([0, -1], ["a", "b"], r"labels\[1\]: the label '-1' is none of the classes 0\.\.1"),
        (["a", "x"], ["a", "b"], r"labels\[1\]: the label 'x' is none of the classes a, b"),
        (["a", "b"], ["a", "b", "a"], "class_names holds 'a' more than once"),
        ([1j, 2j], None, "expected class indices or names"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(labels: Any, names: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_labels(labels, names)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 1, 2], {}, r"labels\[2\]=2 lies outside 0\.\.1, the 2 classes \(1 such labels\)"),
        ([0, 0, 0], {"class_names": ["a", "b"]}, r"labels hold a single class \('a'\)"),
        ([0, 0, 1], {"class_names": ["a", "b"]}, "every class needs at least 2 training samples, but 'b' has 1"),
        ([0, 0, 1, 1], {"length": 5}, "labels has 4 entries, but there are 5 samples"),
        (["a", "b"], {}, "encode_labels turns names into indices"),
    ],
)
def test_training_labels_are_checked(labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate_labels(np.array(labels), 2, **options)


def test_the_sizes_of_classes_need_not_be_checked() -> None:
    assert validate_labels(np.array([1, 1]), 3, minimum=0).tolist() == [1, 1]
    assert validate_labels(np.array([0, 0, 1, 1]), 2, length=4).dtype == np.int64


def test_embeddings_of_every_kind_become_float32() -> None:
    import torch

    values = np.arange(6.0).reshape(3, 2)
    kinds = [values, values.tolist(), pd.DataFrame(values), torch.tensor(values), torch.tensor(values).bfloat16()]
    for each in [*kinds, values.astype(np.int8), values.astype(np.float16), pd.DataFrame(values).astype(object)]:
        result = validate_embeddings(each)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, values)
    given = values.astype(np.float32)
    assert validate_embeddings(given) is given


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_rows_that_are_not_finite_are_named(bad: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar.data.checks._CHUNK_VALUES", 6)
    values = np.zeros((20, 3))
    values[[4, 17], 1] = bad
    with pytest.raises(ValueError, match=r"embeddings hold NaN or infinite values in 2 of 20 rows \(4, 17\)"):
        validate_embeddings(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"\[N, D\] matrix with rows and columns, got shape \(3,\)"),
        (np.zeros((0, 3)), r"got shape \(0, 3\)"),
        (np.zeros((3, 2), complex), "must hold real numbers, got complex128"),
        (np.array([["a", "b"]]), "must hold real numbers"),
        (pd.DataFrame({"x": ["a", "b"]}).astype(object), r"must be an \[N, D\] matrix of numbers"),
        ([[1.0], [1.0, 2.0]], r"must be an \[N, D\] matrix of numbers"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"pool {message}".replace("pool", "pool.*", 1)):
        validate_embeddings(values, name="pool")


def test_different_lengths_are_named() -> None:
    assert validate_aligned(embeddings=[1, 2], labels=[1, 2]) == 2
    with pytest.raises(ValueError, match="embeddings has 3, labels has 2"):
        validate_aligned(embeddings=[1, 2, 3], labels=[1, 2])
    with pytest.raises(ValueError, match="embeddings and labels are empty"):
        validate_aligned(embeddings=[], labels=[])


SAMPLES = Samples(
    ids=np.array(list("abcdefgh")),
    payloads={"text": list("ABCDEFGH")},
    labels=np.array([0, 0, 0, 1, 1, 1, 0, 1]),
    class_names=("x", "y"),
    splits=np.array(["train"] * 6 + ["test"] * 2),
    groups={},
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(7, int)}, "lengths differ: ids has 8, labels has 7"),
        ({"payloads": {"text": ["A"]}}, r"payloads\[text\] has 1"),
        ({"groups": {"speaker": np.array(["s"])}}, r"groups\[speaker\] has 1"),
        ({"payloads": {}}, "there are no payloads"),
        ({"ids": np.array(list("abcdeaab"))}, r"2 ids stand for several samples each \(a, b\)"),
        ({"labels": None}, "there are no labels, but 2 class names"),
        ({"splits": np.array(["train"] * 8)}, "the test split is empty"),
        ({"splits": np.array(["test"] * 8)}, "the train split is empty"),
        ({"splits": np.array(["train"] * 7 + ["val"])}, "split 'val' is unknown"),
        ({"labels": np.array([1, 1, 1, 2, 2, 2, 2, 2])}, r"labels\[3\]=2 lies outside 0\.\.1"),
        ({"labels": np.zeros(8, int)}, "training labels hold a single class"),
        ({"labels": np.array([0, 0, 0, 0, 0, 1, 1, 1])}, "'y' has 1"),
        ({"labels": np.zeros((8, 2), int)}, "training samples have to carry each label, but 'x' has 0"),
        ({"labels": np.eye(8, 3, dtype=int)}, "labels has 3 columns, but there are 2 names"),
    ],
)
def test_samples_that_no_stage_could_use_are_refused(change: dict[str, Any], message: str) -> None:
    assert validate_samples(SAMPLES) is SAMPLES
    with pytest.raises(ValueError, match=f"mine: .*{message}"):
        validate_samples(replace(SAMPLES, **change), name="mine")


def test_pairs_may_be_without_labels() -> None:
    pairs = replace(SAMPLES, labels=None, class_names=())
    assert validate_samples(pairs) is pairs
    with pytest.raises(ValueError, match="the test split is empty"):
        validate_samples(replace(pairs, splits=np.array(["train"] * 8)))
