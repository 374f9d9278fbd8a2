"""How much memory a selection will take, before it takes it."""

from __future__ import annotations

import numpy as np

from scar.common.console import console
from scar.common.types import Ints
from scar.completion.selection.selection import Selection

CHUNK_BYTES = 128 * 2**20
"""Similarities that are held at once."""
WORTH_SAYING = 2**30
"""Bytes from which on the plan is printed."""


def chunk_rows(columns: int) -> int:
    """Return how many rows of similarities to so many columns fit into a chunk."""
    return max(CHUNK_BYTES // (4 * max(columns, 1)), 1)


def planned_bytes(selection: Selection, classes: Ints, dimension: int, *, anchors: int = 0) -> int:
    """Return the bytes that ranking a pool takes at most, above the pool's own features.

    Args:
        selection: the rule.
        classes: [R] class of every sample; classes are ranked one after the other.
        dimension: numbers D per sample.
        anchors: samples M that are there already.
    """
    if not (selection.needs_features or selection.needs_margins):
        return 0
    largest = int(np.bincount(classes).max(initial=0)) if len(classes) else 0
    shared = 4 * dimension * (len(classes) + anchors) + 32 * len(classes)
    return shared + selection.class_bytes(largest, dimension, anchors)


def announce(selection: Selection, classes: Ints, dimension: int, *, anchors: int = 0) -> int:
    """Print the planned memory where it is large; return it."""
    size = planned_bytes(selection, classes, dimension, anchors=anchors)
    if size >= WORTH_SAYING:
        console().print(f"selection={selection.name}: {len(classes):,} samples, {size / 2**30:.1f} GiB planned")
    return size
