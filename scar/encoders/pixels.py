"""The pixels themselves: no weights, instant, for tests and as a floor for other encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._images import to_array
from scar.encoders.encoder import Embed, Encoder


@dataclass(frozen=True, kw_only=True)
class Pixels(Encoder):
    """Images of one size, flattened row by row and scaled from 0..255 to 0..1."""

    name: str = "pixels"
    modality: str = "image"
    batch_size: int = field(default=1024, metadata={"runtime": True})

    def weights(self) -> list[Path]:
        """Return no files: there are no weights."""
        return []

    def open(self) -> Embed:
        """Return the function that flattens a batch."""
        return flatten


def flatten(images: Sequence[Any]) -> NDArray[np.float32]:
    """Return images of one size as rows [B, H·W·C] of numbers in 0..1."""
    arrays = [to_array(image) for image in images]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(f"encoder=pixels needs images of one size, got {shapes[0]} and {shapes[1]}")
    return (np.stack(arrays).reshape(len(arrays), -1) / np.float32(255)).astype(np.float32)
