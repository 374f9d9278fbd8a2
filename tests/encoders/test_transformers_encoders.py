"""Each family of transformers against the library's own call, on tiny random weights saved by `save_pretrained`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_families import (
    make_bert,
    make_clap,
    make_clip,
    make_dinov2,
    make_gpt2,
    make_resnet,
    make_roberta,
    make_siglip,
    make_vit,
    make_xclip,
)
from tiny_models import TEXTS, sounds, videos, with_changed

from scar.encoders.encoder import Embed
from scar.encoders.transformers_pair import TransformersPair
from scar.encoders.transformers_text import TransformersText
from scar.encoders.transformers_vision import TransformersVision
from scar.studies.common import compose_config

Folder = pytest.TempPathFactory


def text_encoder(folder: Path, **settings: Any) -> Embed:
    return TransformersText(name="tiny", model="tiny", folder=str(folder), **settings).open()


def image_encoder(folder: Path, **settings: Any) -> Embed:
    return TransformersVision(name="tiny", model="tiny", folder=str(folder), **settings).open()


def tower(folder: Path, modality: str, **settings: Any) -> Embed:
    both = TransformersPair(name="tiny", modality=f"{modality}+text", model="tiny", folder=str(folder), **settings)
    return both.towers()[modality].open()


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def in_any_order(embed: Embed, payloads: list[Any], expected: np.ndarray, tolerance: float = 1e-5) -> None:
    """The embeddings are the expected ones, whatever the order and size of the batches, and differ among themselves."""
    together = embed(payloads)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, expected, atol=tolerance)
    np.testing.assert_allclose(embed(payloads[::-1])[::-1], expected, atol=tolerance)
    np.testing.assert_allclose(np.concatenate([embed([each]) for each in payloads]), expected, atol=tolerance)
    assert np.abs(expected[0] - expected[1]).max() > 100 * tolerance


# Texts ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bert(tmp_path_factory: Folder) -> Path:
    return make_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: Folder) -> Path:
    return make_roberta(tmp_path_factory.mktemp("roberta"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: Folder) -> Path:
    return make_gpt2(tmp_path_factory.mktemp("gpt2"))


def library_states(folder: Path, text: str, **options: Any) -> np.ndarray:
    """States [L, D] of one text alone, by the library."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    with torch.inference_mode():
        return np.asarray(model(**tokenizer(text, return_tensors="pt", **options)).last_hidden_state[0])


@pytest.mark.parametrize(
    ("family", "pooling", "row"),
    [
        ("bert", "cls", lambda states: states[0]),
        ("roberta", "cls", lambda states: states[0]),
        ("gpt2", "last", lambda states: states[-1]),
        ("bert", "mean", lambda states: states.mean(axis=0)),
    ],
)
def test_a_text_is_embedded_as_the_library_does(
    request: pytest.FixtureRequest, family: str, pooling: str, row: Any
) -> None:
    folder = request.getfixturevalue(family)
    expected = np.stack([row(library_states(folder, text)) for text in TEXTS])
    in_any_order(text_encoder(folder, pooling=pooling, max_tokens=60), TEXTS, expected)
    other = {"cls": "mean", "last": "cls", "mean": "last"}[pooling]
    assert np.abs(text_encoder(folder, pooling=other, max_tokens=60)(TEXTS) - expected).max() > 1e-2


def test_bge_small_is_the_first_token_of_length_one(bert: Path) -> None:
    encoder = compose_config(
        ["dataset=ag_news", "encoder=bge_small", f"encoder.folder={bert}", "encoder.max_tokens=60"]
    )
    expected = np.stack([library_states(bert, text)[0] for text in TEXTS])
    in_any_order(encoder.encoder.open(), TEXTS, unit(expected))


def test_the_reference_pooling_reads_the_last_position_after_padding(gpt2: Path) -> None:
    padded = {"padding": "max_length", "max_length": 40, "truncation": True}
    expected = np.stack([library_states(gpt2, text, **padded)[-1] for text in TEXTS])
    in_any_order(text_encoder(gpt2, pooling="reference", max_tokens=40), TEXTS, expected)
    assert np.abs(text_encoder(gpt2, pooling="last", max_tokens=40)(TEXTS) - expected).max() > 1e-2


def test_long_texts_are_cut_and_too_many_tokens_refused(bert: Path) -> None:
    cut = text_encoder(bert, max_tokens=5)(TEXTS)
    expected = np.stack([library_states(bert, text, truncation=True, max_length=5)[0] for text in TEXTS])
    np.testing.assert_allclose(cut, expected, atol=1e-5)
    assert np.abs(cut[1] - library_states(bert, TEXTS[1])[0]).max() > 1e-2
    with pytest.raises(
        ValueError, match=r"encoder\.max_tokens=512 exceeds the 64 positions .*set encoder\.max_tokens=64"
    ):
        text_encoder(bert)


