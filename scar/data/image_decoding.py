"""Opening of image files with PIL, so that whatever is wrong with one is named."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from scar.common.extras import install

Depth = tuple[float, float]
_ORIENTATION = 0x0112
_CHUNK_PIXELS = 1 << 22
# Of an image that are worked on at once, so that the largest image allowed takes less than 1 GiB.

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of HEIC images; AVIF, which Pillow reads, has its own."""
_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
"""Modes of PIL whose pixels become RGB without losing depth."""


class UnreadableMedia(ValueError):  # noqa: N818
    """A file that cannot be read as what it should be; the message names it and the reason."""


BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, OverflowError, struct.error, zlib.error)
"""What PIL raises for files that are cut short or spoilt."""


@contextmanager
def open_image(path: Path) -> Iterator[Any]:
    """Open an image; whatever PIL finds wrong while it is used becomes `UnreadableMedia`."""
    try:
        if isinstance(path, Path) and path.exists() and not path.is_file():
            raise UnreadableMedia(f"{path} is no plain file")  # a pipe would be waited for
        if is_heif(path):
            _register_heif(path)
        with Image.open(path) as image:
            refuse_bomb(path, *image.size)
            yield image
    except UnreadableMedia:
        raise
    except FileNotFoundError as error:
        raise UnreadableMedia(f"{path}: no such file") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableMedia(f"{path}: {error}") from error
    except BROKEN as error:
        raise UnreadableMedia(f"{path}: {str(error).replace(f' {str(path)!r}', '') or type(error).__name__}") from error


def is_heif(file: Any) -> bool:
    """Tell by the first bytes whether a file, given as a path or open, is a HEIC image; False where it cannot be read."""
    try:
        if isinstance(file, str | Path):
            with Path(file).open("rb") as opened:
                start = opened.read(12)
        else:
            start = file.read(12)
            file.seek(0)
    except (OSError, ValueError):
        return False
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF


def _register_heif(path: Any) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise UnreadableMedia(
            f"{path}: a HEIC image, which Pillow alone cannot read; {install('pillow_heif')}, or convert it to PNG or JPEG"
        ) from error
    pillow_heif.register_heif_opener()


def refuse_bomb(path: Path, width: int, height: int) -> None:
    """Refuse an image, or frames, of more pixels than PIL allows."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise UnreadableMedia(
            f"{path}: {width} × {height} pixels exceed the limit of {limit} (PIL.Image.MAX_IMAGE_PIXELS); "
            "it may be a decompression bomb"
        )


def on_white(image: Any, path: Any, depth: Depth | None = None) -> Any:
    """Return an opened image in RGB, upright as its orientation tag says, its transparent parts on white.

    Args:
        image: opened by `open_image`.
        path: what messages call it.
        depth: values (low, high) that become 0 and 255 where an image has more than 8 bits per channel; others in
            between are scaled, beyond are cut. None refuses such an image.
    """
    deep = _is_deep(image)
    if deep and depth is None:
        raise UnreadableMedia(
            f"{path}: pixels of mode {deep} have more than 8 bits; say by dataset.depth=[low, high] which values become 0 "
            "and 255 ([0, 65535] is the full range of 16 bits), or convert it"
        )
    image.load()  # a TIFF turns itself then
    image = _upright(image)
    if deep and depth is not None:
        return _windowed(image, path, depth)
    if not image.has_transparency_data:
        return image.convert("RGB")
    width, height = image.size
    shown = Image.new("RGB", image.size)
    step = max(_CHUNK_PIXELS // max(width, 1), 1)
    for top in range(0, height, step):
        strip = image.crop((0, top, width, min(top + step, height))).convert("RGBA")
        shown.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB"), (0, top))
    return shown


def manner(file: Any, depth: Depth | None = None) -> str:
    """Return what decides the pixels of an image beside the bytes of its file: its turn and its window; mostly nothing.

    Args:
        file: a path, or the bytes as a file.
        depth: as in `on_white`.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file) as image:
            found = [f"depth {float(depth[0])} {float(depth[1])}"] if depth is not None and _is_deep(image) else []
            tagged = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"} & set(image.info)
            turn = _orientation(image) if tagged or image.format == "TIFF" else 1
    except Exception:  # what cannot be read is found by the one who decodes it
        return ""
    return " ".join([*found, *([f"turned {turn}"] if turn > 1 else [])])


def check_depth(depth: Sequence[float] | None) -> Depth | None:
    """Return the window of a configuration.

    Raises:
        ValueError: it is not two numbers, the first below the second.
    """
    if depth is None:
        return None
    if len(depth) != 2 or not all(np.isfinite(depth)) or not depth[0] < depth[1]:
        raise ValueError(f"dataset.depth={list(depth)} must be two values, [low, high], or null")
    return float(depth[0]), float(depth[1])


def _is_deep(image: Any) -> str:
    """Return the mode of an image of more than 8 bits per channel; PIL opens some of them as if they had 8."""
    if image.mode not in _EIGHT_BITS:
        return str(image.mode)
    for tile in getattr(image, "tile", None) or ():
        parts = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        raw = next((part for part in parts if isinstance(part, str) and ";16" in part), None)
        if raw is not None:
            return raw
    return ""


def _upright(image: Any) -> Any:
    return ImageOps.exif_transpose(image) if _orientation(image) > 1 else image


def _orientation(image: Any) -> int:
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata leave a picture as it lies
        return 1
    return found if isinstance(found, int) and 1 < found <= 8 else 1


def _windowed(image: Any, path: Any, depth: Depth) -> Any:
    low, high = depth
    if image.mode in _EIGHT_BITS:  # PIL keeps the high byte of 16-bit colours alone
        if depth != (0.0, 65535.0):
            raise UnreadableMedia(
                f"{path}: 16-bit colours are read in their full range alone; use dataset.depth=[0, 65535], or convert it"
            )
        return image.convert("RGB")
    values = np.asarray(image)
    shown = np.empty(values.shape, np.uint8)
    step = max(_CHUNK_PIXELS // max(values.shape[1], 1), 1)
    for start in range(0, len(values), step):
        rows = values[start : start + step].astype(np.float64)
        if not np.isfinite(rows).all():
            raise UnreadableMedia(f"{path}: pixels are NaN or infinite")
        shown[start : start + step] = np.rint(np.clip((rows - low) / (high - low), 0, 1) * 255)
    return Image.fromarray(shown).convert("RGB")
