"""Slices: clusters of test items that an arm gets right more seldom than the others.

The clusters are found without looking at what is right, so that the right answers within each are binomial. Intervals are
those of Clopper and Pearson at a level that lets all of them hold at once (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scar.common.types import Bools, Ints

LEVEL = 0.95
"""At which the intervals of all slices hold at once."""
ALIKE = 0.9
"""Share of the items of a slice whose classes have to occur elsewhere too for a comparison with these."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One cluster of test items.

    Attributes:
        cluster: its number.
        size: test items.
        right: share that is decided rightly.
        low, high: interval of that share.
        rest: share of all other test items that is decided rightly.
        alike: share that the classes of the slice reach outside it, weighted as in the slice; NaN where fewer than `ALIKE`
            of its items are of classes that occur elsewhere.
        gain: by how much the accuracy on all test items would rise if the slice were decided as well as the rest.
        classes: [K] items of each class.
        judged: clusters that were looked at, this one among them.
    """

    cluster: int
    size: int
    right: float
    low: float
    high: float
    rest: float
    alike: float
    gain: float
    classes: Ints
    judged: int

    @property
    def is_low(self) -> bool:
        """Whether it lies below the rest by more than chance among so many."""
        return self.high < self.rest


def judge_slices(clusters: Ints, classes: Ints, right: Bools, *, num_classes: int, least: int) -> list[Slice]:
    """Compare every cluster of test items with the rest, those with the most to gain first.

    Args:
        clusters: [n] cluster of every test item, found without looking at `right`.
        classes: [n] class of every test item; negative for none.
        right: [n] which items are decided rightly.
        num_classes: K.
        least: items of the smallest cluster that is judged.

    Returns:
        One slice per cluster of that size; none where there is but one.
    """
    from scipy.stats import binomtest  # slow to import

    numbers, sizes = np.unique(clusters, return_counts=True)
    judged = [int(number) for number in numbers[sizes >= least]] if len(numbers) > 1 else []
    level = 1 - (1 - LEVEL) / max(len(judged), 1)
    found = []
    for cluster in judged:
        inside = clusters == cluster
        size, rest = int(inside.sum()), float(right[~inside].mean())
        ends = binomtest(int(right[inside].sum()), size).proportion_ci(level, method="exact")
        known = inside & (classes >= 0)
        counts = np.bincount(classes[known], minlength=num_classes)
        found.append(
            Slice(
                cluster=cluster,
                size=size,
                right=float(right[inside].mean()),
                low=float(ends.low),
                high=float(ends.high),
                rest=rest,
                alike=_alike(counts, classes[~inside], right[~inside]),
                gain=size / len(clusters) * (rest - float(right[inside].mean())),
                classes=counts,
                judged=len(judged),
            )
        )
    return sorted(found, key=lambda each: -each.gain)


def _alike(counts: Ints, classes: Ints, right: Bools) -> float:
    """Return the share that classes reach elsewhere, weighted by their counts [K] in a slice."""
    known = classes >= 0
    total = np.bincount(classes[known], minlength=len(counts))
    hits = np.bincount(classes[known], weights=right[known], minlength=len(counts))
    here = (counts > 0) & (total > 0)
    if not here.any() or counts[here].sum() < ALIKE * counts.sum():
        return float("nan")
    return float(np.average(hits[here] / total[here], weights=counts[here]))
