"""Generated classes: fractals in place of images (after FractalDB, Kataoka et al. 2020), nonsense in place of texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator

MAPS, STEPS, BURN_IN = 4, 600, 20
"""Affine maps of an iterated function system, points of one image, and points left out at its start."""
JITTER = 0.08
"""Standard deviation by which the maps of one image differ from those of its class."""
VOCABULARY, WORDS_PER_TEXT = 300, 9
CONCENTRATION = 0.1
"""Of the Dirichlet distribution from which each class draws the frequencies of its words; small: few words."""


def fractal_images(classes: int, per_class: int, *, shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Draw fractals by the chaos game: a class is an iterated function system, its images are slight changes of it.

    Returns:
        [classes · per_class, H, W] images, class by class.
    """
    images = [_fractals_of_class(per_class, shape, generator(seed, "fractals", c)) for c in range(classes)]
    return np.concatenate(images)


def _fractals_of_class(count: int, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    angles = rng.uniform(0, 2 * np.pi, (MAPS, 2))
    scales = rng.uniform(0.3, 0.8, (MAPS, 2))
    base = np.empty((MAPS, 2, 2))
    for m in range(MAPS):  # two rotations about a diagonal: a contraction, so that the attractor exists
        left, right = (np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles[m])
        base[m] = left @ np.diag(scales[m]) @ right
    offsets = rng.uniform(-1, 1, (MAPS, 2))
    matrices = base + JITTER * rng.normal(size=(count, MAPS, 2, 2)) * scales[:, :, None]
    shifts = offsets + JITTER * rng.normal(size=(count, MAPS, 2))
    points = np.zeros((STEPS, count, 2))
    at, each = np.zeros((count, 2)), np.arange(count)
    for step in range(-BURN_IN, STEPS):
        chosen = rng.integers(0, MAPS, count)
        at = np.einsum("nij,nj->ni", matrices[each, chosen], at) + shifts[each, chosen]
        at = np.clip(at, -1e3, 1e3)  # a jittered map may expand
        if step >= 0:
            points[step] = at
    low, high = np.quantile(points, 0.02, axis=0), np.quantile(points, 0.98, axis=0)
    places = (points - low) / np.maximum(high - low, 1e-9)
    cells = np.clip((places * np.array(shape)).astype(np.int64), 0, np.array(shape) - 1)
    flat = (each * shape[0] + cells[:, :, 0]) * shape[1] + cells[:, :, 1]
    hits = np.bincount(flat.ravel(), minlength=count * shape[0] * shape[1]).reshape(count, *shape)
    bright = np.log1p(hits) / np.log1p(hits.max(axis=(1, 2), keepdims=True))
    images: NDArray[np.uint8] = np.rint(255 * bright).astype(np.uint8)
    return images


def nonsense_texts(classes: int, per_class: int, *, seed: int) -> list[str]:
    """Draw texts of made-up words: a class is a distribution over one vocabulary that all classes share.

    Returns:
        [classes · per_class] texts, class by class.
    """
    rng = generator(seed, "nonsense")
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = ["".join(rng.choice(syllables, int(rng.integers(2, 4)))) for _ in range(VOCABULARY)]
    texts = []
    for _ in range(classes):
        frequencies = rng.dirichlet(np.full(VOCABULARY, CONCENTRATION))
        drawn = rng.choice(VOCABULARY, size=(per_class, WORDS_PER_TEXT), p=frequencies)
        texts += [" ".join(words[w] for w in row) for row in drawn]
    return texts
