"""Media written at test time, each with content that a test can recognise after decoding."""

from pathlib import Path

import numpy as np


def write_image(path: Path, colour: tuple[int, ...] = (200, 40, 90), size: tuple[int, int] = (40, 30)) -> Path:
    """A picture of one colour; the suffix of the path decides the format, three or four numbers the mode."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if len(colour) == 3 else "RGBA", size, colour).save(path)
    return path


def write_noise(path: Path, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
    """A picture that does not compress, so that cutting its file loses pixels."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_video(
    path: Path, frames: int = 20, size: tuple[int, int] = (64, 48), step: int = 10, first: int = 20
) -> Path:
    """An MPEG-4 video whose frame i is grey of the level first + step · i."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            grey = np.full((size[1], size[0], 3), first + step * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_animation(path: Path, frames: int = 6, step: int = 40) -> Path:
    """An animation whose frame i is opaque grey of the level step · i on the left and transparent on the right."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = []
    for index in range(frames):
        pixels = np.zeros((16, 16, 4), np.uint8)
        pixels[:, :8] = (*(step * index,) * 3, 255)
        pictures.append(Image.fromarray(pixels))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], lossless=True, duration=50, kmin=1, kmax=2)
    return path


def write_tone(path: Path, hertz: float = 440.0, seconds: float = 0.5, rate: int = 8000, channels: int = 1) -> Path:
    """A sine at half the full scale; a second channel is silent."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.zeros((round(seconds * rate), channels), np.float32)
    wave[:, 0] = 0.5 * np.sin(2 * np.pi * hertz * np.arange(len(wave)) / rate)
    soundfile.write(path, wave, rate)
    return path
