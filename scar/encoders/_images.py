"""Images of any size as one batch of pixels, the same for arrays and PIL images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def to_array(image: Any) -> NDArray[np.uint8]:
    """Return an image as a uint8 array [H, W, 1] or [H, W, 3].

    Args:
        image: uint8 array [H, W], [H, W, 1] or [H, W, 3], or a PIL image of any mode.

    Raises:
        ValueError: an array of another type or shape.
    """
    if hasattr(image, "convert"):
        image = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            f"an image must be a PIL image or a uint8 array [H, W], [H, W, 1] or [H, W, 3], "
            f"got {array.dtype} {np.shape(image)}"
        )
    return array


def resize_batch(images: Sequence[Any], resolution: int) -> torch.Tensor:
    """Scale the shorter side of each image to `resolution` and crop the centre.

    Bicubic, with antialiasing where it shrinks. Images of one size are scaled together.

    Returns:
        [B, 3, resolution, resolution] float32 pixels in 0..255; grey images three times the same.
    """
    import torch

    arrays = [to_array(image) for image in images]
    rows_by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, array in enumerate(arrays):
        rows_by_shape[array.shape].append(row)
    batch = torch.empty(len(arrays), 3, resolution, resolution)
    for (height, width, _), rows in rows_by_shape.items():
        pixels = torch.from_numpy(np.stack([arrays[row] for row in rows])).permute(0, 3, 1, 2).float()
        scale = resolution / min(height, width)
        size = (max(resolution, round(height * scale)), max(resolution, round(width * scale)))
        if size != (height, width):
            pixels = torch.nn.functional.interpolate(pixels, size, mode="bicubic", antialias=True).clamp_(0, 255)
        top, left = (size[0] - resolution) // 2, (size[1] - resolution) // 2
        batch[rows] = pixels[:, :, top : top + resolution, left : left + resolution].expand(-1, 3, -1, -1)
    return batch
