"""AG-News and DBpedia as their authors published them, and as people write them again."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scar.data.fetch import FetchError
from scar.data.paths import data_folder
from scar.data.samples import Samples
from scar.data.sources.topic_texts import AgNews, Dbpedia
from scar.testing import check_dataset

TOPICS = ("World", "Sports", "Business", "Sci/Tech")
ROW = '"3","Wall St. ""Bears""","Reuters - Soaring crude prices plus worries\\about the economy\\n \\\\ end\\"\n'
TEXT = 'Wall St. "Bears" Reuters - Soaring crude prices plus worries\\about the economy\\n \\\\ end\\'
"""As the copy of the hub has it: doubled quotes are one, backslashes stay."""

COUNTS = "12 training texts, not 120000, 8 test texts, not 7600"


def release(part: str, size: int) -> str:
    return "".join(f'"{i % 4 + 1}","title {i}","{part} {i}"\n' for i in range(size))


def put(folder: Path, train: str, test: str, *, names: str = "{}.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, content in (("train", train), ("test", test)):
        path = folder / names.format(part)
        path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return folder


def table(header: str, size: int, row: str, *, names: Any = (0, 1, 2, 3)) -> str:
    """Return a table with a header; `row` is formatted with the number and the label."""
    return f"{header}\n" + "".join(row.format(i=i, label=names[i % 4]) + "\n" for i in range(size))


def both(header: str, row: str, **options: Any) -> tuple[str, str]:
    return table(header, 12, row, **options), table(header, 8, row, **options)


def labels(samples: Samples) -> list[int]:
    assert samples.labels is not None
    return samples.labels.tolist()


@pytest.mark.parametrize("below", ["", "ag_news", "ag_news_csv"])
@pytest.mark.parametrize("names", ["{}.csv", "ag_news_{}.csv", "{}.csv.gz"])
def test_the_release_gives_the_texts_classes_and_ids_of_the_hub(tmp_path: Path, below: str, names: str) -> None:
    folder = tmp_path / "copy"
    put(folder / below, ROW + release("train", 11), release("test", 8), names=names)
    samples = check_dataset(AgNews(root=str(folder)), tmp_path / "data")
    assert samples.class_names == TOPICS
    assert samples.payloads["text"][0] == TEXT
    assert samples.payloads["text"][12] == "title 0 test 0"
    assert labels(samples)[:4] == [2, 0, 1, 2]
    assert samples.ids[[0, 11, 12, 19]].tolist() == ["train-0", "train-11", "test-0", "test-7"]
    assert (samples.splits == "test").sum() == 8
    assert samples.notes == (f"the copy deviates from the release: {COUNTS}",)


def test_the_release_and_a_copy_of_the_hub_are_the_same(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    put(tmp_path / "release", ROW + release("train", 11), release("test", 8))
    ours = AgNews(root=str(tmp_path / "release")).load(tmp_path)
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(TOPICS))})
    for part in ("train", "test"):
        at = ours.splits == part
        rows = {"text": [ours.payloads["text"][i] for i in np.flatnonzero(at)], "label": np.array(labels(ours))[at]}
        path = tmp_path / "hub" / "data" / f"{part}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(path))
    theirs = AgNews(root=str(tmp_path / "hub")).load(tmp_path / "data")
    assert [*theirs.payloads["text"]] == [*ours.payloads["text"]]
    for column in ("ids", "labels", "splits", "class_names"):
        np.testing.assert_array_equal(getattr(theirs, column), getattr(ours, column))


def test_dbpedia_takes_the_content_and_not_the_title(tmp_path: Path) -> None:
    rows = "".join(f'{i % 14 + 1},"Title {i}"," Content ""{i}"""\n' for i in range(28))
    put(tmp_path / "dbpedia_csv", rows, rows)
    samples = check_dataset(Dbpedia(), tmp_path)
    assert samples.payloads["text"][3] == ' Content "3"'
    assert samples.class_names[3] == "Athlete"
    assert len(samples.class_names) == 14
    assert labels(samples)[:14] == list(range(14))
    header = "label,title,content\n" + rows
    put(tmp_path / "exported", header, header)
    exported = Dbpedia(root=str(tmp_path / "exported")).load(tmp_path)
    assert [*exported.payloads["text"]] == [*samples.payloads["text"]]
    assert labels(exported) == labels(samples)


