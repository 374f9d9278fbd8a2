"""Tables and embeddings files whose samples carry any number of labels, in every form that they come in."""

import io
import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scar.data.catalogue import load_catalogue, save_catalogue
from scar.data.labels import LabelRules
from scar.data.source import Source
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.hub import HubSource
from scar.data.sources.image_folder import ImageFolder
from scar.data.sources.table import TableSource
from scar.data.sources.webdataset import WebDatasetSource
from scar.store.keys import identity

SETS = [["sea", "sun"], [], ["sun"], ["forest", "sea", "sun"], ["forest"]] * 8
MATRIX = [[int(name in carried) for name in ("forest", "sea", "sun")] for carried in SETS]
LIST = LabelRules(several=True)


def table(folder: Path, name: str, labels: Any, rules: LabelRules = LIST, **changes: Any) -> TableSource:
    rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(labels)]
    if name.endswith(".csv"):
        pd.DataFrame(rows).to_csv(folder / name, index=False)
    elif name.endswith(".parquet"):
        pd.DataFrame(rows).to_parquet(folder / name)
    else:
        (folder / name).write_text("\n".join(map(json.dumps, rows)))
    return TableSource(root=str(folder / name), labels=rules, **changes)


def embedded(folder: Path, values: Any, **changes: Any) -> EmbeddingsFile:
    np.save(folder / "embeddings.npy", np.random.default_rng(0).normal(size=(len(values), 4)).astype(np.float32))
    np.save(folder / "labels.npy", values)
    return EmbeddingsFile(root=str(folder), **{"labels": LIST, **changes})


@pytest.mark.parametrize(
    ("name", "labels", "rules"),
    [
        ("a.csv", [" ;".join(each) for each in SETS], LabelRules(separator=";")),
        ("a.csv", ["|".join([*each, ""]) for each in SETS], LabelRules(separator="|")),
        ("a.csv", [json.dumps(each) for each in SETS], LIST),
        ("a.jsonl", SETS, LIST),
        ("a.jsonl", ["; ".join(each) for each in SETS], LabelRules(separator=";")),
        ("a.parquet", SETS, LIST),
    ],
)
def test_lists_and_separated_texts_mean_the_same(tmp_path: Path, name: str, labels: Any, rules: LabelRules) -> None:
    samples = table(tmp_path, name, labels, rules).load(tmp_path)
    assert samples.class_names == ("forest", "sea", "sun")
    assert samples.labels is not None
    assert samples.labels.tolist() == MATRIX
    share = samples.labels[samples.splits == "test"].sum(axis=0) / samples.labels.sum(axis=0)
    assert np.abs(share - 0.2).max() < 0.06
    kept = table(tmp_path, name, labels, rules, train_size=16).load(tmp_path)
    assert kept.labels is not None
    assert (kept.splits == "train").sum() == 16


def test_zeros_and_ones_are_read_from_arrays_and_lists(tmp_path: Path) -> None:
    for labels in (np.array(MATRIX), np.array(MATRIX, bool), np.array(MATRIX, float)):
        samples = embedded(tmp_path, labels, class_names=("forest", "sea", "sun")).load(tmp_path)
        assert samples.labels is not None
        assert samples.labels.tolist() == MATRIX
        assert samples.class_names == ("forest", "sea", "sun")
    samples = table(tmp_path, "a.jsonl", MATRIX).load(tmp_path)
    assert samples.labels is not None
    assert samples.labels.tolist() == MATRIX
    assert samples.class_names == ("0", "1", "2")


def test_embeddings_find_their_label_lists_in_a_table(tmp_path: Path) -> None:
    source = embedded(tmp_path, np.array(MATRIX), labels_file="rows.jsonl")
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"label": each}) for each in SETS))
    samples = source.load(tmp_path)
    assert samples.labels is not None
    assert samples.labels.tolist() == MATRIX
    assert source.several_labels


def test_rows_that_nobody_labelled_are_refused_or_left_out_and_empty_ones_stay(tmp_path: Path) -> None:
    labels: list[Any] = [*SETS, None, ["sun"]]
    with pytest.raises(
        ValueError, match=r"line 41, column 'label': the label is missing \(1 such rows\); label them, or"
    ):
        table(tmp_path, "a.jsonl", labels).load(tmp_path)
    samples = table(tmp_path, "a.jsonl", labels, replace(LIST, on_unlabelled="skip")).load(tmp_path)
    assert len(samples) == 41
    assert any("1 rows without a label left out" in note for note in samples.notes)
    rules = LabelRules(separator=";", missing=("?",), on_unlabelled="skip")
    samples = table(tmp_path, "a.csv", [*(";".join(each) for each in SETS), "?"], rules).load(tmp_path)
    assert len(samples) == 40


