"""What encoders that learn from the training part share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.encoders.encoder import Embed, Encoder


@dataclass(frozen=True, eq=False)
class Learned:
    """A function from payloads to embeddings that knows its size.

    Attributes:
        embed: from [B] payloads to [B, D] embeddings.
        parameters: numbers that were learned.
    """

    embed: Embed
    parameters: int

    def __call__(self, payloads: Sequence[Any]) -> NDArray[np.float32]:
        """Embed a batch."""
        return self.embed(payloads)


@dataclass(frozen=True, kw_only=True)
class LearningEncoder(Encoder):
    """An encoder without weights: what it knows it learns from the training part of the source, without labels.

    Attributes:
        dimension: of the embeddings, smaller where there is less to learn from.
        fit_samples: training samples that it learns from at most, drawn from `seed`; None takes all.
        seed: of that draw and of the randomised decomposition.
    """

    learns: ClassVar[bool] = True

    batch_size: int = field(default=1024, metadata={"runtime": True})
    dimension: int = 64
    fit_samples: int | None = None
    seed: int = 0

    def weights(self) -> list[Path]:
        """Return no files."""
        return []

    def open(self) -> Embed:
        """Raise: there is nothing to open before `fit`."""
        raise ValueError(f"encoder={self.name} learns from the training part of a source; use fit({self.modality}s)")


def drawn(payloads: Sequence[Any], most: int | None, seed: int) -> list[Any]:
    """Return all payloads, or as many as are wanted, drawn without replacement and left in their order.

    Raises:
        ValueError: there are none, or none are wanted.
    """
    if not len(payloads) or (most is not None and most < 1):
        raise ValueError(f"encoder.fit_samples={most} of {len(payloads)} training samples: at least 1 is needed")
    if most is None or most >= len(payloads):
        return [payloads[row] for row in range(len(payloads))]
    rows = np.sort(generator(seed, "encoder fit").choice(len(payloads), most, replace=False))
    return [payloads[int(row)] for row in rows]


def require_positive(encoder: object, *names: str) -> None:
    """Check that fields of an encoder are at least 1.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        if getattr(encoder, name) < 1:
            raise ValueError(f"encoder.{name}={getattr(encoder, name)} must be at least 1")
