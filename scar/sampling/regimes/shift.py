"""A primary set that covers one side of every class, and a reserve that covers the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Floats, Ints
from scar.data.stratify import within_class_rank
from scar.sampling.regimes.regime import NOTHING_LACKS, Features, Regime
from scar.sampling.splits import Split


@dataclass(frozen=True, kw_only=True)
class Shift(Regime):
    """Divide primary and reserve anew along one direction of the embeddings, class by class (covariate shift).

    The direction is one of the leading `directions` principal axes of the embeddings of primary and reserve after the
    mean of its class was taken from each; which one, and its sign, is drawn from the seed. Within each class the
    samples are ranked along it, ``u = (rank + 1/2) / m``, and the primary set takes those with the smallest
    ``strength · u + (1 - strength) · v``, v uniform. Each class keeps the number of samples it had in the primary set,
    so that P(class) is the same on both sides and P(sample | class) is not: the pool is the other side. Held-out,
    validation and test part keep the natural mix.

    Attributes:
        strength: 0 divides at random, 1 cuts each class in two halves that do not overlap.
        directions: how many principal axes the direction is drawn from.
    """

    needs_features: ClassVar[bool] = True
    keeps_mix: ClassVar[bool] = True
    refused_mixes: ClassVar[Mapping[str, str]] = NOTHING_LACKS

    name: str = "shift"
    strength: float = 0.8
    directions: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"regime.strength={self.strength} must lie within 0 (at random) and 1 (cut in two)")
        if self.directions < 1:
            raise ValueError(f"regime.directions={self.directions} must be at least 1")

    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split whose primary set lies on one side of every class.

        Raises:
            ValueError: without features.
        """
        if features is None:
            raise ValueError(f"regime={self.name} divides samples by their embeddings; give features")
        rng, rows = generator(seed, "regime"), split.total
        classes = split.labels[rows]
        place = _ranks(_coordinates(features[rows], classes, num_classes, self.directions, rng), classes)
        mixed = self.strength * place + (1 - self.strength) * rng.random(len(rows))
        order = np.argsort(mixed, kind="stable")
        wanted = split.class_sizes("primary", num_classes)
        taken = within_class_rank(classes[order]) < wanted[classes[order]]
        return split.with_parts(primary=rows[order[taken]], reserve=rows[order[~taken]])


def _coordinates(x: Features, classes: Ints, num_classes: int, directions: int, rng: np.random.Generator) -> Floats:
    """Return [n] the coordinates along the direction drawn, class means taken away."""
    values = np.asarray(x, dtype=np.float64)
    sizes = np.bincount(classes, minlength=num_classes)
    means = np.zeros((num_classes, values.shape[1]))
    np.add.at(means, classes, values)
    centred = values - (means / np.maximum(sizes, 1)[:, None])[classes]
    _, axes = np.linalg.eigh(centred.T @ centred)
    chosen = axes[:, -1 - rng.integers(min(directions, axes.shape[1]))]
    sign = np.sign(chosen[np.argmax(np.abs(chosen))]) * rng.choice((-1.0, 1.0))  # the solver's own sign is arbitrary
    coordinates: Floats = centred @ (sign * chosen)
    return coordinates


def _ranks(values: Floats, classes: Ints) -> Floats:
    """Return [n] the mid-ranks of the values within their class, in (0, 1)."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values))
    rank[order] = within_class_rank(classes[order]) + 0.5
    return rank / np.bincount(classes)[classes]