def test_a_text_without_tokens_has_no_embedding(gpt2: Path) -> None:
    rows = text_encoder(gpt2, pooling="last", max_tokens=60)(["", "a cat"])
    assert np.isnan(rows[0]).all()
    assert np.isfinite(rows[1]).all()


def test_embeddings_can_be_scaled_to_length_one_and_computed_in_half_precision(bert: Path) -> None:
    full = text_encoder(bert, max_tokens=60, normalize=True)(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(full, axis=1), 1, atol=1e-6)
    half = text_encoder(bert, max_tokens=60, normalize=True, precision="bfloat16")(TEXTS)
    assert 1e-5 < np.abs(half - full).max() < 0.1


def test_weights_without_a_needed_parameter_are_refused(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = with_changed(bert, tmp_path / "less", "config.json", lambda config: None)
    state = load_file(folder / "model.safetensors")
    state.pop("encoder.layer.1.output.dense.weight")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks encoder\.layer\.1\.output\.dense\.weight, which encoder=tiny needs"):
        text_encoder(folder, max_tokens=60)


# Images --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: Folder) -> Path:
    return make_resnet(tmp_path_factory.mktemp("resnet"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: Folder) -> Path:
    return make_vit(tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: Folder) -> Path:
    return make_dinov2(tmp_path_factory.mktemp("dinov2"))


def library_images(folder: Path, kind: str, images: list[Image.Image]) -> np.ndarray:
    import torch
    import transformers

    model = getattr(transformers, kind).from_pretrained(folder).eval()
    pixels = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(images, return_tensors="pt")
    with torch.inference_mode():
        output = model(**pixels)
        return (output.pooler_output.flatten(1) if kind == "ResNetModel" else output.last_hidden_state[:, 0]).numpy()


@pytest.mark.parametrize(
    ("family", "kind", "pooling"),
    [("resnet", "ResNetModel", "pooled"), ("vit", "ViTModel", "cls"), ("dinov2", "Dinov2Model", "cls")],
)
def test_an_image_is_embedded_as_the_library_does_and_not_with_another_mean(
    request: pytest.FixtureRequest, photographs: list[Image.Image], tmp_path: Path, family: str, kind: str, pooling: str
) -> None:
    folder = request.getfixturevalue(family)
    expected = library_images(folder, kind, photographs)
    in_any_order(image_encoder(folder, pooling=pooling), photographs, expected)
    np.testing.assert_allclose(
        image_encoder(folder, pooling=pooling)([np.asarray(photographs[0])])[0], expected[0], atol=1e-5
    )

    changed = with_changed(folder, tmp_path / "x", "preprocessor_config.json", lambda c: c.update(image_mean=[0.6] * 3))
    assert np.abs(image_encoder(changed, pooling=pooling)(photographs) - expected).max() > 1e-2


def test_a_grey_image_has_three_equal_channels(vit: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    embed = image_encoder(vit)
    np.testing.assert_array_equal(embed([grey]), embed([np.stack([grey] * 3, axis=2)]))


def test_a_pooling_that_the_model_has_not_is_refused(resnet: Path, photographs: list[Image.Image]) -> None:
    with pytest.raises(ValueError, match=r"holds no tokens; use encoder\.pooling=pooled"):
        image_encoder(resnet, pooling="cls")(photographs)
    with pytest.raises(ValueError, match=r"encoder\.pooling='max' is unknown; use one of cls, mean, pooled"):
        image_encoder(resnet, pooling="max")


# Pairs ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: Folder) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: Folder) -> Path:
    return make_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="module")
def xclip(tmp_path_factory: Folder) -> Path:
    return make_xclip(tmp_path_factory.mktemp("xclip"))


@pytest.fixture(scope="module")
def clap(tmp_path_factory: Folder) -> Path:
    return make_clap(tmp_path_factory.mktemp("clap"))


def library_pair(folder: Path, kind: str, method: str, inputs: dict[str, Any]) -> np.ndarray:
    import torch
    import transformers

    model = getattr(transformers, kind).from_pretrained(folder).eval()
    with torch.inference_mode():
        return unit(getattr(model, method)(**inputs).pooler_output.numpy())


@pytest.mark.parametrize(
    ("family", "kind", "settings", "options"),
    [
        ("clip", "CLIPModel", {}, {"padding": True, "truncation": True}),
        ("siglip", "SiglipModel", {"padding": "max_length", "max_tokens": 16}, {"padding": "max_length"}),
        ("xclip", "XCLIPModel", {}, {"padding": True, "truncation": True}),
        ("clap", "ClapModel", {}, {"padding": True, "truncation": True}),
    ],
)
def test_texts_of_a_joint_model_are_embedded_as_the_library_does(
    request: pytest.FixtureRequest, family: str, kind: str, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    from transformers import AutoTokenizer

    folder = request.getfixturevalue(family)
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS, return_tensors="pt", **options)
    expected = library_pair(folder, kind, "get_text_features", dict(tokens))
    in_any_order(tower(folder, "text", **settings), TEXTS, expected)


def test_texts_of_siglip_differ_where_the_padding_is_not_that_of_its_training(siglip: Path) -> None:
    fixed = tower(siglip, "text", padding="max_length", max_tokens=16)(TEXTS)
    assert np.abs(tower(siglip, "text", padding="longest")(TEXTS) - fixed).max() > 1e-2


@pytest.mark.parametrize(("family", "kind"), [("clip", "CLIPModel"), ("siglip", "SiglipModel")])
def test_images_of_a_joint_model_are_embedded_as_the_library_does_and_not_with_another_mean(
    request: pytest.FixtureRequest, photographs: list[Image.Image], tmp_path: Path, family: str, kind: str
) -> None:
    from transformers import AutoImageProcessor

    folder = request.getfixturevalue(family)
    pixels = AutoImageProcessor.from_pretrained(folder, backend="pil")(photographs, return_tensors="pt")
    expected = library_pair(folder, kind, "get_image_features", dict(pixels))
    in_any_order(tower(folder, "image"), photographs, expected)
    changed = with_changed(folder, tmp_path / "x", "preprocessor_config.json", lambda c: c.update(image_std=[0.9] * 3))
    assert np.abs(tower(changed, "image")(photographs) - expected).max() > 1e-2


def test_videos_of_xclip_are_embedded_as_the_library_does_from_uniform_frames(xclip: Path, tmp_path: Path) -> None:
    from transformers import AutoImageProcessor

    clips = videos()
    processor = AutoImageProcessor.from_pretrained(xclip, backend="pil")
    uniform, first = ([list(clip.pictures[places]) for clip in clips] for places in ([2, 7, 12, 17], [0, 1, 2, 3]))
    inputs = dict(processor(uniform, return_tensors="pt"))
    assert inputs["pixel_values"].shape == (3, 4, 3, 32, 32)
    expected = library_pair(xclip, "XCLIPModel", "get_video_features", inputs)
    in_any_order(tower(xclip, "video"), clips, expected)
    consecutive = library_pair(xclip, "XCLIPModel", "get_video_features", dict(processor(first, return_tensors="pt")))
    assert np.abs(consecutive - expected).max() > 1e-3
    changed = with_changed(xclip, tmp_path / "x", "preprocessor_config.json", lambda c: c.update(image_mean=[0.9] * 3))
    assert np.abs(tower(changed, "video")(clips) - expected).max() > 1e-3


def test_sounds_of_clap_are_embedded_as_the_library_does_and_long_ones_cut_to_the_middle(
    clap: Path, tmp_path: Path
) -> None:
    from transformers import ClapFeatureExtractor

    clips = sounds([4000, 1500, 3999, 9000])
    waves = [*(clip.wave for clip in clips[:3]), clips[3].wave[2500:6500]]
    extractor = ClapFeatureExtractor.from_pretrained(clap)
    inputs = dict(extractor(waves, sampling_rate=4000, return_tensors="pt"))
    expected = library_pair(clap, "ClapModel", "get_audio_features", inputs)
    in_any_order(tower(clap, "audio"), clips, expected)
    changed = with_changed(clap, tmp_path / "x", "preprocessor_config.json", lambda c: c.update(padding="pad"))
    assert np.abs(tower(changed, "audio")(clips) - expected)[1].max() > 1e-3


def test_a_model_of_clap_that_draws_at_random_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"drawn at random.*laion/clap-htsat-unfused"):
        tower(make_clap(tmp_path, fused=True), "audio")


def test_a_joint_model_is_used_one_tower_at_a_time(clip: Path) -> None:
    both = TransformersPair(name="clip", modality="image+text", model="tiny", folder=str(clip))
    assert set(both.towers()) == {"image", "text"}
    assert both.towers()["text"].modality == "text"
    for method in (both.open, both.weights):
        with pytest.raises(ValueError, match=r"encoder=clip has towers for image\+text; take one of encoder\.towers"):
            method()
    with pytest.raises(ValueError, match=r"tiny has no tower for encoder\.modality=audio"):
        tower(clip, "audio")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "float8"}, r"encoder\.precision='float8' is unknown; use one of float32, bfloat16, float16"),
        ({"modality": "image+smell"}, r"encoder\.modality='image\+smell' must be of image, text, audio, video"),
        ({"padding": "left"}, r"encoder\.padding='left' is unknown; use one of longest, max_length"),
        ({"max_tokens": 0}, r"encoder\.max_tokens=0"),
        ({"model": ""}, r"encoder\.model=''"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformersPair(**{"name": "x", "model": "x", "modality": "image+text", **settings})
