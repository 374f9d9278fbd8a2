"""A primary set in which some labels are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from scar.common.randomness import generator
from scar.sampling.regimes.regime import NOTHING_LACKS, Features, Regime
from scar.sampling.splits import Split

NOISY_PARTS = ("primary", "validation")
"""What was labelled carelessly: what one has. Held-out, test and what a plan adds are labelled rightly."""


@dataclass(frozen=True, kw_only=True)
class NoisyLabels(Regime):
    """Give a share of the primary and of the validation samples another class, drawn evenly from the others.

    Symmetric noise: exactly ``round(rate · n)`` samples of each of the two parts, whatever their class.

    Attributes:
        rate: share of the samples whose label is wrong.
    """

    keeps_groups: ClassVar[bool] = True
    keeps_mix: ClassVar[bool] = True
    refused_mixes: ClassVar[Mapping[str, str]] = NOTHING_LACKS

    name: str = "noisy"
    rate: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"regime.rate={self.rate} is a share of wrong labels and must lie strictly within 0 and 1")

    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split with wrong labels; the rows of every part stay as they are."""
        if num_classes < 2:
            raise ValueError(f"regime={self.name} needs another class to mistake one for; there is {num_classes}")
        labels = split.labels.copy()
        for index, part in enumerate(NOISY_PARTS):
            rows, rng = getattr(split, part), generator(seed, "regime", index)
            wrong = rng.permutation(rows)[: round(self.rate * len(rows))]
            labels[wrong] = (labels[wrong] + rng.integers(1, num_classes, size=len(wrong))) % num_classes
        return replace(split, labels=np.asarray(labels))
