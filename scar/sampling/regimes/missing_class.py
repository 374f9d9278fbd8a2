"""A primary set in which some classes do not occur at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scar.common.randomness import generator
from scar.sampling.regimes.regime import Features, Regime
from scar.sampling.splits import Split


@dataclass(frozen=True, kw_only=True)
class MissingClass(Regime):
    """Move all primary samples of some classes to the unused ones; which classes is drawn from the seed.

    Validation, held-out and test part keep these classes: one knows that they exist and has a few labels to judge by,
    but nothing to train on.

    Attributes:
        classes: how many classes are absent.
    """

    refused_mixes: ClassVar[Mapping[str, str]] = {
        "same": "the missing classes would be missing from the pool as well; use pool.mix=natural, balanced or complement"
    }

    name: str = "missing_class"
    classes: int = 2

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ValueError(f"regime.classes={self.classes} must be at least 1; use regime=natural for none")

    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split with a primary set that lacks the classes drawn.

        Raises:
            ValueError: fewer than two classes would remain.
        """
        present = np.flatnonzero(split.class_sizes("primary", num_classes))
        if len(present) - self.classes < 2:
            raise ValueError(
                f"regime.classes={self.classes} would leave {max(len(present) - self.classes, 0)} of {len(present)} "
                "classes in the primary set, and a probe needs two; take fewer"
            )
        absent = generator(seed, "regime").choice(present, size=self.classes, replace=False)
        moved = np.isin(split.labels[split.primary], absent)
        return split.with_parts(
            primary=split.primary[~moved], reserve=np.concatenate([split.reserve, split.primary[moved]])
        )
