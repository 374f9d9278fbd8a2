"""The most frequent keywords and phrases of captions, which the codes start from (§3.1)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from math import log
from typing import Any

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LEAST_COUNT = 2
"""Times that a pair of words must occur, or it has no PMI worth the name."""
_LEAST_PMI = 1.0
"""Natural logarithm: a phrase occurs e times as often as its words would side by side by chance."""
_NOUN_PHRASE = "NP: {<JJ.*>*<NN.*>+}"


def keywords(captions: Sequence[str], count: int, *, phrases: str = "pmi") -> list[str]:
    """Return the most frequent words and phrases of captions, the most frequent first.

    Words of scikit-learn's English stop list are left out, and so are phrases that hold one. What is equally frequent
    is in the order of the alphabet, so that the order of the captions does not matter.

    Args:
        captions: texts.
        count: keywords at most; fewer captions have fewer.
        phrases: ``"pmi"`` takes pairs of neighbouring words whose pointwise mutual information,
            ln p(a, b) / (p(a) p(b)), is at least 1; ``"nltk"`` takes noun phrases, as the paper does.

    Raises:
        ValueError: `phrases` is unknown, or NLTK or the data of its tagger is not installed.
    """
    if phrases not in _PHRASES:
        raise ValueError(f"phrases={phrases!r} is unknown; use one of {', '.join(_PHRASES)}")
    texts = [[match.group().lower() for match in _WORD.finditer(caption)] for caption in captions]
    counts = Counter(word for text in texts for word in text if word not in ENGLISH_STOP_WORDS)
    found = _PHRASES[phrases](texts, ENGLISH_STOP_WORDS)
    counts.update({phrase: times for phrase, times in found.items() if " " in phrase})
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:count]]


def _pairs(texts: Sequence[Sequence[str]], stop: frozenset[str]) -> Counter[str]:
    """Return the pairs of neighbours with a high PMI and how often each occurs."""
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        words.update(text)
        pairs.update(pair for pair in pairwise(text) if not stop.intersection(pair))
    total, neighbours = words.total(), sum(max(len(text) - 1, 0) for text in texts)

    def pmi(pair: tuple[str, str], times: int) -> float:
        return log(times / neighbours) - log(words[pair[0]] / total) - log(words[pair[1]] / total)

    return Counter(
        {
            " ".join(pair): times
            for pair, times in pairs.items()
            if times >= _LEAST_COUNT and pmi(pair, times) >= _LEAST_PMI
        }
    )


def _noun_phrases(texts: Sequence[Sequence[str]], stop: frozenset[str]) -> Counter[str]:
    """Return the noun phrases (adjectives and nouns) and how often each occurs, by NLTK's tagger."""
    try:
        nltk: Any = import_module("nltk")
    except ModuleNotFoundError as error:
        raise ValueError(
            "reduction.captioner.keyword_phrases=nltk needs NLTK: pip install nltk, or set it to pmi"
        ) from error
    parser, phrases = nltk.RegexpParser(_NOUN_PHRASE), Counter[str]()
    for text in filter(None, texts):
        try:
            tagged = nltk.pos_tag(list(text))
        except LookupError as error:
            raise ValueError(
                "reduction.captioner.keyword_phrases=nltk needs the data of NLTK's tagger: "
                "python -m nltk.downloader averaged_perceptron_tagger_eng, or set it to pmi"
            ) from error
        trees = parser.parse(tagged).subtrees(lambda tree: tree.label() == "NP")
        chunks = ([word for word, _ in tree.leaves()] for tree in trees)
        phrases.update(" ".join(chunk) for chunk in chunks if not stop.intersection(chunk))
    return phrases


_PHRASES = {"pmi": _pairs, "nltk": _noun_phrases}