@pytest.mark.parametrize(
    ("labels", "rules", "message"),
    [
        (SETS, LabelRules(), r"dataset\.labels\.several=true reads several labels"),
        ([";".join(each) for each in SETS], LIST, r"no list of labels; dataset\.labels\.separator"),
        ([["sun", ["sea"]], *SETS], LIST, r"the label is \['sea'\]"),
        ([["rare"], *SETS], LIST, r"'rare' has [01]"),
        ([["sun", *each] for each in SETS], LIST, r"'sun' is carried by 32 of 32 training samples"),
        ([["sun"], *([[]] * 30)], LIST, r"a single label \('sun'\)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(
    tmp_path: Path, labels: Any, rules: LabelRules, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        table(tmp_path, "a.jsonl", labels, rules).load(tmp_path)


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        (
            np.array(MATRIX),
            {"labels": LabelRules()},
            r"labels\.npy: the labels are multi-label \(shape \(40, 3\)\); dataset",
        ),
        (np.array(MATRIX)[:, 0], {}, r"labels of shape \(40,\) and type int64, where dataset\.labels\.several=true"),
        (np.array(MATRIX) * 2, {}, r"row 0, column 'label': the label holds 2"),
        (np.array(MATRIX), {"class_names": ("a", "b")}, r"has 3 columns, but dataset\.class_names has 2 names"),
    ],
)
def test_arrays_that_are_no_zeros_and_ones_are_refused(
    tmp_path: Path, labels: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        embedded(tmp_path, labels, **changes).load(tmp_path)


def test_rules_that_contradict_one_another_are_refused() -> None:
    with pytest.raises(ValueError, match=r"on_test_only=skip is of rows of one class each"):
        LabelRules(several=True, on_test_only="skip")
    with pytest.raises(ValueError, match=r"on_unlabelled=pool predicts one class for each row"):
        LabelRules(several=True, on_unlabelled="pool")
    with pytest.raises(ValueError, match=r"separator='' is empty"):
        LabelRules(separator="")
    with pytest.raises(ValueError, match="list the labels in a table"):
        ImageFolder(root="nowhere", labels=LIST)
    assert LabelRules(separator=";").several


def test_one_class_each_keeps_the_identity_that_it_had() -> None:
    assert set(identity(LabelRules())) == {"class", "merge_case", "missing", "on_unlabelled", "on_test_only"}
    assert {"several", "separator"} < set(identity(LabelRules(separator=";")))


def test_a_catalogue_keeps_zeros_and_ones(tmp_path: Path) -> None:
    source: Source = table(tmp_path, "a.jsonl", SETS)
    save_catalogue(tmp_path, source.load(tmp_path))
    again = load_catalogue(tmp_path)
    assert again.labels is not None
    assert again.labels.tolist() == MATRIX


def _tar(path: Path, members: list[tuple[str, str]]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content.encode())
            tar.addfile(about, io.BytesIO(content.encode()))


@pytest.mark.parametrize("form", ["json", "cls", "separator"])
def test_shards_hold_lists_of_labels(tmp_path: Path, form: str) -> None:
    members = []
    for i, carried in enumerate(SETS):
        text = {"json": json.dumps({"tags": carried}), "cls": json.dumps(carried), "separator": ";".join(carried)}[form]
        members += [(f"{i:02d}.txt", f"text {i}"), (f"{i:02d}.{'json' if form == 'json' else 'cls'}", text)]
    _tar(tmp_path / "a.tar", members)
    source = WebDatasetSource(
        root=str(tmp_path), image=None, text="txt", label="json:tags" if form == "json" else "cls",
        labels=LabelRules(separator=";") if form == "separator" else LIST,
    )  # fmt: skip
    samples = source.load(tmp_path)
    assert samples.labels is not None
    assert samples.class_names == ("forest", "sea", "sun")
    assert samples.labels.tolist() == MATRIX


@pytest.mark.parametrize("typed", [False, True])
def test_a_hub_holds_lists_of_labels(tmp_path: Path, typed: bool) -> None:
    datasets = pytest.importorskip("datasets")
    rows = {"text": [f"text {i}" for i in range(len(SETS))], "label": SETS}
    features = None
    if typed:
        names = ["forest", "sea", "sun"]
        rows["label"] = [[names.index(each) for each in carried] for carried in SETS]
        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.List(datasets.ClassLabel(names=names))}
        )
    (tmp_path / "hub").mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "hub" / "train.parquet"))
    samples = HubSource(root=str(tmp_path / "hub"), test_split=None, labels=LIST).load(tmp_path)
    assert samples.labels is not None
    assert samples.class_names == ("forest", "sea", "sun")
    assert samples.labels.tolist() == MATRIX
    with pytest.raises(ValueError, match=r"a list \(dataset.labels.several=true reads several labels\)"):
        HubSource(root=str(tmp_path / "hub"), test_split=None).load(tmp_path)


@pytest.mark.parametrize("rules", [LabelRules(), LabelRules(separator=",")])
def test_a_wrong_separator_gets_a_hint(tmp_path: Path, rules: LabelRules) -> None:
    labels = ["; ".join(each) or "forest" for each in SETS]
    said = r"names look like several labels divided by ';', such as .*dataset.labels.separator=';' divides them"
    samples = table(tmp_path, "a.csv", labels, rules).load(tmp_path)
    assert any(re.match(said, note) for note in samples.notes)
    with pytest.raises(ValueError, match=f"'rare; forest'.*{said}"):
        table(tmp_path, "b.csv", [*labels, "rare; forest"], rules).load(tmp_path)
    plain = table(
        tmp_path, "c.csv", [["Washington, D.C.", "Paris, France", "Rome"][i % 3] for i in range(30)], LabelRules()
    )
    assert not plain.load(tmp_path).notes
