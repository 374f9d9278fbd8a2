"""A network that nobody has trained: the control that every trained encoder has to beat."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scar.encoders._devices import resolve_device
from scar.encoders._learned import Learned
from scar.encoders._pretrained import inference
from scar.encoders.encoder import Embed, Encoder


@dataclass(frozen=True, kw_only=True)
class RandomNetwork(Encoder):
    """EfficientNet-Lite0 with its initial weights: the architecture, the input and the size of the trained encoder.

    Attributes:
        resolution: side of the square that the network sees, in pixels.
        seed: of the weights.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, …
    """

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
        from scar.encoders._efficientnet import draw_model, embedder

        model = draw_model(self.seed).to(resolve_device(self.device))
        parameters = sum(each.numel() for each in model.parameters())
        run = inference(model, lambda inputs: model(inputs["pixels"]))
        return Learned(embedder(run, self.resolution), parameters=parameters)
