"""Named distribution shifts: what a test item could have looked like (Feuer and Hegde 2023, §3).

A shift changes the payload and leaves the label. What is drawn at random depends on the id of the sample, the name of
the shift and a seed, not on the order in which samples are read.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from scar.common.randomness import generator
from scar.data.samples import Samples

Transform = Callable[[Any, np.random.Generator], Any]

NOISE = 0.15
"""Standard deviation of the noise, as a share of the range of a pixel."""
BLUR = 0.05
"""Standard deviation of the Gaussian, as a share of the shorter side."""
ROTATION = 30.0
"""Largest angle of a rotation, drawn uniformly to both sides [degrees]."""
TYPO_RATE, DROP_RATE = 0.25, 0.3
"""Share of the words that get a typing error, and that are left out."""
MIN_TYPO = 3
"""Words with fewer letters keep their spelling."""


def noise(image: Any, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add Gaussian noise to every channel of every pixel."""
    pixels = _pixels(image)
    return _bytes(pixels + rng.normal(0.0, 255 * NOISE, pixels.shape))


def blur(image: Any, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur with a Gaussian."""
    pixels = _pixels(image)
    radius = BLUR * min(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def rotation(image: Any, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Rotate about the centre; the corners take the median of the border."""
    pixels = _pixels(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = np.atleast_1d(np.median(edge, axis=0)).astype(int)
    angle = rng.uniform(-ROTATION, ROTATION)
    colour = int(fill[0]) if pixels.ndim == 2 else tuple(int(value) for value in fill)
    picture = Image.fromarray(pixels).rotate(angle, Image.Resampling.BILINEAR, fillcolor=colour)
    return np.asarray(picture)


def sketch(image: Any, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw the edges as dark lines on white: the gradient of the brightness, scaled to its 99th percentile."""
    pixels = _pixels(image)
    grey = pixels.astype(np.float64) if pixels.ndim == 2 else pixels.astype(np.float64).mean(axis=2)
    rows, columns = np.gradient(grey)
    edges = np.hypot(rows, columns)
    lines = _bytes(255 - 255 * edges / max(float(np.quantile(edges, 0.99)), 1.0))
    return lines if pixels.ndim == 2 else np.repeat(lines[:, :, None], 3, axis=2)


def typos(text: str, rng: np.random.Generator) -> str:
    """Swap, drop or double a letter inside some words, never the first one."""
    words = text.split(" ")
    for index, word in enumerate(words):
        if len(word) < MIN_TYPO or rng.random() >= TYPO_RATE:
            continue
        at = int(rng.integers(1, len(word) - 1))
        changed = (word[at + 1] + word[at], word[at + 1], word[at] * 2 + word[at + 1])
        words[index] = word[:at] + changed[int(rng.integers(3))] + word[at + 2 :]
    return " ".join(words)


def case(text: str, rng: np.random.Generator) -> str:
    """Write everything in capitals, or in small letters what is in capitals already."""
    return text.lower() if text == text.upper() else text.upper()


def word_drop(text: str, rng: np.random.Generator) -> str:
    """Leave out some words, but never all."""
    words = text.split()
    kept = rng.random(len(words)) >= DROP_RATE
    if len(words) and not kept.any():
        kept[int(rng.integers(len(words)))] = True
    return " ".join(word for word, keep in zip(words, kept, strict=True) if keep)


SHIFTS: Mapping[str, Mapping[str, Transform]] = {
    "image": {"noise": noise, "blur": blur, "rotation": rotation, "sketch": sketch},
    "text": {"typos": typos, "case": case, "word_drop": word_drop},
}
"""Shifts by modality and name."""


def shift_item(item: Any, modality: str, name: str, *, sample_id: str, seed: int = 0) -> Any:
    """Return the shifted payload of one sample.

    Args:
        item: PIL image or uint8 array; a text, or a tuple of captions, each of which is shifted.
        modality: ``"image"`` or ``"text"``.
        name: of the shift, a key of `SHIFTS`.
        sample_id: decides, with name and seed, what is drawn.
        seed: of the shift.

    Raises:
        ValueError: an unknown modality or shift.
    """
    known = SHIFTS.get(modality)
    if known is None:
        raise ValueError(f"modality={modality!r} has no named shifts; those with some: {', '.join(SHIFTS)}")
    if name not in known:
        raise ValueError(f"shift={name!r} is unknown for {modality}; use one of {', '.join(known)}")
    draw = generator(seed, f"shift {name}", zlib.crc32(sample_id.encode()))
    if isinstance(item, tuple):
        return tuple(known[name](each, draw) for each in item)
    return known[name](item, draw)


@dataclass(frozen=True, eq=False)
class ShiftedItems(Sequence[Any]):
    """Payloads of a modality, each shifted when it is read."""

    items: Sequence[Any]
    ids: NDArray[np.str_]
    modality: str
    name: str
    seed: int = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(len(self))[index]]
        sample_id = str(self.ids[index])
        return shift_item(self.items[index], self.modality, self.name, sample_id=sample_id, seed=self.seed)


def shift_samples(samples: Samples, modality: str, name: str, *, seed: int = 0) -> Samples:
    """Return the samples with one modality shifted; ids, labels and the other modalities stay."""
    shifted = ShiftedItems(samples.payloads[modality], samples.ids, modality, name, seed)
    return replace(samples, payloads={**samples.payloads, modality: shifted})


def match_classes(ours: Sequence[str], theirs: Sequence[str]) -> NDArray[np.int64]:
    """Return [M] the place among our classes of each class of a dataset that is a shift of ours.

    So ImageNet-R, ImageNet-A, ImageNet-Sketch or another vendor's drawings are scored: by the classes that both have. A
    class called by a number, as in ImageNet-V2, is our class at that place.

    Raises:
        ValueError: a class of theirs is not one of ours.
    """
    if all(name.isdecimal() for name in theirs) and not set(theirs) <= set(ours):
        theirs = [ours[int(name)] if int(name) < len(ours) else name for name in theirs]
    places = {name: index for index, name in enumerate(ours)}
    unknown = [name for name in theirs if name not in places]
    if unknown:
        raise ValueError(
            f"{len(unknown)} classes of the shift are not among those of the dataset, the first is {unknown[0]!r}; "
            "keep the classes that both have"
        )
    return np.array([places[name] for name in theirs], np.int64)


def _pixels(image: Any) -> NDArray[np.uint8]:
    """Return a uint8 array [H, W] or [H, W, 3]."""
    if hasattr(image, "convert"):
        image = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"an image must be a PIL image or a uint8 array [H, W] or [H, W, 3], got {array.dtype} {array.shape}"
        )
    return array


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
