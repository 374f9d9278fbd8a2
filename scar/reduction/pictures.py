"""Images of any size as one array of squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._images import resize_batch

Images = NDArray[np.uint8] | Sequence[Any]
"""uint8 array [N, H, W, 3], or arrays or PIL images of any size."""

_CHUNK = 1024
"""Images that are resized together."""


def square_images(images: Images, side: int) -> NDArray[np.uint8]:
    """Return images as one array [N, side, side, 3]; one that is so already stays as it is, mapped or not.

    The shorter side is scaled to `side` and the centre is cut out.

    Args:
        images: uint8 array [N, H, W, 3], or arrays or PIL images of any size.
        side: in pixels.

    Raises:
        ValueError: an array of another type or shape.
    """
    if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (side, side, 3):
        return images
    squares = np.empty((len(images), side, side, 3), np.uint8)
    for start in range(0, len(images), _CHUNK):
        part = [images[row] for row in range(start, min(start + _CHUNK, len(images)))]
        squares[start : start + len(part)] = resize_batch(part, side).round().permute(0, 2, 3, 1).byte().numpy()
    return squares
