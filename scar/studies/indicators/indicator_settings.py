"""What the indicator study varies, fixed before any result is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_CLASSES = 8
"""Target classes that a dataset has to offer; the sizes of the study are scaled down until it does."""
MOST_CLASSES = 16
"""Classes of the class-size family at most, those with the most samples."""
SCALES = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025)
FIELDS_IN_SAMPLES = (
    *("min_pool", "budget", "balanced", "floors", "tail_sizes", "heads", "caps", "raises", "tails"),
    *("base_sizes", "blend_size", "second_size"),
)


@dataclass(frozen=True, kw_only=True)
class IndicatorStudy:
    """Sizes are in samples of a class unless said otherwise.

    Attributes:
        seeds: each redraws split, target classes, their order, samples and initialisation.
        min_pool: classes with at least so many training samples are the label set of the class-size family.
        budget: mean class size of all budget-matched datasets.
        balanced: class sizes of vertical scaling.
        floors: size of the other classes where one head takes what is left of the budget.
        tail_shares: shares of the classes that are under-represented.
        tail_sizes: their size.
        ratios: largest to smallest class of exponential profiles at the budget.
        exponents: of Zipf profiles at the budget.
        heads: sizes of the head over a floor of the smallest of `floors`, the budget growing.
        caps: largest class after head truncation of the Zipf profile with the last exponent.
        raises: smallest class after rebalancing the exponential profile with the last ratio.
        tails: thresholds k of the long-tail indicator.
        base_sizes: class sizes from which horizontal and vertical scaling start.
        multiples: how many times the base budget they reach.
        target_classes: T, classes that horizontal and vertical scaling are tested on.
        ratios_of_blend: shares of the second source.
        blend_size: class size of the blends.
        second_size: samples of each class that the second source holds.
        validation_per_class: samples of each target class that stop training, as far as there are.
        shift_items: test items, drawn class-aware, on which the shifts are scored.
        foundation_seeds: seeds for which the Foundation Data Size of every dataset is estimated.
        mlp_seeds: seeds for which a small MLP is trained beside the linear head; 0 for none.
        masking: of the logits outside the target classes: ``"exclude"`` (−∞) or ``"zero"``; both are scored, this
            one is shown.
    """

    seeds: int = 5
    min_pool: int = 1600
    budget: int = 800
    balanced: tuple[int, ...] = (50, 100, 200, 400, 500, 800, 1600)
    floors: tuple[int, ...] = (750, 650, 500)
    tail_shares: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6)
    tail_sizes: tuple[int, ...] = (200, 50)
    ratios: tuple[float, ...] = (5.0, 20.0, 100.0)
    exponents: tuple[float, ...] = (0.5, 1.0)
    heads: tuple[int, ...] = (1000, 2000, 4000)
    caps: tuple[int, ...] = (1500, 1000, 500)
    raises: tuple[int, ...] = (100, 500)
    tails: tuple[int, ...] = (500, 100)
    base_sizes: tuple[int, ...] = (100, 400)
    multiples: tuple[int, ...] = (2, 4)
    target_classes: int = 5
    ratios_of_blend: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    blend_size: int = 500
    second_size: int = 750
    validation_per_class: int = 200
    shift_items: int = 4000
    foundation_seeds: int = 2
    mlp_seeds: int = 3
    masking: str = "exclude"

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds={self.seeds} must be at least 1")
        for name in ("foundation_seeds", "mlp_seeds"):
            if not 0 <= getattr(self, name) <= self.seeds:
                raise ValueError(f"{name}={getattr(self, name)} must lie in 0..{self.seeds}, the seeds there are")
        if self.masking not in ("exclude", "zero"):
            raise ValueError(f"masking={self.masking!r} is unknown; use exclude or zero")
        largest = max(*self.balanced, max(self.base_sizes) * max(self.multiples), self.blend_size)
        if largest > self.min_pool:
            raise ValueError(f"min_pool={self.min_pool} is less than the largest balanced class size, {largest}")
        if self.target_classes < 2:
            raise ValueError(f"target_classes={self.target_classes} must be at least 2")

    def scaled(self, scale: float) -> IndicatorStudy:
        """Return the study with every number of samples (thresholds included) multiplied by `scale`."""

        def change(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(dict.fromkeys(max(1, round(scale * each)) for each in value))
            return max(1, round(scale * value))

        return (
            self if scale == 1 else replace(self, **{name: change(getattr(self, name)) for name in FIELDS_IN_SAMPLES})
        )

    def fitted(self, pools: NDArray[np.int64], *, name: str = "dataset") -> IndicatorStudy:
        """Return the study at the largest scale that the pools [K] of the classes allow.

        Raises:
            ValueError: the dataset is too small for any scale.
        """
        wanted = min(LEAST_CLASSES, len(pools))
        for scale in SCALES:
            study = self.scaled(scale)
            fits = np.sort(pools)[::-1]
            able = min(int(np.count_nonzero(fits >= study.min_pool)), MOST_CLASSES)
            if able >= max(wanted, study.target_classes) and fits[0] >= study.head_need(able):
                return study
        raise ValueError(
            f"dataset={name} has class sizes {np.sort(pools)[::-1][:8].tolist()} …: too small for the study, which needs "
            f"{wanted} classes with {self.scaled(SCALES[-1]).min_pool} samples each"
        )

    def head_need(self, classes: int) -> int:
        """Samples that the largest class of any profile needs."""
        return max(self.budget * classes - (classes - 1) * min(self.floors), max(self.heads), max(self.balanced))
