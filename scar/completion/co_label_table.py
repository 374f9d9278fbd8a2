"""Which labels the samples carry that stand under each label (see `scar.completion.co_labels`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from scar.common.types import Floats, Ints

NO_LABEL = -1
"""What a sample stands under that carries no label."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CoLabels:
    """What samples bring, by the label that they stand under.

    Attributes:
        samples: of the training set.
        standing: [K] training samples that stand under each label.
        room: [K] samples that stand under each label in the pool; `UNBOUNDED` where nothing bounds what may be had.
        table: [K, K] labels that a sample brings which stands under label j, on average; its own, j, once.
        rare_first: [K] the labels, the rarest of the training set first.
    """

    samples: int
    standing: Ints
    room: Ints
    table: Floats
    rare_first: Ints

    @classmethod
    def of(cls, training: Ints, pool: Ints | None, *, unbounded: int) -> Self:
        """Count what stands under each label.

        Args:
            training: [n, K] zeros and ones.
            pool: [M, K]; None where there is none, or its labels are not known.
            unbounded: room where there is no pool.
        """
        counts = training.sum(axis=0, dtype=np.int64)
        size, here = len(counts), stand_under(training, counts)
        table = _means(training, here, np.eye(size))
        room = np.full(size, unbounded, np.int64)
        if pool is not None:
            there = stand_under(pool, counts)
            table, room = _means(pool, there, table), np.bincount(there[there >= 0], minlength=size)
        return cls(
            samples=len(training),
            standing=np.bincount(here[here >= 0], minlength=size),
            room=room,
            table=table,
            rare_first=np.argsort(counts, kind="stable"),
        )

    @property
    def most(self) -> float:
        """Most labels that a sample brings, on average over those under one label."""
        return float(self.table.sum(axis=1).max())

    def cover(self, wanted: Ints) -> Ints:
        """Return [K] the samples to buy under each label so that at least ``wanted`` [K] of each label come, if they can."""
        bought, come = np.zeros(len(wanted), np.int64), np.zeros(len(wanted))

        def take(under: int, lacking: float, each: float) -> None:
            count = min(int(np.ceil(lacking / each - 1e-9)), int(self.room[under] - bought[under]))
            bought[under] += count
            come[:] += count * self.table[under]

        for label in self.rare_first:
            if wanted[label] > come[label]:
                take(label, wanted[label] - come[label], 1.0)
            for under in np.argsort(
                -self.table[:, label], kind="stable"
            ):  # the others that carry it stand under rarer ones
                if wanted[label] <= come[label] or self.table[under, label] <= 0:
                    break
                take(under, wanted[label] - come[label], self.table[under, label])
        return bought

    def brings(self, bought: Ints) -> Floats:
        """Return [K] how many samples of each label those bring that are bought under each, as is to be expected."""
        return np.asarray(bought @ self.table)


def stand_under(labels: Ints, counts: Ints) -> Ints:
    """Return [N] the rarest label that each sample carries, `NO_LABEL` for one that carries none.

    Args:
        labels: [N, K] zeros and ones.
        counts: [K] training samples that carry each label.
    """
    rare_first = np.argsort(counts, kind="stable")
    sorted_labels = labels[:, rare_first] > 0
    return np.where(sorted_labels.any(axis=1), rare_first[sorted_labels.argmax(axis=1)], NO_LABEL)


def _means(labels: Ints, under: Ints, otherwise: Floats) -> Floats:
    """Return [K, K] the mean labels of the samples under each label; of `otherwise` where there is none."""
    table = otherwise.copy()
    for label in np.unique(under[under >= 0]):
        table[label] = labels[under == label].mean(axis=0)
    return table
