"""A network that nobody has trained: the control that every trained encoder has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.encoders.base import Embed, Encoder
from scar.encoders.devices import resolve_device
from scar.encoders.images import resize_batch
from scar.encoders.learned import Learned


@dataclass(frozen=True, kw_only=True)
class RandomNetwork(Encoder):
    """EfficientNet-Lite0 with its initial weights: the architecture, the input and the size of the trained encoder.

    Attributes:
        resolution: side of the square that the network sees, in pixels.
        seed: of the weights.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, …
    """

    helpers: ClassVar[tuple[str, ...]] = ("scar.encoders.images",)

    name: str = "random_network"
    modality: str = "image"
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int = 112
    seed: int = 0
    device: str = field(default="auto", metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution < 32:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 32, the stride of the network")

    def weights(self) -> list[Path]:
        """Return no files: the weights follow from the seed."""
        return []

    def open(self) -> Embed:
        """Draw the weights."""
        import timm
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        device = resolve_device(self.device)
        model = model.eval().to(device)

        @torch.inference_mode()
        def embed(images: Sequence[Any]) -> NDArray[np.float32]:
            pixels = resize_batch(images, self.resolution).sub_(127.0).div_(128.0)
            features: NDArray[np.float32] = model(pixels.to(device)).float().cpu().numpy()
            return features

        return Learned(embed, parameters=sum(each.numel() for each in model.parameters()))