@pytest.mark.parametrize("called", [(0, 1, 2, 3), (1, 2, 3, 4), TOPICS], ids=str)
@pytest.mark.parametrize("names", ["{}.csv", "ag_news_{}.csv", "ag_news_{}.csv.gz"])
def test_a_copy_with_a_header_and_one_column_of_texts_says_what_deviates(
    tmp_path: Path, called: Any, names: str
) -> None:
    put(tmp_path / "copy", *both("label,content", '{label},"text, {i}"', names=called), names=names)
    samples = check_dataset(AgNews(root=str(tmp_path / "copy")), tmp_path / "data")
    assert labels(samples)[:5] == [0, 1, 2, 3, 0]
    assert samples.class_names == TOPICS
    assert samples.payloads["text"][1] == "text, 1"
    odd = "its texts are the single column 'content', not title and description"
    assert samples.notes == (f"the copy deviates from the release: {COUNTS}, {odd}",)


@pytest.mark.parametrize(
    ("header", "row", "text", "single"),
    [
        ("Class Index,Title,Description", "{label},T{i},D{i}", "T1 D1", ""),
        ("description,label,title", "D{i},{label},T{i}", "T1 D1", ""),
        ("text,label", "whole {i},{label}", "whole 1", ""),
        ("label,title,text", "{label},T{i},D{i}", "D1", "text"),
        ("label,description", "{label},D{i}", "D1", "description"),
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, header: str, row: str, text: str, single: str) -> None:
    put(tmp_path, *both(header, row, names=(1, 2, 3, 4)))
    samples = AgNews(root=str(tmp_path)).load(tmp_path)
    assert samples.payloads["text"][1] == text
    assert labels(samples)[:4] == [0, 1, 2, 3]
    assert (f"single column '{single}'" in samples.notes[0]) == bool(single)


def test_columns_may_be_named_and_groups_and_ids_are_kept(tmp_path: Path) -> None:
    put(tmp_path, *both("key,topic,title,description,paper", "k{i},{label},T{i},D{i},p{i}"), names="ag_news_{}.csv")
    content = (tmp_path / "ag_news_test.csv").read_text().replace("\nk", "\nt")
    (tmp_path / "ag_news_test.csv").write_text(content)
    source = AgNews(text="description", label="topic", id="key", groups=("paper",), train_size=8)
    samples = source.load(tmp_path)
    assert len(samples) == 16
    assert samples.ids[-1] == "t7"
    assert samples.groups["paper"][-1] == "p7"
    assert samples.payloads["text"][-1] == "D7"
    assert f"{COUNTS}, its texts are the single column 'description'" in samples.notes[0]


def test_parquet_files_and_a_drawn_test_part(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = {"label": [i % 4 for i in range(40)], "content": [f"text {i}" for i in range(40)]}
    pq.write_table(pa.table(rows), tmp_path / "train.parquet")
    samples = AgNews(root=str(tmp_path), test_split=None).load(tmp_path)
    assert labels(samples)[:4] == [0, 1, 2, 3]
    assert (samples.splits == "test").sum() == 8
    assert "40 training texts, not 120000, its texts" in samples.notes[0]
    with pytest.raises(
        FileNotFoundError, match=r"train\.parquet has no test \(\.csv, .*\) beside it; .*dataset\.test_split=null"
    ):
        AgNews(root=str(tmp_path)).load(tmp_path)


def test_tables_of_other_datasets_in_the_data_folder_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    put(tmp_path, release("train", 12), release("test", 8))
    with pytest.raises(FetchError, match="SCAR_OFFLINE is set"):
        AgNews().files(tmp_path)
    put(tmp_path, release("train", 12), release("test", 8), names="ag_news_{}.csv")
    assert [path.name for path in AgNews().files(tmp_path)] == ["ag_news_train.csv", "ag_news_test.csv"]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ('"1","a","b"\n"5","c","d"\n', r"train\.csv, line 2, column 'label': the label '5' lies outside 1\.\.4"),
        ('"1","a","b"\n"0","c","d"\n', r"train\.csv, line 2, column 'label': the label '0' lies outside 1\.\.4"),
        ('"1","a","b"\n"2","c"\n', r"train\.csv, line 2: 2 fields, but there should be 3 columns"),
        ('"1","a","b","c"\n', r"train\.csv begins without a header, with 4 fields; the release has 3: label, title, desc"),
        ('"1","a","b\n', r"train\.csv, in the first row: unexpected end of data; is a quote open"),
        ('"1","a","b"\n"2"," "," "\n', r"train\.csv, line 2, columns 'title', 'description': the text is empty; fill"),
        ("topic,content\n1,a\n", r"train\.csv has no column of the classes .*; there are 'topic', 'content'\. Name it by"),
        ("label,one,two\n1,a,b\n", r"train\.csv: it is not clear which column holds the texts; .*dataset\.text"),
        ("label,content\nworld,a\n", r"train\.csv, line 2, column 'label': the label 'world' is none of the classes World"),
        ("label,content\n0,a\n4,b\n", r"train\.csv, line 3, column 'label': the label '4' lies outside 0\.\.3"),
        ("", r"train\.csv has no column of the classes"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, train: str, message: str) -> None:
    put(tmp_path, train, train)
    with pytest.raises(ValueError, match=message):
        AgNews(root=str(tmp_path)).load(tmp_path)


def test_labels_that_do_not_tell_where_they_begin_are_refused(tmp_path: Path) -> None:
    put(tmp_path, *both("label,content", "{label},text {i}", names=(1, 2, 3, 2)))
    with pytest.raises(ValueError, match=r"no label is 0 and none 4, .* call them by their names"):
        AgNews(root=str(tmp_path)).load(tmp_path)


def test_a_folder_with_neither_tables_nor_a_copy_is_told_their_names(tmp_path: Path) -> None:
    names = r"; tables are found by their names: train\.csv and test\.csv, or ag_news_train\.csv and ag_news_test\.csv$"
    with pytest.raises(FetchError, match=rf"holds no data files .*{names}"):
        AgNews(root=str(tmp_path)).load(tmp_path)
    pytest.importorskip("datasets")
    (tmp_path / "news.csv").write_text(table("label,content", 8, "{label},text {i}"))
    with pytest.raises(ValueError, match=rf"the split 'train' has no column 'text'.*{names}"):
        AgNews(root=str(tmp_path)).load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("source", [AgNews, Dbpedia])
def test_the_real_data_have_the_published_counts_or_say_what_deviates(source: Any, tmp_path: Path) -> None:
    made = source(root=str(data_folder()))
    if not made._tables(tmp_path):
        pytest.skip(
            f"{made.name} is not in the folder of fetched data; put a copy there, or name its folder by SCAR_DATA"
        )
    samples = made.load(tmp_path)
    sizes = {part: int((samples.splits == part).sum()) for part in ("train", "test")}
    assert len(set(np.bincount(samples.labels[samples.splits == "test"]).tolist())) == 1
    for part, said in (("train", "training"), ("test", "test")):
        deviates = sizes[part] != made.release.sizes[part]
        assert any(f"{sizes[part]} {said} texts, not" in note for note in samples.notes) == deviates


def test_two_columns_without_a_header_are_class_and_text(tmp_path: Path) -> None:
    rows = "".join(f"{i % 4},story {i}\n" for i in range(40))
    put(tmp_path, rows, rows.replace("story", "other"))
    samples = AgNews(root=str(tmp_path)).load(tmp_path)
    assert samples.payloads["text"][1] == "story 1"
    assert samples.labels[:4].tolist() == [0, 1, 2, 3]
    assert "its texts are a single column, and it has no header" in samples.notes[0]
