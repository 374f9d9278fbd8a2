"""How far ours may lie from the published values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class Tolerances:
    """How far ours may lie from a published value.

    Attributes:
        accuracy: difference of two accuracies.
        measure: difference of two set-level measures (S, C, A, R).
        size: difference of two Foundation Data Sizes over the published one.
    """

    accuracy: float = 0.01
    measure: float = 0.05
    size: float = 0.1

    def __post_init__(self) -> None:
        for name in ("accuracy", "measure", "size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"tolerance.{name}={getattr(self, name)} must be positive")
