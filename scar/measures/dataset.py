"""The four measures of a dataset as a whole (§4.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DatasetMeasures:
    """Scale, Coverage, Authenticity and Richness of a dataset.

    Attributes:
        scale: min(1, N / FDS): how much of the Foundation Data Size is there.
        coverage: (n_extended - n_primary) / (N - n_primary): share of the reserve that the plan takes up.
        authenticity: test accuracy of the probe trained on all N samples.
        richness: min(1, FDS / N). It holds nothing that scale does not: one of the two is always 1.
    """

    scale: float
    coverage: float
    authenticity: float
    richness: float


def dataset_measures(
    *, n_total: int, n_primary: int, n_extended: int, foundation_size: float, accuracy: float
) -> DatasetMeasures:
    """Return the measures of a whole dataset (§4.3).

    Args:
        n_total: samples N of the dataset, primary and reserve.
        n_primary: samples of the primary set.
        n_extended: samples of the primary set and of what the SCAR plan adds at the published fill (at a
            fixed budget the coverage would only repeat the budget).
        foundation_size: Foundation Data Size of the set [samples]; 0 where the need is met.
        accuracy: test accuracy of the probe trained on all N samples, a fraction.

    Raises:
        ValueError: unless 0 < n_primary < n_total and n_primary ≤ n_extended ≤ n_total, for a negative or
            infinite `foundation_size`, or an accuracy outside [0, 1]. An undefined (NaN) value is refused as
            well.
    """
    if not n_total > 0:
        raise ValueError(f"n_total={n_total} must be positive")
    if not 0 < n_primary < n_total:
        raise ValueError(f"n_primary={n_primary} must lie between 0 and n_total={n_total}: there must be a reserve")
    if not n_primary <= n_extended <= n_total:
        raise ValueError(f"n_extended={n_extended} must lie between n_primary={n_primary} and n_total={n_total}")
    if not (math.isfinite(foundation_size) and foundation_size >= 0):
        raise ValueError(f"foundation_size={foundation_size} must be a defined number of samples, at least 0")
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy={accuracy} must be a fraction in [0, 1]")
    return DatasetMeasures(
        scale=1.0 if foundation_size <= n_total else n_total / foundation_size,
        coverage=(n_extended - n_primary) / (n_total - n_primary),
        authenticity=float(accuracy),
        richness=min(1.0, foundation_size / n_total),
    )
