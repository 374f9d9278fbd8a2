import sys
from types import ModuleType

import pytest

from scar.reduction.keywords import keywords

CAPTIONS = [
    "A traffic light stands in the street.",
    "The red traffic light, and a dog!",
    "A dog in the street",
    "The dog of the house",
    "A dog and a cat of the house in the street",
]


def test_the_most_frequent_words_come_first_and_stop_words_never():
    # dog 4 and street 3 times; house, light, traffic and "traffic light" (neither without the other) twice.
    found = keywords(CAPTIONS, 100)
    assert found[:6] == ["dog", "street", "house", "light", "traffic", "traffic light"]
    assert not {"a", "the", "in", "of", "and"} & set(found)


def test_words_that_stand_together_by_chance_are_no_phrase():
    # Every pair of these six words comes once in each order: ln((1/15) / (1/6)²) is 0.9.
    words = ["tree", "house", "river", "cloud", "boat", "hill"]
    chance = [f"{first} {second}" for first in words for second in words if first != second] * 3
    assert keywords(chance, 100) == sorted(words)
    assert "tree house" in keywords([*chance, *["tree house"] * 30], 100)


def test_the_order_of_the_captions_does_not_matter():
    assert keywords(CAPTIONS[::-1], 100) == keywords(CAPTIONS, 100)
    assert keywords(CAPTIONS, 3) == keywords(CAPTIONS, 100)[:3]


def test_captions_without_a_word_have_no_keyword():
    assert keywords(["12 %", "", "the"], 10) == []


def test_an_unknown_kind_of_phrase_is_refused():
    with pytest.raises(ValueError, match="phrases='spacy' is unknown"):
        keywords(CAPTIONS, 3, phrases="spacy")


def test_noun_phrases_without_nltk_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(ValueError, match="pip install nltk"):
        keywords(CAPTIONS, 3, phrases="nltk")


def test_noun_phrases_without_the_data_of_the_tagger_are_refused(monkeypatch):
    def missing(words):
        raise LookupError("Resource averaged_perceptron_tagger_eng not found")

    nltk = ModuleType("nltk")
    nltk.pos_tag, nltk.RegexpParser = missing, lambda grammar: None
    monkeypatch.setitem(sys.modules, "nltk", nltk)
    with pytest.raises(ValueError, match="averaged_perceptron_tagger_eng"):
        keywords(CAPTIONS, 3, phrases="nltk")


def test_noun_phrases_are_found_by_nltk(monkeypatch):
    nltk = pytest.importorskip("nltk")
    tags = {"red": "JJ", "runs": "VBZ", "a": "DT"}
    monkeypatch.setattr(nltk, "pos_tag", lambda words: [(word, tags.get(word, "NN")) for word in words])
    found = keywords(["a red truck runs", "a red truck", ""], 10, phrases="nltk")
    assert found == ["red", "red truck", "truck", "runs"]
