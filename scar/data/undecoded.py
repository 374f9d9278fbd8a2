"""Images by the content of their files: enough to tell samples apart, and nothing is decoded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scar.data.image_decoding import manner
from scar.data.media import ImageFiles
from scar.data.samples import PickedItems, Samples
from scar.data.sources._encoded import EncodedImages


def undecoded(samples: Samples) -> Samples:
    """Return the samples with the files of their images, as paths or as bytes [B], in place of pixels.

    What is no file stays as it is: arrays, texts, and the handles of sounds and videos, which read nothing before they
    are asked to.
    """
    return replace(samples, payloads={name: _files(payload) for name, payload in samples.payloads.items()})


def _files(payload: Any) -> Any:
    if isinstance(payload, ImageFiles):
        return _Paths(payload)
    if isinstance(payload, EncodedImages):
        return _Bytes(payload)
    if isinstance(payload, PickedItems):
        return PickedItems(_files(payload.items), payload.rows)
    return payload


@dataclass(frozen=True, eq=False)
class _Paths(Sequence[Any]):
    """The files of images, each with what else decides its pixels."""

    images: ImageFiles

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        path = self.images.paths[index]
        how = manner(path, self.images.depth)
        return (how, path) if how else path


@dataclass(frozen=True, eq=False)
class _Bytes(Sequence[Any]):
    """The files of images that lie inside a larger one, each with what else decides its pixels."""

    images: EncodedImages

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        content = self.images.read(int(index))[0]
        how, values = manner(io.BytesIO(content), self.images.depth), np.frombuffer(content, np.uint8)
        return (how, values) if how else values
