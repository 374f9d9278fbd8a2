"""What the estimation of the Foundation Data Size can be told."""

from __future__ import annotations

from dataclasses import dataclass

from scar.measures.steps import DECISIONS

ESTIMATORS = ("reference", "paper", "heldout", "learning_curve")
"""Names of the estimators, in the order in which tables list them."""
ORDERS = (1, 3)
"""Bonferroni orders that bound the union from above (Eq. 1): the union bound, or three alternating sums."""
ERRORS = ("balanced", "binary")
"""Error of a step: mean of its miss and false-alarm rates, or share of wrong binary decisions (§3.1)."""

SET_GAPS = ("mean", "every")
"""Gap of a set in `heldout`: the mean of its steps' gaps (Definition 1), or every step's at once (Eq. 1)."""


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
        error: error of a step function in `heldout`, ``"balanced"`` or ``"binary"``.
        set_gap: gap of the set in `heldout`: ``"mean"`` over its steps, or ``"every"`` step's at once.
        accuracy_target: accuracy that `learning_curve` extrapolates to; None leaves the choice to the
            estimator.
        rate: growth rate λ at which `reference` ends, the lower bound of the published grid.
        prior: whether `paper` puts a weak prior on the growth rate κ.
        seed: of the resampling behind the intervals.
    """

    estimators: tuple[str, ...] = ESTIMATORS
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
        for name, allowed in (("order", ORDERS), ("decision", DECISIONS), ("error", ERRORS), ("set_gap", SET_GAPS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"foundation.{name}={getattr(self, name)!r} must be one of {list(allowed)}")
        for name in ("epsilon", "delta", "level"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"foundation.{name}={getattr(self, name)} must lie between 0 and 1")
        if self.accuracy_target is not None and not 0 < self.accuracy_target <= 1:
            raise ValueError(f"foundation.accuracy_target={self.accuracy_target} must lie in (0, 1], or be null")
        if not self.rate > 0:
            raise ValueError(f"foundation.rate={self.rate} must be positive")
        for name in ("bins", "min_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"foundation.{name}={getattr(self, name)} must be at least 1")
