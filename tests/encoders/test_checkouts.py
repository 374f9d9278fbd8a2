"""Adapters of authors' code: stand-in checkouts in the shape of the real ones, with tiny random weights."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkouts import VIDEOCLIP, imported, make_pengi, make_videoclip
from tiny_models import TEXTS, sounds, videos

from scar.encoders.encoder import Encoder
from scar.encoders.pengi import Pengi
from scar.encoders.videoclip_xl import VideoClipXL


@pytest.fixture(scope="module")
def videoclip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A checkout with its weights, and the model of these weights."""
    folder = tmp_path_factory.mktemp("videoclip")
    return folder, make_videoclip(folder)


@pytest.fixture(scope="module")
def pengi(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any, Any, Any]:
    """A checkout with its weights, a tokenizer, and the three models of these weights."""
    folder, words = tmp_path_factory.mktemp("pengi"), tmp_path_factory.mktemp("words")
    return folder, words, *make_pengi(folder, words)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def in_any_order(encoder: Encoder, payloads: list[Any], expected: np.ndarray) -> None:
    embed = encoder.open()
    rows = embed(payloads)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([embed([each]) for each in payloads[::-1]])[::-1], expected, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


def videoclip_tower(folder: Path, modality: str, **settings: Any) -> Encoder:
    return VideoClipXL(folder=str(folder), **settings).towers()[modality]


def pengi_tower(folder: Path, words: Path, modality: str, **settings: Any) -> Encoder:
    return Pengi(folder=str(folder), tokenizer_folder=str(words), **settings).towers()[modality]


