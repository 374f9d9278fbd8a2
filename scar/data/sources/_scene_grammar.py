"""What a generated scene shows, and the sentences that describe it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

SHAPES = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "cross": ("cross", "plus"),
    "star": ("star",),
    "ring": ("ring", "hoop"),
}
COLOURS = {
    "red": ("red", "scarlet"),
    "green": ("green", "lime"),
    "blue": ("blue", "azure"),
    "yellow": ("yellow", "golden"),
}
COUNTS = {1: ("one", "a single"), 2: ("two", "a pair of"), 3: ("three",)}
SIZES = {"small": ("small", "little"), "large": ("large", "big")}
POSITIONS = {
    "top_left": ("in the top left", "in the upper left corner"),
    "top_right": ("in the top right", "in the upper right corner"),
    "bottom_left": ("in the bottom left", "in the lower left corner"),
    "bottom_right": ("in the bottom right", "in the lower right corner"),
    "centre": ("in the centre", "in the middle"),
}
BACKGROUNDS = {"white": ("white", "bright"), "black": ("black", "dark"), "grey": ("grey",), "brown": ("brown",)}
# The word that names a value, and those that may stand in its place.

TYPES = tuple(product(SHAPES, COLOURS))
"""[K] shape and colour of each scene type."""
TYPE_NAMES = tuple(f"{colour} {shape}" for shape, colour in TYPES)
DETAILS = tuple(product(COUNTS, SIZES, POSITIONS, BACKGROUNDS))
"""Everything else that a scene of a type may show."""

_OPENINGS = ("", "a picture of ", "an image with ", "here is ", "this shows ")
_MENTIONED = 0.7
"""Share of the captions of varying detail that name the size, and share of those that name the background."""


@dataclass(frozen=True)
class Scene:
    """Objects of one shape, colour and size, close together, on a plain background."""

    shape: str
    colour: str
    count: int
    size: str
    position: str
    background: str

    @classmethod
    def of(cls, scene_type: int, detail: int) -> Scene:
        """Return a scene by the indices of its type in `TYPES` and of the rest in `DETAILS`."""
        shape, colour = TYPES[scene_type]
        return cls(shape, colour, *DETAILS[detail])

    @property
    def name(self) -> str:
        """The full specification, such as ``circle-red-2-small-top_left-white``."""
        return f"{self.shape}-{self.colour}-{self.count}-{self.size}-{self.position}-{self.background}"


def describe(scene: Scene, rng: np.random.Generator, *, full: bool) -> str:
    """Return a true sentence about a scene in words that vary.

    Count, colour, shape and position are always named.

    Args:
        scene: to describe.
        rng: of the words and the order.
        full: name the size and the background too, rather than now and then.
    """

    def word(words: tuple[str, ...]) -> str:
        return words[int(rng.integers(len(words)))]

    sized, grounded = (full or rng.random() < _MENTIONED for _ in range(2))
    noun = word(SHAPES[scene.shape])
    if scene.count > 1:
        noun += "es" if noun.endswith(("s", "x")) else "s"
    size = f"{word(SIZES[scene.size])} " if sized else ""
    things = f"{word(COUNTS[scene.count])} {size}{word(COLOURS[scene.colour])} {noun}"
    place = word(POSITIONS[scene.position])
    ground = f" on a {word(BACKGROUNDS[scene.background])} background" if grounded else ""
    opening = word(_OPENINGS)
    if rng.random() < 0.25:
        return f"{place}{ground}: {things}"
    return f"{opening}{things} {place}{ground}"


def describe_otherwise(scene: Scene, known: str, rng: np.random.Generator) -> str:
    """Return a true sentence about a scene that differs from the one that is known."""
    while (caption := describe(scene, rng, full=False)) == known:
        continue
    return caption
