"""Videos and animations through an image encoder: the mean and the spread of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._payloads import sample_frames
from scar.encoders.encoder import Embed, Encoder

_CHOOSE = "choose one with encoder@encoder.image=efficientnet_lite0"


@dataclass(frozen=True, kw_only=True)
class Frames(Encoder):
    """The mean of the frames' embeddings, and their standard deviation behind it: [2 D].

    Attributes:
        image: encoder of the frames; its `batch_size` counts frames.
        frames: per video, from the middles of as many equal segments.
    """

    name: str = "frames"
    modality: str = "video"
    batch_size: int = field(default=8, metadata={"runtime": True})
    image: Any = None
    frames: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames < 2:
            raise ValueError(f"encoder.frames={self.frames} must be at least 2: one frame has no spread")
        if self.image is not None:  # it is put in afterwards where a configuration is built
            if not isinstance(self.image, Encoder) or "image" not in self.image.towers():
                raise ValueError(f"encoder.image={self.image!r} must be an encoder of images; {_CHOOSE}")
            object.__setattr__(self, "image", self.image.towers()["image"])

    def weights(self) -> list[Path]:
        """Return the files of the image encoder."""
        return self._image().weights()

    def _image(self) -> Encoder:
        if self.image is None:
            raise ValueError(f"encoder={self.name} has no encoder of images; {_CHOOSE}")
        encoder: Encoder = self.image
        return encoder

    def open(self) -> Embed:
        """Load the image encoder."""
        embed_images, size = self._image().open(), self._image().batch_size

        def embed(videos: Sequence[Any]) -> NDArray[np.float32]:
            pictures = [frame for video in sample_frames(videos, self.frames) for frame in video]
            rows = [embed_images(pictures[start : start + size]) for start in range(0, len(pictures), size)]
            vectors = np.concatenate(rows).reshape(len(videos), self.frames, -1).astype(np.float64)
            return np.concatenate([vectors.mean(axis=1), vectors.std(axis=1)], axis=1).astype(np.float32)

        return embed
