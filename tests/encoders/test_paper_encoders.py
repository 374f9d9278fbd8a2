"""The thirteen encoders of the paper, as their YAMLs compose them: which model, pinned, pooled and prepared how."""

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from tiny_models import TEXTS, bert_tokenizer, save

from scar.config.nodes import make_target
from scar.encoders.encoder import Encoder

PAPER: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet50": ("image", {"model": "microsoft/resnet-50", "pooling": "pooled", "normalize": False}),
    "vit_b16": ("image", {"model": "google/vit-base-patch16-224-in21k", "pooling": "cls", "normalize": False}),
    "dinov2": ("image", {"model": "facebook/dinov2-base", "pooling": "cls", "normalize": False}),
    "bert": ("text", {"model": "google-bert/bert-base-uncased", "pooling": "cls", "max_tokens": 512}),
    "roberta": ("text", {"model": "FacebookAI/roberta-base", "pooling": "cls", "max_tokens": 512}),
    "gpt2": ("text", {"model": "openai-community/gpt2", "pooling": "last", "max_tokens": 512}),
    "clip": ("image+text", {"model": "openai/clip-vit-base-patch32", "padding": "longest", "normalize": True}),
    "coca": ("image+text", {"model": "laion/CoCa-ViT-B-32-laion2B-s13B-b90k", "normalize": True}),
    "siglip": ("image+text", {"model": "google/siglip-base-patch16-224", "padding": "max_length", "max_tokens": 64}),
    "videoclip_xl": ("video+text", {"frames": 8}),
    "xclip": ("video+text", {"model": "microsoft/xclip-base-patch32", "normalize": True}),
    "clap": ("audio+text", {"model": "laion/clap-htsat-unfused", "normalize": True}),
    "pengi": ("audio+text", {"tokenizer": "openai/clip-vit-base-patch16", "normalize": True}),
}


def composed(name: str, *overrides: str) -> Encoder:
    with initialize_config_module("scar.conf", version_base="1.3"):
        node = compose("config", ["dataset=digits", f"encoder={name}", *overrides]).encoder
    encoder: Encoder = make_target(node, "encoder")
    return encoder


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache and a hub that cannot be reached."""
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def unreachable(*args: Any, **options: Any) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=unreachable))


@pytest.mark.parametrize("name", PAPER)
def test_an_encoder_of_the_paper_is_what_it_was_and_pinned(name: str) -> None:
    modality, settings = PAPER[name]
    encoder = composed(name)
    assert encoder.name == name
    assert encoder.modality == modality
    assert {key: getattr(encoder, key) for key in settings} == settings
    assert list(encoder.towers()) == modality.split("+")
    assert name == "videoclip_xl" or re.fullmatch("[0-9a-f]{40}", getattr(encoder, "revision", ""))


@pytest.mark.parametrize("name", PAPER)
def test_without_a_network_every_tower_says_at_once_what_is_missing_and_where_to_get_it(
    offline: None, name: str
) -> None:
    for tower in composed(name).towers().values():
        start = time.monotonic()
        with pytest.raises(FileNotFoundError, match=r"encoder\.folder=PATH") as raised:
            tower.weights()
        assert time.monotonic() - start < 5
        source = getattr(tower, "model", None) or {"videoclip_xl": "alibaba-pai/VideoCLIP-XL", "pengi": "Pengi"}[name]
        assert source in str(raised.value)


@pytest.mark.parametrize("name", ["transformers_text", "transformers_vision", "transformers_pair", "open_clip", "timm"])
def test_a_generic_encoder_is_named_by_its_model_in_tables(name: str) -> None:
    encoder = composed(name, "encoder.model=someone/something", *(["encoder.pretrained=null"] * (name == "open_clip")))
    assert encoder.name == "something"


def test_the_parts_of_a_pair_and_the_images_of_frames_can_be_chosen() -> None:
    chosen = composed("frames_minilm", "encoder@encoder.video.image=pixels", "encoder@encoder.text=bert").towers()
    assert chosen["video"].image == composed("pixels")  # type: ignore[attr-defined]
    assert chosen["text"] == composed("bert")
    assert list(composed("lite0_minilm").towers()) == ["image", "text"]
    assert composed("speech_minilm").towers() == {"audio": composed("speech"), "text": composed("minilm")}
    assert composed("frames", "encoder@encoder.image=clip").image.modality == "image"  # type: ignore[attr-defined]


def test_a_folder_takes_the_place_of_the_hub_from_the_command_line(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    bert_tokenizer(tmp_path)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
    save(BertModel(BertConfig(vocab_size=12, **sizes)), tmp_path)
    rows = composed("bert", f"encoder.folder={tmp_path}").open()(TEXTS)
    assert rows.shape == (4, 32)
    assert np.isfinite(rows).all()


def test_the_weights_are_found_without_importing_a_model_library(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}")
    code = f"""
import sys
from scar.encoders.transformers_pair import TransformersPair
from scar.encoders.timm_image import TimmImage
both = TransformersPair(name="x", model="x", modality="image+text", folder={str(tmp_path)!r})
print([len(tower.weights()) for tower in both.towers().values()])
print(len(TimmImage(name="x", model="x", folder={str(tmp_path)!r}).weights()))
print([name for name in ("torch", "transformers", "timm", "open_clip") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["[4, 4]", "4", "[]"]
