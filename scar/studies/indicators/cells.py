"""Where derived datasets take their samples from: cells, each a class of one source, with its pool in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Ints

OWN, SECOND, OTHER, SYNTHETIC = "same dataset", "second source", "another dataset", "synthetic"
"""Sources: the training samples, shifted copies of some of them, another dataset's classes, generated classes."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows of the features by source and class.

    Attributes:
        sources: [G] source of each cell.
        classes: [G] class that its samples are labelled with; a class of another dataset has an id of its own.
        pools: [G] rows of each cell, in the order in which they are taken.
    """

    sources: NDArray[np.str_]
    classes: Ints
    pools: tuple[Ints, ...]

    @property
    def available(self) -> Ints:
        """[G] samples of each cell."""
        return np.array([len(pool) for pool in self.pools], np.int64)

    def of(self, source: str) -> Ints:
        """Return the cells of a source."""
        return np.flatnonzero(self.sources == source)

    def take(self, sizes: Ints) -> tuple[Ints, Ints]:
        """Take the first samples of every cell, so that a larger size holds the smaller one; the rest is the reserve.

        Args:
            sizes: [G] samples of each cell.

        Returns:
            [n] rows and [n] classes.

        Raises:
            ValueError: a cell has fewer samples.
        """
        short = np.flatnonzero(sizes > self.available)
        if len(short) or sizes.min() < 0:
            cell = int(short[0]) if len(short) else int(sizes.argmin())
            raise ValueError(
                f"sizes[{cell}]={sizes[cell]}, but class {self.classes[cell]} of the {self.sources[cell]} has "
                f"{self.available[cell]} samples"
            )
        rows = np.concatenate([pool[:size] for pool, size in zip(self.pools, sizes, strict=True)])
        return rows, np.repeat(self.classes, sizes)


def build_cells(parts: Sequence[tuple[str, Ints, Ints]], *, seed: int, last: NDArray[np.bool_] | None = None) -> Cells:
    """Order the samples of every source by class, at random.

    Args:
        parts: source, [n] rows and [n] classes (ids over all sources) of each part.
        seed: of the order.
        last: [N] rows that a pool gives away last: those whose shifted copies are the second source.
    """
    sources, classes, pools = [], [], []
    for index, (source, rows, labels) in enumerate(parts):
        order = generator(seed, "cells", index).permutation(len(rows))
        for class_id in np.unique(labels):
            pool = rows[order[labels[order] == class_id]]
            if last is not None and source == OWN:
                pool = np.concatenate([pool[~last[pool]], pool[last[pool]]])
            sources.append(source)
            classes.append(class_id)
            pools.append(pool)
    return Cells(np.array(sources), np.array(classes, np.int64), tuple(pools))
