"""What every regime can do, and the one that does nothing.

A regime changes which of the training samples are primary and which are reserve (or what the labels of the primary
and validation parts say); the union of primary and reserve, the held-out and the test part stay as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.splits import Split

Features = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Regime(ABC):
    """Base of the regimes: a dataclass whose fields are the keys of its YAML, and `apply`.

    Attributes:
        name: of the configuration, and of the regime in rows and reports.
        needs_features: whether `apply` reads the embeddings; the split then belongs to one encoder.
        keeps_groups: whether samples of one group (`split.group`) stay in one part.
    """

    needs_features: ClassVar[bool] = False
    keeps_groups: ClassVar[bool] = False

    name: str

    @abstractmethod
    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split under this regime.

        Args:
            split: as it was drawn.
            num_classes: K.
            seed: of the job.
            features: [N, D] embeddings, given where `needs_features` is set.
        """


@dataclass(frozen=True, kw_only=True)
class Natural(Regime):
    """Leave the class-aware primary set as it is: the case of the paper."""

    keeps_groups: ClassVar[bool] = True

    name: str = "natural"

    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split unchanged."""
        return split
