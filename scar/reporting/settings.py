"""What a report can be told; light, so that the command reads it before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

EQUIVALENCE_MARGIN = 0.005
"""Largest difference of two scores that counts as none, as a fraction: half a point."""
FORMATS = ("svg",)
"""Of the figure files, unless one asks for others: what the page shows, so that nothing is drawn twice."""
GROUPS_DRAWN = 40
"""Groups that one figure draws, or names, side by side; of more it says how many there are and where all their numbers are."""
PAIRED = 16
"""Encoders that are compared pair by pair, for pairs grow like their square."""
CARDS = 64
"""Groups that get a card, for each is two files and the decision in words."""


@dataclass(frozen=True, kw_only=True)
class CardConfig:
    """What the owner of a dataset knows and the rows do not; what is left out is left out of the card.

    Attributes:
        description: one paragraph.
        license: name or address.
        url: where the dataset is described.
        cite_as: how it wants to be cited.
    """

    description: str | None = None
    license: str | None = None
    url: str | None = None
    cite_as: str | None = None


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
