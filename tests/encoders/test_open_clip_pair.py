"""open_clip against its own calls, on a tiny random CoCa and CLIP in the files that open_clip pushes to the hub."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_families import COCA, OPEN_CLIP, make_open_clip
from tiny_models import TEXTS, with_changed

from scar.encoders.open_clip_pair import OpenClipPair

open_clip = pytest.importorskip("open_clip")


@pytest.fixture(scope="module", params=["coca", "clip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = {"coca": COCA, "clip": OPEN_CLIP}[request.param]
    return make_open_clip(tmp_path_factory.mktemp(request.param), card)


def library(folder: Path, modality: str, payloads: list[Any]) -> np.ndarray:
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    with torch.inference_mode():
        if modality == "text":
            return model.eval().encode_text(tokenizer(payloads), normalize=True).numpy()
        return model.eval().encode_image(torch.stack([transform(each) for each in payloads]), normalize=True).numpy()


def tower(folder: Path, modality: str, **settings: Any) -> OpenClipPair:
    return OpenClipPair(name="tiny", model="tiny", folder=str(folder), **settings).towers()[modality]


@pytest.mark.parametrize("modality", ["image", "text"])
def test_a_tower_embeds_as_the_library_does_in_any_order(
    folder: Path, photographs: list[Image.Image], modality: str
) -> None:
    payloads: list[Any] = photographs if modality == "image" else TEXTS
    expected = library(folder, modality, payloads)
    embed = tower(folder, modality).open()
    rows = embed(payloads)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([embed([each]) for each in payloads[::-1]])[::-1], expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


def test_another_mean_makes_another_embedding(folder: Path, photographs: list[Image.Image], tmp_path: Path) -> None:
    change = lambda card: card["preprocess_cfg"].update(mean=[0.9, 0.1, 0.6])  # noqa: E731
    changed = with_changed(folder, tmp_path / "x", "open_clip_config.json", change)
    difference = tower(changed, "image").open()(photographs) - tower(folder, "image").open()(photographs)
    assert np.abs(difference).max() > 1e-3


def test_half_precision_is_near_and_not_the_same(folder: Path) -> None:
    full, half = (tower(folder, "text", precision=each).open()(TEXTS) for each in ("float32", "bfloat16"))
    assert 0 < np.abs(half - full).max() < 0.1


def test_weights_that_lack_a_parameter_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    changed = with_changed(folder, tmp_path / "x", "open_clip_config.json", lambda card: None)
    state = load_file(changed / "open_clip_model.safetensors")
    state.pop("visual.conv1.weight")
    save_file(state, changed / "open_clip_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"(?s)does not hold the weights of its configuration.*visual\.conv1\.weight"):
        tower(changed, "image").open()


def test_a_tokenizer_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    change = lambda card: card["model_cfg"]["text_cfg"].update(hf_tokenizer_name="someone/words")  # noqa: E731
    changed = with_changed(folder, tmp_path / "x", "open_clip_config.json", change)
    with pytest.raises(FileNotFoundError, match=r"does not hold tokenizer\.json.*someone/words"):
        tower(changed, "text").open()


def test_a_name_and_tag_become_an_id_at_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sought = []
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path)
    monkeypatch.setattr(
        "scar.encoders.open_clip_pair.pretrained_files", lambda model, *rest: sought.append(model) or []
    )
    settings = {"name": "x", "modality": "image"}
    OpenClipPair(model="coca_ViT-B-32", pretrained="laion2b_s13b_b90k", **settings).weights()
    OpenClipPair(model="someone/something", **settings).weights()
    assert sought == ["laion/CoCa-ViT-B-32-laion2B-s13B-b90k", "someone/something"]
    with pytest.raises(ValueError, match=r"encoder\.pretrained=laion3b of encoder\.model=ViT-B-32 .*laion2b_s34b_b79k"):
        OpenClipPair(model="ViT-B-32", pretrained="laion3b", **settings).weights()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "ViT-B-32"}, r"give a name of open_clip with a tag"),
        ({"model": "someone/something", "pretrained": "tag"}, r"or owner/name of the hub without one"),
        ({"model": "someone/something", "modality": "image+audio"}, r"must be image, text or image\+text"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpenClipPair(name="x", **settings)


def test_both_towers_at_once_are_refused(folder: Path) -> None:
    both = OpenClipPair(name="coca", model="tiny", folder=str(folder))
    for method in (both.open, both.weights):
        with pytest.raises(ValueError, match=r"encoder=coca has towers for image\+text"):
            method()
