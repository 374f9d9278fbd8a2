"""What a caption says of a generated scene, and whether it is so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.data.sources._scene_grammar import BACKGROUNDS, COLOURS, COUNTS, POSITIONS, SHAPES, SIZES, Scene, describe

FACTS = tuple(each.name for each in fields(Scene))
"""Shape, colour, count, size, position and background."""
_VALUES: dict[str, Mapping[Any, tuple[str, ...]]] = {
    "shape": {name: tuple(f"{word}(?:e?s)?" for word in words) for name, words in SHAPES.items()},
    "colour": dict(COLOURS),
    "count": dict(COUNTS),
    "size": dict(SIZES),
    "position": {name: tuple(word.removeprefix("in the ") for word in words) for name, words in POSITIONS.items()},
    "background": {name: tuple(f"{word} background" for word in words) for name, words in BACKGROUNDS.items()},
}
_PATTERNS = {
    fact: [(str(value), re.compile(rf"\b(?:{'|'.join(words)})\b")) for value, words in values.items()]
    for fact, values in _VALUES.items()
}


def read_facts(caption: str) -> dict[str, str]:
    """Return what a caption states, by fact; of several values of one fact the first in the text."""
    text, found = caption.lower(), {}
    for fact, patterns in _PATTERNS.items():
        seen = [(hit.start(), value) for value, pattern in patterns if (hit := pattern.search(text))]
        if seen:
            found[fact] = min(seen)[1]
    return found


def right_facts(captions: Sequence[str], scenes: Sequence[str]) -> NDArray[np.float64]:
    """Return [N, 6] whether each fact of `FACTS` is stated rightly (1), wrongly (0) or not at all (NaN).

    Args:
        captions: [N].
        scenes: [N] what the pictures show, as the group column ``scene`` of `CaptionedScenes` names it.

    Raises:
        ValueError: another number of scenes, or a name that is none of a scene.
    """
    if len(captions) != len(scenes):
        raise ValueError(f"{len(captions)} captions of {len(scenes)} scenes; give one of each")
    found = np.full((len(captions), len(FACTS)), np.nan)
    for row, (caption, scene) in enumerate(zip(captions, scenes, strict=True)):
        truth, said = dict(zip(FACTS, _parts(scene), strict=True)), read_facts(caption)
        found[row, [FACTS.index(fact) for fact in said]] = [value == truth[fact] for fact, value in said.items()]
    return found


def describe_with_errors(scene: str, rng: np.random.Generator, *, wrong: float) -> str:
    """Return a sentence that states all facts of a scene, each of them wrongly with a given probability.

    Args:
        scene: what the picture shows, as the group column ``scene`` names it.
        rng: of the errors, the words and their order.
        wrong: probability of each fact to be replaced by another of its values, drawn evenly.

    Raises:
        ValueError: a name that is none of a scene, or a probability outside [0, 1].
    """
    if not 0 <= wrong <= 1:
        raise ValueError(f"wrong={wrong} must be a probability in [0, 1]")
    told = {}
    for fact, value in zip(FACTS, _parts(scene), strict=True):
        others = [str(other) for other in _VALUES[fact] if str(other) != value]
        told[fact] = others[int(rng.integers(len(others)))] if rng.random() < wrong else value
    return describe(Scene(**told | {"count": int(told["count"])}), rng, full=True)  # type: ignore[arg-type]


def _parts(scene: str) -> list[str]:
    parts = scene.split("-")
    known = len(parts) == len(FACTS) and all(
        part in map(str, _VALUES[fact]) for part, fact in zip(parts, FACTS, strict=True)
    )
    if not known:
        raise ValueError(f"scene={scene!r} names no scene; its form is circle-red-2-small-top_left-white")
    return parts
