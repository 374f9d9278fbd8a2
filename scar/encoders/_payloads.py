"""Payloads in the form that the model libraries read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scar.encoders._images import to_array

Waveform = NDArray[np.float32]


def to_rgb(image: Any) -> Image.Image:
    """Return an image payload (PIL, or uint8 [H, W], [H, W, 1], [H, W, 3]) as an RGB image."""
    array = to_array(image)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3))))


def sample_frames(videos: Sequence[Any], count: int) -> list[NDArray[np.uint8]]:
    """Return `count` frames [count, H, W, 3] of each video, uniform in time and always the same.

    Raises:
        ValueError: a payload is no video or animation.
    """
    for video in videos:
        if not hasattr(video, "frames"):
            raise ValueError(f"a video must be a handle with frames(count), got {type(video).__name__}")
    return [video.frames(count) for video in videos]


def read_audio(sounds: Sequence[Any], rate: int) -> list[Waveform]:
    """Return each sound as mono samples [T] at the rate.

    Raises:
        ValueError: a payload is no sound, or has no samples.
    """
    waves = []
    for sound in sounds:
        if not hasattr(sound, "read"):
            raise ValueError(f"a sound must be a handle with read(rate), got {type(sound).__name__}")
        waves.append(np.asarray(sound.read(rate), np.float32))
        if waves[-1].ndim != 1 or not len(waves[-1]):
            raise ValueError(f"{sound} has no samples")
    return waves


def middle(wave: Waveform, length: int) -> Waveform:
    """Cut a sound to its middle `length` samples; a shorter one stays as it is."""
    start = max(len(wave) - length, 0) // 2
    return wave[start : start + length]


def repeat_to(wave: Waveform, length: int) -> Waveform:
    """Repeat a sound until it has `length` samples, the last repetition cut."""
    return np.tile(wave, -(-length // len(wave)))[:length]
