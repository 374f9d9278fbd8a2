"""A primary set whose classes fall off exponentially."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from scar.common.randomness import generator
from scar.data.stratify import within_class_rank
from scar.sampling.regimes.regime import Features, Regime
from scar.sampling.splits import Split


@dataclass(frozen=True, kw_only=True)
class LongTailed(Regime):
    """Thin the primary set out exponentially and move what is taken to the unused samples.

    Class sizes follow ``largest · ratio^(-rank / (K - 1))``; which class takes which rank is drawn from the seed. A
    class that is smaller already keeps what it has.

    Attributes:
        ratio: largest to smallest class.
        min_samples: no class falls below this many samples.
    """

    pool_mix: ClassVar[str] = "same"

    name: str = "long_tailed"
    ratio: float = 20.0
    min_samples: int = 1

    def __post_init__(self) -> None:
        if self.ratio < 1:
            raise ValueError(f"regime.ratio={self.ratio} is largest : smallest class and must be at least 1")
        if self.min_samples < 0:
            raise ValueError(f"regime.min_samples={self.min_samples} must be at least 0")

    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split with a long-tailed primary set."""
        rng = generator(seed, "regime")
        present = split.class_sizes("primary", num_classes)
        rank = rng.permutation(num_classes)
        target = np.rint(present.max() * self.ratio ** (-rank / max(num_classes - 1, 1)))
        keep = np.minimum(present, np.maximum(target, self.min_samples)).astype(np.int64)
        order = rng.permutation(split.primary)
        place = within_class_rank(split.labels[order])
        kept = place < keep[split.labels[order]]
        return split.with_parts(primary=order[kept], reserve=np.concatenate([split.reserve, order[~kept]]))
