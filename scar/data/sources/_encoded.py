"""Images that lie as bytes inside a larger file: rows of Parquet and Arrow, members of tar shards."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scar.data.image_decoding import Depth, UnreadableMedia, on_white, open_image


class _Named(io.BytesIO):
    """The bytes of a file under the name that messages use."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.label = name

    def __str__(self) -> str:
        return self.label


def decode_image(content: bytes, name: str, depth: Depth | None = None) -> Any:
    """Return an image file held in memory as an RGB `PIL.Image`, as `scar.data.media.ImageFiles` does.

    Args:
        content: of the file.
        name: what messages call it.
        depth: window of a deep image; None refuses it.

    Raises:
        UnreadableMedia: it is broken, truncated or a decompression bomb.
    """
    if not content:
        raise UnreadableMedia(f"{name}: the image has no bytes")
    file: Any = _Named(content, name)
    with open_image(file) as image:
        return on_white(image, file, depth)


@dataclass(frozen=True, eq=False)
class EncodedImages(Sequence[Any]):
    """Images as a sequence that decodes an item when it is asked for.

    Attributes:
        size: number N of images.
        read: from a position to the bytes of the file and its name for messages.
        depth: window of deep images; None refuses them.
    """

    size: int
    read: Callable[[int], tuple[bytes, str]]
    depth: Depth | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(self.size))]
        row = range(self.size)[int(index)]
        return decode_image(*self.read(row), self.depth)
