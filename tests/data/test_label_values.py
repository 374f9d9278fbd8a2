"""One rule for labels, whatever they come from."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scar.data.checks import encode_labels
from scar.data.labels import UNLABELLED, LabelRules, encode_classes
from scar.data.names import clean_name, wrong_name
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.hub import HubSource
from scar.data.sources.table import TableSource
from scar.data.sources.webdataset import WebDatasetSource


def where(row: int) -> str:
    return f"row {row}: the label"


def classes(values: list[Any], *names: str, **rules: Any) -> Any:
    return encode_classes(values, names, where, rules=LabelRules(**rules))


CATS = ["cat", "cat ", "cat\u00a0", "\u200bcat", "caf\u00e9", "cafe\u0301", "dog"]


def test_white_space_and_unicode_form_make_no_classes_and_are_counted() -> None:
    found = classes(CATS)
    assert found.names == ("caf\u00e9", "cat", "dog")
    assert found.labels.tolist() == [1, 1, 1, 1, 0, 0, 2]
    assert "normalised in 4 rows ('cat ' is 'cat'" in found.notes[0]
    assert not classes(["a", "b"]).notes


def test_names_that_differ_in_case_are_told_and_merged_if_asked() -> None:
    values = ["Cat", "cat", "cat", "dog"]
    kept, merged = classes(values), classes(values, merge_case=True)
    assert kept.names == ("Cat", "cat", "dog")
    assert kept.notes == (
        "classes differ in case only and are kept apart: 'Cat' (1 rows) and 'cat' (2 rows); "
        "dataset.labels.merge_case=true makes them one",
    )
    assert merged.names == ("cat", "dog")
    assert merged.labels.tolist() == [0, 0, 0, 1]
    assert "merged" in merged.notes[0]
    assert classes(values, "Cat", "dog", merge_case=True).labels.tolist() == [0, 0, 0, 1]
    with pytest.raises(ValueError, match=r"row 1: the label 'cat' is none of the classes Cat, dog; it differs in case"):
        classes(values, "Cat", "dog")


def test_rows_without_a_label_are_refused_with_their_count_or_left_out() -> None:
    values = ["a", "", "b", " \t", None, float("nan"), "a"]
    with pytest.raises(ValueError, match=r"row 1: the label is empty \(4 such rows\); .*on_unlabelled=skip"):
        classes(values)
    found = classes(values, on_unlabelled="skip")
    assert found.labels.tolist() == [0, UNLABELLED, 1, UNLABELLED, UNLABELLED, UNLABELLED, 0]
    assert found.notes == ("4 rows without a label left out",)
    with pytest.raises(ValueError, match="and so are all 2; is it the column of the classes"):
        classes(["", None], on_unlabelled="skip")


def test_markers_are_classes_with_a_word_until_they_are_named() -> None:
    told = classes(["a", "NA", "b", "NA"])
    assert told.names == ("NA", "a", "b")
    assert "'NA' is a class of 2 rows; if it means that there is no label, dataset.labels.missing=['NA']" in told.notes
    assert classes(["a", "NA", "b"], missing=("NA",), on_unlabelled="skip").names == ("a", "b")
    with pytest.raises(ValueError, match=r"row 1: the label is 'NA', which means none \(1 such rows\)"):
        classes(["a", "NA", "b"], missing=("NA",))
    below = classes([0, -1, 1, 2, -1])
    assert below.names == ("-1", "0", "1", "2")
    assert "'-1' is a class of 2 rows" in below.notes[0]
    assert classes([0, -1, 1], missing=("-1",), on_unlabelled="skip").labels.tolist() == [0, UNLABELLED, 1]


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2", "10"],
        [1, 2, 10],
        [1.0, 2.0, 10.0],
        ["1.0", "2.0", "10.0"],
        ["1", 2.0, Decimal("10.0")],
        [b"1", 2, 10],
    ],
)
def test_whole_numbers_are_the_same_classes_in_every_type(values: list[Any]) -> None:
    found = classes(values)
    assert found.names == ("1", "2", "10")
    assert found.labels.tolist() == [0, 1, 2]


def test_numbers_that_look_alike_are_kept_apart_and_told() -> None:
    found = classes(["007", "7", "8", "1.5"])
    assert found.names == ("007", "1.5", "7", "8")
    assert found.notes == (
        "classes look alike and are kept apart: '007' (1 rows) and '7' (1 rows); write them alike if they are one",
    )
    with pytest.raises(ValueError, match=r"row 0: the label is 1\.5, a float"):
        classes([1.5, 2.5])


def test_whole_numbers_count_the_names_unless_one_of_them_is_a_name() -> None:
    assert classes([2, 0, 1], "a", "b", "c").labels.tolist() == [2, 0, 1]
    assert classes([3, 1, 2], "1", "2", "3").labels.tolist() == [2, 0, 1]
    assert not classes([3, 1, 2], "1", "2", "3").indexed
    with pytest.raises(ValueError, match="the label '0' is none of the classes 1, 2, 3"):
        classes([0, 1, 2], "1", "2", "3")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a" * 2000, "is 2000 characters long"),
        ("a\x1b[31mb", "holds control characters"),
        ("a\0b", "holds control characters"),
        ("a\ud800", "is not valid Unicode"),
        (["a", "b"], r"\['a', 'b'\], a list \(dataset.labels.several=true reads several labels\)"),
        (object, "each sample needs one class"),
    ],
)
def test_what_is_no_name_is_refused_with_its_row(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"row 1: the label .*{message}"):
        classes(["ok", value])


def test_a_line_break_in_a_name_is_a_blank() -> None:
    assert clean_name(" ice \r\n cream\t") == "ice cream"
    assert wrong_name("ice cream") is None


def test_arrays_follow_the_same_rule_and_warn() -> None:
    with pytest.warns(UserWarning, match="labels: white space or Unicode form"):
        assert encode_labels(["cat", "cat ", "dog"])[1] == ("cat", "dog")
    with pytest.raises(ValueError, match=r"labels\[1\]: the label is empty \(1 such rows\); drop these samples"):
        encode_labels(["a", " "])
    assert encode_labels(np.array([b"a", "caf\u00e9".encode()]))[1] == ("a", "caf\u00e9")
    assert encode_labels(["2", "10", "1"])[1] == ("1", "10", "2")  # as letters
    assert encode_labels(["2", "10", "1"])[0].tolist() == [2, 1, 0]


def _read(kind: str, labels: list[Any], folder: Path, rules: LabelRules) -> Any:
    """Return what a reader makes of labels: one sample for each."""
    rows = [{"text": f"t{i}", "label": label} for i, label in enumerate(labels)]
    if kind == "csv":
        import csv

        with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
        return TableSource(root=str(folder), labels=rules).load(folder)
    if kind == "jsonl":
        (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return TableSource(root=str(folder), labels=rules).load(folder)
    if kind == "hub":
        (folder / "hub").mkdir()
        (folder / "hub" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return HubSource(root=str(folder / "hub"), test_split=None, labels=rules).load(folder)
    if kind == "shards":
        import io
        import tarfile

        with tarfile.open(folder / "a.tar", "w") as tar:
            for i, label in enumerate(labels):
                for name, content in ((f"{i}.txt", f"t{i}"), (f"{i}.cls", label)):
                    about = tarfile.TarInfo(name)
                    about.size = len(content.encode())
                    tar.addfile(about, io.BytesIO(content.encode()))
        return WebDatasetSource(root=str(folder), image=None, text="txt", labels=rules).load(folder)
    np.save(folder / "embeddings.npy", np.eye(len(labels), dtype=np.float32))
    np.save(folder / "labels.npy", np.array(labels))
    return EmbeddingsFile(root=str(folder), labels=rules).load(folder)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "hub", "shards", "embeddings"])
def test_every_reader_takes_the_same_labels_for_the_same_classes(tmp_path: Path, kind: str) -> None:
    samples = _read(
        kind, [*CATS, "NA", "Dog"] * 8, tmp_path, LabelRules(missing=("NA",), on_unlabelled="skip", merge_case=True)
    )
    assert samples.class_names == ("caf\u00e9", "cat", "dog")
    assert np.bincount(samples.labels).tolist() == [16, 32, 16]
    assert len(samples) == 64
    assert any("normalised in 32 rows" in note for note in samples.notes)
    assert "8 rows without a label left out" in samples.notes
