"""The dumps are written as mysqldump writes them and the articles as WikiExtractor does."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wikipedia_files import kinds, write_dump, write_wikipedia

from scar.data.fetch import FetchError
from scar.data.sources._sql_dump import dump_rows
from scar.data.sources._topics import PACKAGED, Topics
from scar.data.sources.wikipedia import Wikipedia


@pytest.fixture
def wikipedia(tmp_path: Path) -> Path:
    write_wikipedia(tmp_path / "wikipedia")
    return tmp_path


def source(folder: Path, **fields: Any) -> Wikipedia:
    about = {"topics_file": str(folder / "wikipedia" / "topics.csv"), "file_fraction": 1.0, "num_classes": 3}
    return Wikipedia(**{**about, **fields})


def test_a_label_is_the_combination_of_the_topics_of_all_categories(wikipedia: Path) -> None:
    samples = source(wikipedia).load(wikipedia)
    assert samples.class_names == ("Sports", "Music + Sports", "Music")  # by frequency
    assert samples.labels is not None
    # Page 0 is a redirect, page 3 has no text, page 10 lies in another namespace: 80 - 2, 40 and 40 - 1 remain.
    assert np.bincount(samples.labels).tolist() == [78, 40, 39]
    place = {name: row for row, name in enumerate(samples.ids.tolist())}
    for i, kind in enumerate(kinds(200)):
        expected = {"sport": 0, "both": 1, "music": 2}.get(kind)
        if i in (0, 3, 10) or expected is None:
            assert str(100 + i) not in place
        else:
            assert samples.labels[place[str(100 + i)]] == expected
            assert samples.payloads["text"][place[str(100 + i)]] == f"Text é {i}"


def test_the_account_of_what_was_left_out_is_a_note(wikipedia: Path) -> None:
    (note,) = source(wikipedia).load(wikipedia).notes
    assert note == (
        "of 199 articles, 2 are no articles of their own by page.sql, 20 have no topic, and 20 have a rarer combination of "
        "topics; 157 are kept"
    )


def test_a_share_of_the_files_is_the_first_of_them_by_path(wikipedia: Path) -> None:
    samples = source(wikipedia, file_fraction=0.2).load(wikipedia)
    assert {int(name) for name in samples.ids} <= set(range(100, 140))
    assert [p.name for p in source(wikipedia, file_fraction=0.2).files(wikipedia)] == [
        "topics.csv",
        "enwiki-20240101-page.sql.gz",
        "enwiki-20240101-categorylinks.sql.gz",
        "wiki_00",
        "wiki_01",
    ]


def test_dumps_since_2025_name_categories_by_number(tmp_path: Path, wikipedia: Path) -> None:
    write_wikipedia(tmp_path / "later" / "wikipedia", new=True)
    old, new = source(wikipedia).load(wikipedia), source(tmp_path / "later").load(tmp_path / "later")
    assert old.ids.tolist() == new.ids.tolist()
    np.testing.assert_array_equal(old.labels, new.labels)  # type: ignore[arg-type]
    next((tmp_path / "later" / "wikipedia").glob("*linktarget*")).unlink()
    with pytest.raises(FetchError, match=r"put linktarget\.sql\.gz of the same date beside it"):
        source(tmp_path / "later").files(tmp_path / "later")


def test_the_test_part_is_class_aware(wikipedia: Path) -> None:
    samples = source(wikipedia, seed=3).load(wikipedia)
    assert samples.labels is not None
    assert np.bincount(samples.labels[samples.splits == "test"]).tolist() == [15, 8, 8]


def test_escapes_and_brackets_inside_values_do_not_end_a_row(tmp_path: Path) -> None:
    rows = [(1, "a'),(2,'b", None), (2, 'x\\"\n', -1.5e-07), (3, "", 2), (4, "ü_;", 3)]
    write_dump(tmp_path / "t.sql", "t", ("a", "b", "c"), rows)
    expected = [(str(a).encode(), b.encode()) for a, b, _ in rows]
    assert list(dump_rows(tmp_path / "t.sql", ("a", "b"))) == expected
    assert list(dump_rows(tmp_path / "t.sql", ("b", "a"))) == [(b, a) for a, b in expected]


@pytest.mark.parametrize("damage", ["cut", "middle", "gzip", "column", "none"])
def test_a_damaged_dump_is_named(wikipedia: Path, damage: str) -> None:
    path = wikipedia / "wikipedia" / "enwiki-20240101-page.sql.gz"
    text = gzip.decompress(path.read_bytes())
    changed = {
        "cut": gzip.compress(text[: text.index(b"UNLOCK")]),
        "middle": gzip.compress(text.replace(b"'Page_30',", b"'Page_30,", 1)),
        "gzip": path.read_bytes()[:-40],
        "column": gzip.compress(text.replace(b"page_is_redirect", b"page_is_new")),
        "none": gzip.compress(b"hello\n"),
    }
    message = {
        "cut": "ends before its table does",
        "middle": r"line \d+, byte \d+ does not begin a row",
        "gzip": "is not a whole gzip file",
        "column": "has no column page_is_redirect",
        "none": "there is no CREATE TABLE",
    }[damage]
    path.write_bytes(changed[damage])
    with pytest.raises(ValueError, match=rf"page\.sql\.gz.*{message}"):
        source(wikipedia).load(wikipedia)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "7", "text"', r"wiki_02, line 21 is not an article with id and text"),
        ('{"id": "7"}', r"wiki_02, line 21 is not an article"),
        ('{"id": "120", "text": "again"}', r"the page 120 stands twice"),
    ],
)
def test_a_bad_article_is_named_with_its_line(wikipedia: Path, line: str, message: str) -> None:
    with (wikipedia / "wikipedia" / "extracted" / "AA" / "wiki_02").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=message):
        source(wikipedia).load(wikipedia)


def test_the_packaged_topics_are_read_and_tell_subjects_from_maintenance() -> None:
    topics = Topics.read(PACKAGED)
    assert 25 <= len(topics.names) <= 62
    subjects = {
        "English_footballers": "Sports",
        "Articles_containing_French-language_text": "",
        "Rivers_of_Norway": "Geography",
        "American_jazz_pianists": "Music",
        "20th-century_mathematicians": "History + Mathematics",
        "Use_dmy_dates_from_May_2020": "",
    }
    assert {title: topics.name(topics.mask(title)) for title in subjects} == subjects


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sports,football\nMusic\n", r"topics\.csv, line 2: expected a topic and a keyword"),
        ("Sports,football\nMusic,*\n", r"topics\.csv, line 2"),
        ("Sports,football\n", r"has 1 topics; there must be 2 to 62"),
        ("".join(f"t{i},k{i}\n" for i in range(63)), r"has 63 topics"),
    ],
)
def test_a_bad_table_of_topics_is_named_with_its_line(wikipedia: Path, text: str, message: str) -> None:
    (wikipedia / "wikipedia" / "topics.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        source(wikipedia).load(wikipedia)


def test_what_is_missing_is_said_with_where_to_get_it(wikipedia: Path, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"lacks page\.sql\.gz, categorylinks\.sql\.gz, .*dumps\.wikimedia\.org"):
        Wikipedia(root=str(tmp_path / "nowhere")).files(tmp_path)
    with pytest.raises(ValueError, match=r"num_classes=100, but the articles have only 4 combinations of topics"):
        source(wikipedia, num_classes=100).load(wikipedia)
    with pytest.raises(FileNotFoundError, match=r"dataset\.topics_file=/none is not a file"):
        source(wikipedia, topics_file="/none").files(wikipedia)
    again = wikipedia / "wikipedia" / "page.sql"
    again.write_bytes(b"")
    with pytest.raises(ValueError, match=r"several dumps of the table page: .*keep one"):
        source(wikipedia).files(wikipedia)
    with pytest.raises(ValueError, match=r"dataset\.file_fraction=0 must lie"):
        Wikipedia(file_fraction=0)
