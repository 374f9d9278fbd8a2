"""Samples that hold nothing: sounds that are silent or constant, pictures of one colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scar.common.types import Ints
from scar.data.media import AudioFile

_SILENCE = 2e-4
# Of full scale, from the lowest to the highest value: -80 dB around a constant.


def blank_rows(payload: Sequence[Any]) -> Ints:
    """Return the positions of the sounds and pictures of a payload that hold nothing; every one of them is decoded."""
    return np.array([row for row in range(len(payload)) if is_blank(payload[row])], np.int64)


def is_blank(item: Any) -> bool:
    """Tell whether a sound is silent or constant, or a picture of one colour; False for texts, vectors and videos."""
    if isinstance(item, AudioFile):
        return item.spread() < _SILENCE
    if hasattr(item, "getextrema"):  # a PIL image
        bands = item.getextrema()
        return all(low == high for low, high in (bands if isinstance(bands[0], tuple) else [bands]))
    if isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim in (2, 3):
        return bool((item == item[0, 0]).all())
    return False
