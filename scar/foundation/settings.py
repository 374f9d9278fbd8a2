"""What the estimation of the Foundation Data Size can be told."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from scar.measures.steps import DECISIONS

RECOMMENDED = "recommended"
"""The estimator whose answer is shown first; the others stand in a table behind it."""
ESTIMATORS = {
    RECOMMENDED: "recommended",
    "reference": "reference",
    "paper": "paper",
    "heldout": "held-out",
    "learning_curve": "learning curve",
}
"""Name of each estimator → its title, in the order in which tables list them."""
ORDERS = (1, 3)
"""Bonferroni orders that bound the union from above (Eq. 1): the union bound, or three alternating sums."""
ERRORS = ("balanced", "binary")
"""Error of a step: mean of its miss and false-alarm rates, or share of wrong binary decisions (§3.1)."""

SET_GAPS = ("mean", "every")
"""Gap of a set in `recommended` and `heldout`: the mean of its steps' gaps (Definition 1), or every step's at once (Eq. 1)."""


@dataclass(frozen=True, kw_only=True)
class FoundationConfig:
    """How measures become Foundation Data Sizes.

    Attributes:
        estimators: which are computed, side by side, from the same observations.
        epsilon: generalisation gap ε that is close enough.
        delta: probability δ = δ_E that the gap may exceed it.
        level: of the intervals.
        order: Bonferroni order of the set-level bound (Eq. 9), 1 or 3.
        decision: ``"argmax"`` or ``"threshold"`` (§3.2).
        bins: histogram bins of the coverage (§3.2.2).
        min_count: true positives that a defined coverage needs.
        error: error of a step function in `recommended` and `heldout`, ``"balanced"`` or ``"binary"``.
        set_gap: gap of the set in these: ``"mean"`` over its steps, or ``"every"`` step's at once.
        accuracy_target: accuracy that `learning_curve` extrapolates to; None leaves the choice to the
            estimator.
        rate: growth rate λ at which `reference` ends, the lower bound of the published grid.
        prior: whether `paper` puts a weak prior on the growth rate κ.
        seed: of the resampling behind the intervals.
    """

    estimators: tuple[str, ...] = tuple(ESTIMATORS)
    epsilon: float = 0.01
    delta: float = 0.01
    level: float = 0.95
    order: int = 3
    decision: str = "argmax"
    bins: int = 100
    min_count: int = 30
    error: str = "balanced"
    set_gap: str = "mean"
    accuracy_target: float | None = None
    rate: float = 1e-4
    prior: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimators", tuple(self.estimators))
        unknown = [name for name in self.estimators if name not in ESTIMATORS]
        if unknown or not self.estimators or len(set(self.estimators)) < len(self.estimators):
            raise ValueError(
                f"foundation.estimators={list(self.estimators)} must list some of {list(ESTIMATORS)}, once"
            )
        group = "foundation."
        check_choices(self, order=ORDERS, decision=DECISIONS, error=ERRORS, set_gap=SET_GAPS, prefix=group)
        check_shares(self, ("epsilon", "delta", "level"), prefix=group)
        if self.accuracy_target is not None and not 0 < self.accuracy_target <= 1:
            raise ValueError(f"foundation.accuracy_target={self.accuracy_target} must lie in (0, 1], or be null")
        if not 0 < self.rate < math.inf:
            raise ValueError(f"foundation.rate={self.rate} must be positive and finite")
        for name in ("bins", "min_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"foundation.{name}={getattr(self, name)} must be at least 1")


def check_shares(settings: Any, names: Sequence[str], *, prefix: str = "") -> None:
    """Refuse fields that do not lie between 0 and 1.

    Raises:
        ValueError: names the field, behind `prefix`, and its value.
    """
    for name in names:
        if not 0 < getattr(settings, name) < 1:
            raise ValueError(f"{prefix}{name}={getattr(settings, name)} must lie between 0 and 1")


def check_choices(settings: Any, *, prefix: str = "", **allowed: Collection[Any]) -> None:
    """Refuse fields that hold none of what is allowed.

    Raises:
        ValueError: names the field, behind `prefix`, its value and what is allowed.
    """
    for name, values in allowed.items():
        if getattr(settings, name) not in values:
            raise ValueError(f"{prefix}{name}={getattr(settings, name)!r} must be one of {list(values)}")


def check_positive(**values: float) -> None:
    """Refuse numbers that are not positive and finite.

    Raises:
        ValueError: names the number.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}={value} must be positive")
