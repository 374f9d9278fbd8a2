"""What is looked for, and how far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InspectionSettings:
    """Settings of an inspection.

    Attributes:
        folds: of the cross-fitted probes; no sample is judged by a probe that has seen it or a copy of it.
        neighbours: nearest samples that are asked for each sample.
        threshold: cosine similarity of centred embeddings from which samples are near duplicates.
        far: neighbours whose mean distance makes a sample an outlier.
        most: findings of a kind that are kept, and written into the file.
        shown: of them, those that are shown on the page.
        seed: of the folds.
        effect_seeds: redrawn splits on which the effect of corrections is measured; 0 leaves it out.
    """

    folds: int = 10
    neighbours: int = 50
    threshold: float = 0.95
    far: int = 10
    most: int = 1000
    shown: int = 30
    seed: int = 0
    effect_seeds: int = 5

    def __post_init__(self) -> None:
        for name, least in (("folds", 2), ("neighbours", 2), ("far", 1), ("most", 1), ("effect_seeds", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"inspection.{name}={getattr(self, name)} must be at least {least}")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"inspection.threshold={self.threshold} is a cosine similarity in (0, 1]")
        if self.far > self.neighbours:
            raise ValueError(f"inspection.far={self.far} must not exceed inspection.neighbours={self.neighbours}")
