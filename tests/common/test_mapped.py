"""Arrays that are mapped where they are large: what is in them, and which texts are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.common import mapped

TEXTS = st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=6), min_size=1)


@pytest.fixture
def all_mapped(monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 0)


def test_a_large_array_lies_in_a_file(all_mapped):
    array = mapped.room((3, 2), np.float32)
    assert isinstance(array.base, np.memmap)
    array[:] = 1
    assert array.sum() == 6
    assert len(mapped.room((0, 2), np.float32)) == 0
    assert mapped.full(3, "train").tolist() == ["train"] * 3


def test_a_disk_without_room_is_named(all_mapped, monkeypatch):
    with pytest.raises(OSError, match="temporary files; make room, or set TMPDIR"):
        mapped.room((1 << 50,), np.float64)


@pytest.mark.parametrize("length", [1, 10, 11, 70_000])
def test_numbers_as_texts(length):
    found, expected = mapped.numbered(length), np.array([*map(str, range(length))])
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


def test_rows_are_taken_as_numpy_takes_them(all_mapped):
    array, rows = np.arange(12).reshape(6, 2), np.array([5, 0, 0])
    assert np.array_equal(mapped.taken(array, rows), array[rows])


def test_a_large_file_is_mapped_and_cannot_be_written_to(tmp_path, all_mapped):
    np.save(tmp_path / "a.npy", np.array(["x", "yy"]))
    found = mapped.read_array(tmp_path / "a.npy")
    assert found.tolist() == ["x", "yy"]
    assert not found.flags.writeable


@given(TEXTS)
def test_texts_that_repeat_are_found(texts):
    expected = [row for row, text in enumerate(texts) if texts.count(text) > 1]
    assert mapped.repeated_texts(np.array(texts)).tolist() == expected


def test_texts_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(mapped, "text_hashes", lambda texts: np.zeros(len(texts), np.uint64))
    texts = np.array(["a", "b", "a", "c"])
    assert mapped.repeated_texts(texts).tolist() == [0, 2]
    assert mapped.places(texts[[1, 3]], texts[[1]]).tolist() == [0]


def test_hashes_do_not_depend_on_the_width():
    short, long = np.array(["a", "bc"]), np.array(["a", "bc", "much longer"])
    assert np.array_equal(mapped.text_hashes(short), mapped.text_hashes(long)[:2])


@given(TEXTS, st.randoms())
def test_places_are_those_of_isin(texts, random):
    distinct = np.array(sorted(set(texts)))
    wanted = distinct[[row for row in range(len(distinct)) if random.random() < 0.5]]
    for each in (wanted, np.append(wanted, "not there")):
        assert np.array_equal(mapped.places(distinct, each), np.flatnonzero(np.isin(distinct, each)))


def test_pieces_make_the_whole(monkeypatch):
    monkeypatch.setattr(mapped, "_ROWS", 2)
    texts = np.array(list("abcde"))
    assert b"".join(mapped.joined(texts, "\n")) == b"a\nb\nc\nd\ne"
    assert list(mapped.Listed(np.arange(5))) == [0, 1, 2, 3, 4]
    assert all(type(each) is int for each in mapped.Listed(np.arange(5)))
