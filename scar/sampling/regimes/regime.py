"""What every regime can do, and the one that does nothing.

A regime changes which of the training samples are primary and which are reserve (or what the labels of the primary
and validation parts say); the union of primary and reserve, the held-out and the test part stay as they are. Which of
the reserve can be had is said afterwards, by the mix of the pool (`scar.sampling.pool_mix`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.named import Named
from scar.sampling.splits import Split

Features = NDArray[np.floating]
NOTHING_LACKS = {
    "complement": "the primary set has the class mix of the data, so that it lacks nothing; use pool.mix=natural"
}


@dataclass(frozen=True, kw_only=True)
class Regime(Named, ABC):
    """Base of the regimes: a dataclass whose fields are the keys of its YAML, and `apply`.

    Attributes:
        needs_features: whether `apply` reads the embeddings; the split then belongs to one encoder.
        keeps_groups: whether samples of one group (`split.group`) stay in one part.
        keeps_mix: whether the primary set, and with it the rest, has the class mix of the training data.
        pool_mix: mix of the pool where ``pool.mix`` is null, see `scar.sampling.pool_mix`.
        refused_mixes: mixes that the pool cannot have under the regime, each with the reason and the way out.
    """

    needs_features: ClassVar[bool] = False
    keeps_groups: ClassVar[bool] = False
    keeps_mix: ClassVar[bool] = False
    pool_mix: ClassVar[str] = "natural"
    refused_mixes: ClassVar[Mapping[str, str]] = {}

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
    keeps_mix: ClassVar[bool] = True
    refused_mixes: ClassVar[Mapping[str, str]] = NOTHING_LACKS

    name: str = "natural"

    def apply(self, split: Split, *, num_classes: int, seed: int, features: Features | None = None) -> Split:
        """Return the split unchanged."""
        return split
