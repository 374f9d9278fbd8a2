"""Images by the content of their files: enough to tell samples apart, and nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scar.data.encoded import EncodedImages
from scar.data.media import ImageFiles
from scar.data.samples import Samples, Selection


def undecoded(samples: Samples) -> Samples:
    """Return the samples with the files of their images, as paths or as bytes [B], in place of pixels.

    What is no file stays as it is: arrays, texts, and the handles of sounds and videos, which read nothing before they
    are asked to.
    """
    return replace(samples, payloads={name: _files(payload) for name, payload in samples.payloads.items()})


def _files(payload: Any) -> Any:
    if isinstance(payload, ImageFiles):
        return payload.paths
    if isinstance(payload, EncodedImages):
        return _Bytes(payload)
    if isinstance(payload, Selection):
        return Selection(_files(payload.items), payload.rows)
    return payload


@dataclass(frozen=True, eq=False)
class _Bytes(Sequence[Any]):
    """The files of images that lie inside a larger one."""

    images: EncodedImages

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        return np.frombuffer(self.images.read(int(index))[0], np.uint8)
