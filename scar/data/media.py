"""Handles of images, sounds, videos and animations on disk: nothing is read before it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]

_WHOLE = 0.5
"""Smallest share of the frames declared by a video file that must be decodable; a download cut short has fewer."""

_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
"""Modes of PIL whose pixels become RGB without losing depth."""


class UnreadableMedia(ValueError):  # noqa: N818
    """A file that cannot be read as what it should be; the message names it and the reason."""


@dataclass(frozen=True)
class ImageFiles(Sequence[Any]):
    """Images on disk as a sequence of RGB `PIL.Image`; each is decoded when it is asked for.

    Transparent parts are put on white. An item raises `UnreadableMedia` if its file is missing, broken or
    truncated, has more than ``PIL.Image.MAX_IMAGE_PIXELS`` pixels (a decompression bomb), or more than 8 bits per channel.

    Attributes:
        paths: [N] files.
    """

    paths: tuple[Path, ...]

    def __init__(self, paths: Sequence[Path]) -> None:
        object.__setattr__(self, "paths", tuple(paths))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ImageFiles(self.paths[index])
        path = self.paths[index]
        with _opened(path) as image:
            return _on_white(image, path)


@dataclass(frozen=True)
class AnimatedImage:
    """An animated WebP, GIF or PNG.

    Attributes:
        path: of the file.
    """

    path: Path

    def length(self) -> int:
        """Return the number of frames; raises `UnreadableMedia`."""
        with _opened(self.path) as image:
            return int(getattr(image, "n_frames", 1))

    def frames(self, count: int) -> Frames:
        """Return the middles of `count` equal segments [count, H, W, 3], RGB on white.

        An animation with fewer frames repeats them.

        Raises:
            UnreadableMedia: the file is missing, broken or a decompression bomb.
        """
        with _opened(self.path) as image:
            wanted = middles(int(getattr(image, "n_frames", 1)), count)
            shown: dict[int, Frames] = {}
            for index in np.unique(wanted).tolist():
                image.seek(index)
                shown[index] = np.asarray(_on_white(image, self.path))
        return np.stack([shown[index] for index in wanted.tolist()])

    def check(self) -> None:
        """Decode every frame once; raises `UnreadableMedia`."""
        with _opened(self.path) as image:
            for index in range(int(getattr(image, "n_frames", 1))):
                image.seek(index)
                image.load()


@dataclass(frozen=True)
class VideoFile:
    """A video in any container that FFmpeg reads; its first video stream counts.

    Attributes:
        path: of the file.
    """

    path: Path

    def frames(self, count: int) -> Frames:
        """Return the middles of `count` equal segments [count, H, W, 3], RGB.

        Segments are equal in frames. A clip with fewer frames repeats them.

        Raises:
            UnreadableMedia: the file is missing, broken, cut short, or its frames are decompression bombs.
        """
        total = self._declared() or self._decodable()
        pictures = self._pick(middles(total, count))
        if pictures is None:  # the file declares frames that its decoder does not deliver
            pictures = self._pick(middles(self._decodable(), count))
        assert pictures is not None
        return pictures

    def check(self) -> None:
        """Decode every frame once; raises `UnreadableMedia`."""
        self._decodable()

    def _pick(self, wanted: NDArray[np.int64]) -> Frames | None:
        """Return the frames at the given positions, or None if the stream ends before the last of them."""
        needed, shown = set(wanted.tolist()), {}
        with _video(self.path) as (container, _):
            for index, frame in enumerate(container.decode(video=0)):
                if index in needed:
                    shown[index] = frame.to_ndarray(format="rgb24")
                if len(shown) == len(needed):
                    return np.stack([shown[each] for each in wanted.tolist()])
        return None

    def _declared(self) -> int:
        with _video(self.path) as (_, stream):
            return int(stream.frames)

    def _decodable(self) -> int:
        """Count the frames by decoding them all."""
        with _video(self.path) as (container, stream):
            declared = int(stream.frames)
            total = sum(1 for _ in container.decode(video=0))
        if total == 0 or total < _WHOLE * declared:
            raise UnreadableMedia(f"{self.path}: {total} of {declared or 'its'} frames can be decoded; it is cut short")
        return total


@dataclass(frozen=True)
class AudioFile:
    """A sound in a format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF), or a part of it.

    Attributes:
        path: of the file.
        start: seconds to leave out at the beginning.
        duration: seconds to read, or None for all that follows.
    """

    path: Path
    start: float | None = None
    duration: float | None = None

    def read(self, rate: int) -> NDArray[np.float32]:
        """Return the mean of the channels [T] at `rate` samples per second.

        Raises:
            UnreadableMedia: the file is missing, broken or empty, or holds NaN or infinity.
        """
        wave, own_rate = self._decode()
        if own_rate == rate:
            return wave
        import soxr

        resampled: NDArray[np.float32] = soxr.resample(wave, own_rate, rate)
        if not len(resampled):
            raise UnreadableMedia(f"{self.path}: {len(wave)} samples at {own_rate} Hz leave none at {rate} Hz")
        return resampled

    def check(self) -> None:
        """Decode it once; raises `UnreadableMedia`."""
        self._decode()

    def _decode(self) -> tuple[NDArray[np.float32], int]:
        import soundfile

        if not self.path.is_file():
            raise UnreadableMedia(f"{self.path}: no such file")
        try:
            with soundfile.SoundFile(self.path) as file:
                rate = int(file.samplerate)
                file.seek(min(round((self.start or 0) * rate), file.frames))
                length = -1 if self.duration is None else round(self.duration * rate)
                channels = file.read(length, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            raise UnreadableMedia(f"{self.path}: {error}") from error
        if not len(channels):
            part = "" if self.start is None else f" from {self.start} s on"
            raise UnreadableMedia(f"{self.path}: the sound has no samples{part}")
        if not np.isfinite(channels).all():
            raise UnreadableMedia(f"{self.path}: the sound holds NaN or infinite values")
        return channels.mean(axis=1, dtype=np.float32), rate


def middles(total: int, count: int) -> NDArray[np.int64]:
    """Return the positions [count] in the middles of `count` equal segments of `total` frames.

    Raises:
        ValueError: there are no frames, or none are asked for.
    """
    if total < 1 or count < 1:
        raise ValueError(f"{count} frames of {total} were asked for; both must be at least 1")
    return (2 * np.arange(count, dtype=np.int64) + 1) * total // (2 * count)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an image; whatever PIL finds wrong while it is used becomes `UnreadableMedia`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            _refuse_bomb(path, *image.size)
            yield image
    except UnreadableMedia:
        raise
    except FileNotFoundError as error:
        raise UnreadableMedia(f"{path}: no such file") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableMedia(f"{path}: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError) as error:
        raise UnreadableMedia(f"{path}: {str(error).replace(f' {str(path)!r}', '') or type(error).__name__}") from error


@contextmanager
def _video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video as (container, stream); whatever FFmpeg finds wrong becomes `UnreadableMedia`."""
    import av

    if not path.is_file():
        raise UnreadableMedia(f"{path}: no such file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UnreadableMedia(f"{path}: it has no video stream")
            stream = container.streams.video[0]
            _refuse_bomb(path, stream.width, stream.height)
            yield container, stream
    except av.error.FFmpegError as error:
        raise UnreadableMedia(f"{path}: {error.strerror}") from error


def _refuse_bomb(path: Path, width: int, height: int) -> None:
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise UnreadableMedia(
            f"{path}: {width} × {height} pixels exceed the limit of {limit} (PIL.Image.MAX_IMAGE_PIXELS); "
            "it may be a decompression bomb"
        )


def _on_white(image: Any, path: Path) -> Any:
    """Return an opened image in RGB, its transparent parts on white."""
    from PIL import Image

    if image.mode not in _EIGHT_BITS:
        raise UnreadableMedia(f"{path}: pixels of mode {image.mode} have more than 8 bits; convert it to RGB or grey")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
