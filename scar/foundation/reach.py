"""How far an extrapolated size lies beyond the data, as flags."""

from __future__ import annotations

import math

import numpy as np

from scar.common.types import Floats

TRUSTED_REACH = 4.0
"""Extrapolation beyond this multiple of the observed data is flagged: up to it predictions were checked."""
HORIZON = 1000.0
"""Farthest size at which a crossing is looked for, in multiples of the largest observed size."""


def needed(sizes: Floats, largest: float) -> Floats:
    """Return the sizes, 0 where the observed data are enough already."""
    return np.where(sizes <= largest, 0.0, sizes)


def size_flags(size: float, largest: float, *, few: bool) -> list[str]:
    """Return the flags of an estimated size.

    Args:
        size: 0 where met, inf where out of reach, NaN if undefined.
        largest: observed size.
        few: whether there are too few sizes for any estimate.
    """
    conditions = {
        "too_few_sizes": few,
        "undefined": math.isnan(size) and not few,
        "met": size == 0.0,
        "unreachable": math.isinf(size),
        f"extrapolated={size / largest:.1f}": TRUSTED_REACH < size / largest < math.inf,
    }
    return [name for name, holds in conditions.items() if holds]
