"""Handles of images, sounds, videos and animations on disk: nothing is read before it is asked for."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.data.image_decoding import Depth, UnreadableMedia, on_white, open_image, refuse_bomb

Frames = NDArray[np.uint8]

_CUT = re.compile(r"^ *(?:data|SSND|Data Size|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_RF64 = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_PADDING = 8
_STREAMED = 0x7FFF0000
"""Sizes from here on stand for an unknown length: the file was written to a pipe."""

_LONGEST = 1 << 26
"""Samples of a sound that are read at once: 25 minutes at 44 100 Hz, 70 at 16 000 Hz."""
_BLOCK = 1 << 20
"""Samples that are decoded at once."""

_OWN_BYTES = {
    "format_whitelist": "mov,mp4,3gp,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,h264,hevc,m4v,mxf,rm,dv,nut,ivf,wtv,swf,wav,mp3,flac",
    "protocol_whitelist": "file",
}
"""Options of FFmpeg: containers that hold a video themselves. Playlists (HLS, DASH, concat) make it open the files that they name."""

_DECODED = 0.95
"""Smallest share of the declared samples of a compressed sound that must be decodable; what MP3 declares is a guess."""

_WHOLE = 0.5
"""Smallest share of the frames declared by a video file that must be decodable; a download cut short has fewer."""


@dataclass(frozen=True)
class ImageFiles(Sequence[Any]):
    """Images on disk as a sequence of RGB `PIL.Image`; each is decoded when it is asked for.

    Images stand upright, as their orientation tag says. Transparent parts are put on white. An item raises `UnreadableMedia` if its file is missing, broken or
    truncated, has more than ``PIL.Image.MAX_IMAGE_PIXELS`` pixels (a decompression bomb), or more than
    8 bits per channel without a window for them.

    Attributes:
        paths: [N] files.
        depth: window of deep images, of `scar.data.image_decoding.on_white`; None refuses them.
    """

    paths: tuple[Path, ...]
    depth: Depth | None = None

    def __init__(self, paths: Sequence[Path], depth: Depth | None = None) -> None:
        object.__setattr__(self, "paths", tuple(paths))
        object.__setattr__(self, "depth", depth)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ImageFiles(self.paths[index], self.depth)
        path = self.paths[index]
        with open_image(path) as image:
            return on_white(image, path, self.depth)


@dataclass(frozen=True)
class MediaFile(ABC):
    """An animation, a video or a sound on disk, or a part of it."""

    path: Path

    @property
    def part(self) -> tuple[float | None, float | None]:
        """Where the part begins and how long it is, in seconds; None for the beginning and for all that follows."""
        return None, None

    @property
    def manner(self) -> str:
        """What decides its content beside the bytes of the file and the part; mostly nothing."""
        return ""

    @abstractmethod
    def check(self) -> None:
        """Decode it once; raises `UnreadableMedia`."""


@dataclass(frozen=True)
class AnimatedImage(MediaFile):
    """An animated WebP, GIF or PNG."""

    def length(self) -> int:
        """Return the number of frames; raises `UnreadableMedia`."""
        with open_image(self.path) as image:
            return int(getattr(image, "n_frames", 1))

    def frames(self, count: int) -> Frames:
        """Return the middles of `count` equal segments [count, H, W, 3], RGB on white.

        An animation with fewer frames repeats them.

        Raises:
            UnreadableMedia: the file is missing, broken or a decompression bomb.
        """
        with open_image(self.path) as image:
            wanted = middles(int(getattr(image, "n_frames", 1)), count)
            shown: dict[int, Frames] = {}
            for index in np.unique(wanted).tolist():
                image.seek(index)
                shown[index] = np.asarray(on_white(image, self.path))
        return np.stack([shown[index] for index in wanted.tolist()])

    def check(self) -> None:
        """Decode every frame once."""
        with open_image(self.path) as image:
            for index in range(int(getattr(image, "n_frames", 1))):
                image.seek(index)
                image.load()


@dataclass(frozen=True)
class VideoFile(MediaFile):
    """A video in any container that FFmpeg reads; its first video stream counts, turned as its display matrix says."""

    @property
    def manner(self) -> str:
        """The turn in degrees, where there is one."""
        try:
            with _video(self.path) as (container, _):
                turn = next((_turn(frame) for frame in container.decode(video=0)), 0)
        except UnreadableMedia:
            return ""
        return f"turned {90 * turn}" if turn else ""

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
        """Decode every frame once."""
        self._decodable()

    def _pick(self, wanted: NDArray[np.int64]) -> Frames | None:
        """Return the frames at the given positions, or None if the stream ends before the last of them."""
        needed, shown = set(wanted.tolist()), {}
        with _video(self.path) as (container, _):
            for index, frame in enumerate(container.decode(video=0)):
                if index in needed:
                    shown[index] = np.rot90(frame.to_ndarray(format="rgb24"), _turn(frame))
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
class AudioFile(MediaFile):
    """A sound in a format that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF), or a part of it.

    Attributes:
        start: seconds to leave out at the beginning.
        duration: seconds to read, or None for all that follows.
    """

    start: float | None = None
    duration: float | None = None

    @property
    def part(self) -> tuple[float | None, float | None]:
        """As given."""
        return self.start, self.duration

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

    def spread(self) -> float:
        """Return the highest less the lowest value of the mean of the channels, as a share of full scale.

        Raises:
            UnreadableMedia: as `read`.
        """
        return float(np.ptp(self._decode()[0]))

    def check(self) -> None:
        """Decode all of it once."""
        self._decode()

    def _decode(self) -> tuple[NDArray[np.float32], int]:
        import soundfile

        if not self.path.is_file():
            raise UnreadableMedia(f"{self.path}: no such file")
        try:
            with soundfile.SoundFile(self.path) as file:
                rate = int(file.samplerate)
                self._refuse_cut(file.extra_info)
                start = min(round((self.start or 0) * rate), file.frames)
                file.seek(start)
                length = -1 if self.duration is None else round(self.duration * rate)
                expected = file.frames - start if length < 0 else min(length, file.frames - start)
                if expected > _LONGEST:
                    raise UnreadableMedia(
                        f"{self.path}: {expected} samples, more than {_LONGEST}, are read at once; cut it into shorter files"
                    )
                blocks = [np.zeros(0, np.float32)]
                while (left := expected - sum(map(len, blocks))) > 0:
                    channels = file.read(min(left, _BLOCK), dtype="float32", always_2d=True)
                    if not len(channels):
                        break
                    blocks.append(channels.mean(axis=1, dtype=np.float32))
                wave = np.concatenate(blocks)
        except (soundfile.SoundFileError, OSError) as error:
            raise UnreadableMedia(f"{self.path}: {error}") from error
        if len(wave) < _DECODED * expected:
            raise UnreadableMedia(f"{self.path}: {len(wave)} of {expected} samples can be decoded; it is cut short")
        if not len(wave):
            part = "" if self.start is None else f" from {self.start} s on"
            raise UnreadableMedia(f"{self.path}: the sound has no samples{part}")
        if not np.isfinite(wave).all():
            raise UnreadableMedia(f"{self.path}: the sound holds NaN or infinite values")
        return wave, rate

    def _refuse_cut(self, header: str) -> None:
        """Refuse a file that is shorter than its header declares; libsndfile reads what is left and says so in its log."""
        for declared, there in [(match[1], match[2]) for match in _CUT.finditer(header)]:
            if int(there) + _PADDING < int(declared) < _STREAMED:
                raise UnreadableMedia(f"{self.path}: {there} of {declared} bytes of sound are there; it is cut short")
        frames = _CUT_RF64.search(header)
        if frames and int(frames[1]) < int(frames[2]):
            raise UnreadableMedia(f"{self.path}: {frames[1]} of {frames[2]} samples are there; it is cut short")


def middles(total: int, count: int) -> NDArray[np.int64]:
    """Return the positions [count] in the middles of `count` equal segments of `total` frames.

    Raises:
        ValueError: there are no frames, or none are asked for.
    """
    if total < 1 or count < 1:
        raise ValueError(f"{count} frames of {total} were asked for; both must be at least 1")
    return (2 * np.arange(count, dtype=np.int64) + 1) * total // (2 * count)


def _turn(frame: Any) -> int:
    """Return by how many right angles a frame of a video is turned counterclockwise to be shown."""
    return int(round(frame.rotation / 90) % 4)


@contextmanager
def _video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video as (container, stream); whatever FFmpeg finds wrong becomes `UnreadableMedia`."""
    import av

    if not path.is_file():
        raise UnreadableMedia(f"{path}: no such file")
    try:
        with av.open(str(path), options=_OWN_BYTES, metadata_errors="replace") as container:
            if not container.streams.video:
                raise UnreadableMedia(f"{path}: it has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise UnreadableMedia(
                    f"{path}: its video stream does not say how it is coded; it is cut short or spoilt"
                )
            refuse_bomb(path, stream.width, stream.height)
            yield container, stream
    except av.error.ArgumentError as error:
        raise UnreadableMedia(
            f"{path}: no container of videos that is read ({error.strerror}); playlists and lists of files are refused, since they "
            "name other files. Convert it to MP4"
        ) from error
    except av.error.FFmpegError as error:
        raise UnreadableMedia(f"{path}: {error.strerror}") from error
