"""What a size can be expected to bring: the answer in probabilities and scores instead of one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scar.common.types import Floats

MULTIPLES = (1.0, 1.5, 2.0, 4.0)
"""Sizes that a prospect answers for, in multiples of what there is."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prospect:
    """What is expected of more data at the present class mix.

    Attributes:
        multiples: [M] sizes, in multiples of what there is.
        probability: [M] that the gap of the set is at most ε there.
        class_probability: [M, K] the same for each class; NaN where undefined.
        gap: [M, 3] gap of the set: median, low and high.
        accuracy: [M, 3] accuracy on data like the held-out part: median, low and high.
        sizes: [T] samples of the whole set, ascending.
        reached: [T] probability that the gap of the set is at most ε at these sizes.
    """

    multiples: Floats
    probability: Floats
    class_probability: Floats
    gap: Floats
    accuracy: Floats
    sizes: Floats
    reached: Floats

    def chance(self, size: ArrayLike) -> Floats:
        """Return the probability that so many samples bring the gap of the set to ε.

        Raises:
            ValueError: a size that is not positive.
        """
        asked = np.asarray(size, dtype=np.float64)
        if not np.all(asked > 0):
            raise ValueError(f"size={size!r} must be positive")
        return np.asarray(np.interp(np.log(asked), np.log(self.sizes), self.reached))
