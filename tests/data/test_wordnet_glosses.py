from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scar.data.duplicates import exact_duplicates
from scar.data.paths import data_folder
from scar.data.sources.wordnet_glosses import LEXICOGRAPHER_FILES, WordnetGlosses, read_glosses


def test_large_classes_are_kept_under_their_names_and_small_ones_reported(wordnet: Path) -> None:
    samples = WordnetGlosses(min_class_size=10).load(wordnet)
    assert samples.class_names == ("noun.animal", "noun.plant", "noun.shape")
    assert np.bincount(samples.labels).tolist() == [40, 20, 10]
    assert samples.payloads["text"][0] == "text 0 of file 5"
    assert samples.notes == ("classes below dataset.min_class_size=10 left out: noun.motive (3)",)


def test_the_test_part_is_class_aware_and_belongs_to_the_dataset_seed(wordnet: Path) -> None:
    first, again, other = (WordnetGlosses(min_class_size=10, seed=s).load(wordnet).splits for s in (0, 0, 1))
    labels = WordnetGlosses(min_class_size=10).load(wordnet).labels
    assert np.bincount(labels[first == "test"]).tolist() == [8, 4, 2]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("gloss", "text"),
    [
        (
            'significant progress (as in "make strides"); "they made big strides"',
            'significant progress (as in "make strides")',
        ),
        (
            'the act of putting one in the place of another: "he sent Smith in"',
            "the act of putting one in the place of another",
        ),
        ('one; two; "an example"; "another"', "one; two"),
        ("petrels; fulmars; shearwaters;", "petrels; fulmars; shearwaters"),
        ('a workplace; as in the expression "on the job";', 'a workplace; as in the expression "on the job"'),
        ("a gloss with | a bar", "a gloss with | a bar"),
    ],
)
def test_examples_are_cut_and_quotes_inside_the_definition_stay(
    tmp_path: Path, gloss: str, text: str, write_wordnet: Callable[..., Any]
) -> None:
    write_wordnet(tmp_path / "data.noun", [(5, gloss)])
    assert read_glosses(tmp_path / "data.noun")[2] == [text]


@pytest.mark.parametrize("damage", ["cut", "shifted", "binary"])
def test_a_damaged_file_is_named_with_its_line(wordnet: Path, damage: str) -> None:
    path = wordnet / "wordnet" / "data.noun"
    content = path.read_bytes()
    changed = {
        "cut": content[:-20],
        "shifted": content.replace(b"text 3 of", b"text 33 of", 1),
        "binary": content[:500] + bytes(range(256)) + content[500:],
    }
    path.write_bytes(changed[damage])
    line = {"cut": 74, "shifted": 6, "binary": r"\d+"}[damage]
    with pytest.raises(ValueError, match=rf"data\.noun is damaged: line {line} is not a whole synset"):
        WordnetGlosses(min_class_size=10).load(wordnet)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min_class_size": 41}, r"dataset\.min_class_size=41 leaves 0 classes"),
        ({"min_class_size": 1}, r"dataset\.min_class_size=1 must be at least 2"),
        ({"test_fraction": 1.0}, r"dataset\.test_fraction=1\.0 must lie strictly between"),
    ],
)
def test_impossible_settings_are_refused(wordnet: Path, fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordnetGlosses(**fields).load(wordnet)  # type: ignore[arg-type]


def test_there_are_the_26_files_of_the_nouns() -> None:
    assert len(LEXICOGRAPHER_FILES) == 26
    assert LEXICOGRAPHER_FILES[18] == "noun.person"
    assert LEXICOGRAPHER_FILES[28] == "noun.time"


@pytest.mark.slow
def test_the_real_data_have_the_expected_counts() -> None:
    if not (data_folder() / "wordnet" / "data.noun").is_file():
        pytest.skip("WordNet is not in the cache; `make data` fetches it")
    samples = WordnetGlosses().load(data_folder())
    assert len(samples) == 82022
    assert len(samples.class_names) == 24
    assert (samples.splits == "test").sum() == 16404
    sizes = dict(zip(samples.class_names, np.bincount(samples.labels), strict=True))
    assert sizes["noun.artifact"] == 11587
    assert sizes["noun.shape"] == 341
    assert all(samples.payloads["text"])
    report = exact_duplicates(samples)
    assert sum(len(group) - 1 for group in report.groups) == 631
    assert report.conflicting == 8