def test_videos_of_videoclip_xl_are_normalised_squares_of_uniform_frames(videoclip: tuple[Path, Any]) -> None:
    import torch

    folder, model = videoclip
    clips = videos(3, 16, (224, 224))
    frames = np.stack([clip.pictures[1::2] for clip in clips]) / 255
    pixels = (frames - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    inputs = torch.tensor(pixels, dtype=torch.float32).permute(0, 1, 4, 2, 3)
    with torch.inference_mode():
        expected = unit(model.vision_model.get_vid_features(inputs).numpy())
        plain = unit(model.vision_model.get_vid_features(inputs * 0.229 + 0.485).numpy())
    in_any_order(videoclip_tower(folder, "video"), clips, expected)
    assert np.abs(plain - expected).max() > 1e-2
    assert np.abs(videoclip_tower(folder, "video", frames=4).open()(clips) - expected).max() > 1e-2


def test_frames_are_scaled_as_opencv_does(videoclip: tuple[Path, Any]) -> None:
    from scar.encoders.videoclip_xl import _pixels

    ramp = np.repeat(np.arange(0, 224, 2, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(50, axis=0)
    row = (_pixels([ramp[None]])[0, 0, 0, 0] * 0.229 + 0.485) * 255
    exact = np.clip(np.arange(224) - 0.5, 0, 222)  # neighbours at distances 1/4 and 3/4, in steps of 2
    assert np.abs(row.numpy() - exact).max() <= 0.5 + 1e-3


def test_texts_of_videoclip_xl_are_tokenised_by_the_authors(videoclip: tuple[Path, Any]) -> None:
    import torch

    folder, model = videoclip
    tokens = imported(folder, "utils.text_encoder.text_encoder").tokenize(TEXTS, truncate=True)
    with torch.inference_mode():
        expected = unit(model.text_model.encode_text(tokens).numpy())
    in_any_order(videoclip_tower(folder, "text"), TEXTS, expected)


@pytest.mark.parametrize("normalize", [True, False])
def test_sounds_of_pengi_are_repeated_or_cut_to_the_middle(pengi: Any, normalize: bool) -> None:
    import torch

    folder, words, audio, _, _ = pengi
    clips = sounds([700, 300, 1000])
    waves = [clips[0].wave, np.tile(clips[1].wave, 3)[:700], clips[2].wave[150:850]]
    with torch.inference_mode():
        expected = audio(torch.tensor(np.stack(waves)))[0].numpy()
        start = audio(torch.tensor(clips[2].wave[None, :700]))[0].numpy()
    in_any_order(
        pengi_tower(folder, words, "audio", normalize=normalize), clips, unit(expected) if normalize else expected
    )
    assert np.abs(start[0] - expected[2]).max() > 1e-3


def test_texts_of_pengi_go_through_the_text_part_of_clip(pengi: Any) -> None:
    import torch
    from transformers import AutoTokenizer

    folder, words, _, clip, projection = pengi
    options = {"padding": True, "truncation": True, "max_length": 20, "return_tensors": "pt"}
    tokens = AutoTokenizer.from_pretrained(words)(TEXTS, **options)
    with torch.inference_mode():
        expected = projection(clip.get_text_features(**tokens).pooler_output).numpy()
        longer = AutoTokenizer.from_pretrained(words)(TEXTS, **{**options, "max_length": 30})
        uncut = projection(clip.get_text_features(**longer).pooler_output).numpy()
    in_any_order(pengi_tower(folder, words, "text", normalize=False), TEXTS, expected)
    assert np.abs(uncut - expected).max() > 1e-3


def test_the_names_of_a_checkout_are_not_left_behind(
    videoclip: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = type(sys)("utils")
    monkeypatch.setitem(sys.modules, "utils", marker)
    before = list(sys.path)
    videoclip_tower(videoclip[0], "text").open()(TEXTS)
    assert sys.modules["utils"] is marker
    assert "modeling" not in sys.modules
    assert sys.path == before


def test_the_code_of_the_checkout_is_part_of_the_key(videoclip: tuple[Path, Any], pengi: Any) -> None:
    names = {path.name for path in videoclip_tower(videoclip[0], "video").weights()}
    assert {"VideoCLIP-XL.bin", "modeling.py", "text_encoder.py"} <= names
    audio, text = (pengi_tower(*pengi[:2], modality).weights() for modality in ("audio", "text"))
    assert {"base.pth", "base.yml", "pengi.py"} <= {path.name for path in audio}
    assert {path.name for path in text} - {path.name for path in audio} >= {"tokenizer.json", "config.json"}


def lose(path: Path, key: str) -> None:
    import torch

    content = torch.load(path, weights_only=True)
    state = content.get("model", content)
    state.pop(key)
    torch.save(content, path)


@pytest.mark.parametrize("modality", ["video", "text"])
def test_a_parameter_that_videoclip_xl_needs_must_be_there_and_no_other(
    videoclip: tuple[Path, Any], tmp_path: Path, modality: str
) -> None:
    import shutil

    folder = Path(shutil.copytree(videoclip[0], tmp_path / "x"))
    key = {"video": "vision_model.patches.weight", "text": "text_model.words.weight"}
    lose(folder / "VideoCLIP-XL.bin", key[modality])
    with pytest.raises(ValueError, match=rf"VideoCLIP-XL\.bin lacks {key[modality]}, which encoder=videoclip_xl needs"):
        videoclip_tower(folder, modality).open()
    videoclip_tower(folder, {"video": "text", "text": "video"}[modality]).open()


@pytest.mark.parametrize(
    ("modality", "key"),
    [("audio", "audio_encoder.base.linear.bias"), ("text", "caption_encoder.clip_text_projection.weight")],
)
def test_a_parameter_that_pengi_needs_must_be_there(pengi: Any, tmp_path: Path, modality: str, key: str) -> None:
    import shutil

    folder = Path(shutil.copytree(pengi[0], tmp_path / "x"))
    lose(folder / "configs" / "base.pth", f"module.{key}")
    with pytest.raises(ValueError, match=rf"base\.pth lacks {key}, which encoder=pengi needs"):
        pengi_tower(folder, pengi[1], modality).open()


def test_weights_that_are_no_tensors_are_not_unpickled(videoclip: tuple[Path, Any], tmp_path: Path) -> None:
    import pickle
    import shutil

    folder = Path(shutil.copytree(videoclip[0], tmp_path / "x"))
    (folder / "VideoCLIP-XL.bin").write_bytes(pickle.dumps({"a": Path("b")}, protocol=2))
    with pytest.raises(ValueError, match=r"VideoCLIP-XL\.bin does not hold the weights of a model"):
        videoclip_tower(folder, "text").open()


def test_a_package_that_the_checkout_imports_is_named_with_the_cure(
    videoclip: tuple[Path, Any], tmp_path: Path
) -> None:
    import shutil

    folder = Path(shutil.copytree(videoclip[0], tmp_path / "x"))
    (folder / "modeling.py").write_text("import cv2_is_absent\n" + VIDEOCLIP["modeling.py"])
    with pytest.raises(ImportError, match=r"imports cv2_is_absent; pip install cv2_is_absent"):
        videoclip_tower(folder, "text").open()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda path: VideoClipXL(modality="text").weights(), FileNotFoundError,
         r"git clone https://huggingface\.co/alibaba-pai/VideoCLIP-XL .*encoder\.folder=PATH"),
        (lambda path: Pengi(modality="audio").weights(), FileNotFoundError, r"github\.com/microsoft/Pengi.*zenodo"),
        (lambda path: Pengi(modality="audio", folder=str(path)).weights(), FileNotFoundError,
         r"does not hold configs/base\.pth, configs/base\.yml, models/pengi\.py; git clone"),
        (lambda path: VideoClipXL(folder=str(path)).open(), ValueError, r"has towers for video\+text"),
        (lambda path: Pengi(folder=str(path)).open(), ValueError, r"has towers for audio\+text"),
        (lambda path: VideoClipXL(modality="image"), ValueError, r"must be video, text or video\+text"),
        (lambda path: Pengi(modality="image"), ValueError, r"must be audio, text or audio\+text"),
        (lambda path: VideoClipXL(frames=0), ValueError, r"encoder\.frames=0"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_with_the_place_to_get_it(
    tmp_path: Path, make: Callable[[Path], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(tmp_path)
