"""timm against its own calls, on tiny random weights saved by `save_for_hf` or as a state dict."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_models import with_changed

from scar.encoders import _weights as hub
from scar.encoders.timm_image import TimmImage

CARD = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25), "crop_pct": 0.8, "interpolation": "bilinear"}


def make(folder: Path, name: str, **options: Any) -> Path:
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=5, **options)
    timm.models.save_for_hf(model, folder, model_args=options, safe_serialization=True)
    content = json.loads((folder / "config.json").read_text())
    content["pretrained_cfg"].update(CARD, input_size=(3, 64, 64))
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("net"), "lcnet_050")


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"img_size": 64, "patch_size": 16, "depth": 1, "embed_dim": 24, "num_heads": 2}
    return make(tmp_path_factory.mktemp("vit"), "vit_tiny_patch16_224", **options)


def library(folder: Path, images: list[Image.Image], side: int = 64, **options: Any) -> np.ndarray:
    import timm
    import torch
    from torchvision import transforms

    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0, **options).eval()
    steps = [transforms.Resize(int(side / CARD["crop_pct"]), transforms.InterpolationMode.BILINEAR)]
    steps += [transforms.CenterCrop(side), transforms.ToTensor(), transforms.Normalize(CARD["mean"], CARD["std"])]
    with torch.inference_mode():
        return model(torch.stack([transforms.Compose(steps)(image) for image in images])).numpy()


def encoder(folder: Path, **settings: Any) -> TimmImage:
    return TimmImage(name="tiny", model=settings.pop("model", "tiny"), folder=str(folder), **settings)


@pytest.mark.parametrize("family", ["convolutional", "transformer"])
def test_an_image_is_embedded_as_the_library_does_in_any_order_and_not_with_another_mean(
    request: pytest.FixtureRequest, photographs: list[Image.Image], tmp_path: Path, family: str
) -> None:
    folder = request.getfixturevalue(family)
    expected = library(folder, photographs)
    embed = encoder(folder).open()
    rows = embed(photographs)
    assert rows.dtype == np.float32
    scale = np.abs(expected).max()
    np.testing.assert_allclose(rows, expected, atol=1e-5 * scale)
    np.testing.assert_allclose(np.concatenate([embed([each]) for each in photographs]), expected, atol=1e-5 * scale)
    np.testing.assert_allclose(embed(photographs[::-1])[::-1], expected, atol=1e-5 * scale)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * scale

    change = lambda card: card["pretrained_cfg"].update(mean=[0.1, 0.5, 0.6])  # noqa: E731
    changed = with_changed(folder, tmp_path / "x", "config.json", change)
    assert np.abs(encoder(changed).open()(photographs) - expected).max() > 1e-3 * scale


def test_another_resolution_interpolates_the_positions(transformer: Path, photographs: list[Image.Image]) -> None:
    rows = encoder(transformer, resolution=96).open()(photographs)
    np.testing.assert_allclose(rows, library(transformer, photographs, 96, img_size=96), atol=1e-5)
    assert np.abs(rows - library(transformer, photographs)).max() > 1e-3


def test_a_file_with_a_state_dict_will_do(tmp_path: Path, photographs: list[Image.Image]) -> None:
    import timm
    import torch

    model = timm.create_model("lcnet_050", pretrained=False)
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    chosen = encoder(tmp_path / "weights.pth", model="lcnet_050")
    assert chosen.weights() == [tmp_path / "weights.pth"]
    model.reset_classifier(0)
    card = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**card, is_training=False)
    with torch.inference_mode():
        expected = model.eval()(torch.stack([transform(image) for image in photographs])).numpy()
    np.testing.assert_allclose(chosen.open()(photographs), expected, rtol=1e-4, atol=1e-6)
    torch.save({"conv_stem.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth does not hold the weights of encoder\.model=lcnet_050"):
        encoder(tmp_path / "other.pth", model="lcnet_050").open()


def test_half_precision_is_near_and_not_the_same(convolutional: Path, photographs: list[Image.Image]) -> None:
    full = encoder(convolutional).open()(photographs)
    half = encoder(convolutional, precision="bfloat16").open()(photographs)
    assert 0 < np.abs(half - full).max() < 0.1 * np.abs(full).max()


def test_the_place_of_the_weights_is_asked_of_timm_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sought = []
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    monkeypatch.setattr("scar.encoders.timm_image.pretrained_files", lambda model, *rest: sought.append(model) or [])
    TimmImage(name="x", model="convnext_base").weights()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "timm", None)
        TimmImage(name="x", model="convnext_base").weights()
        TimmImage(name="x", model="hf-hub:someone/something").weights()
    assert sought == ["timm/convnext_base.fb_in22k_ft_in1k"] * 2 + ["someone/something"]
    memo = next(tmp_path.glob("timm-*.json"))
    assert json.loads(memo.read_text())["convnext_base"] == sought[0]
    assert hub.remembered("timm", "other", lambda name: name + "!") == "other!"


def test_an_unknown_model_and_a_bad_resolution_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    with pytest.raises(ValueError, match=r"encoder\.model='convnext_bse' is not a model of timm.*convnext"):
        TimmImage(name="x", model="convnext_bse").weights()
    with pytest.raises(ValueError, match=r"encoder\.resolution=0 must be at least 1"):
        TimmImage(name="x", model="resnet18", resolution=0)


def test_a_model_at_the_hub_is_named_without_its_owner() -> None:
    assert TimmImage(name="hf-hub:someone/something", model="hf-hub:someone/something").name == "something"
