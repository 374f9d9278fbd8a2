"""What a sample looks like, small enough for a page: the beginning of a text, or a thumbnail."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from scar.encoders._images import to_array


def excerpt(item: Any, length: int) -> str | None:
    """Return the beginning of a text, or of several captions; None for what is no text."""
    if not isinstance(item, str | tuple | list) or not all(isinstance(each, str) for each in item):
        return None
    text = item if isinstance(item, str) else " | ".join(item)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def thumbnail(item: Any, side: int, *, kind: str = "png") -> bytes | None:
    """Return an image, or the first frame of a video, as a small PNG or JPEG; None for what is neither.

    Args:
        item: of a payload.
        side: longest side in pixels.
        kind: ``"png"`` or ``"jpeg"``.
    """
    if hasattr(item, "frames"):
        item = item.frames(1)[0]
    elif not (hasattr(item, "convert") or getattr(item, "ndim", 0) in (2, 3)):
        return None
    array = to_array(item)
    small = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    small.thumbnail((side, side))
    buffer = BytesIO()
    small.save(buffer, format=kind, optimize=True)
    return buffer.getvalue()
