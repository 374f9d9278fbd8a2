"""How much memory a selection will take, before it takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scar.selection.base import Ints, Selection

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
    largest = int(np.bincount(classes).max(initial=0)) if len(classes) else 0
    shared = 4 * dimension * (len(classes) + anchors) + 32 * len(classes)
    own = getattr(selection, "class_bytes", None)
    return shared + (int(own(largest, dimension, anchors)) if own else 0) if selection.name != "random" else 0


def announce(selection: Selection, classes: Ints, dimension: int, *, anchors: int = 0) -> int:
    """Print the planned memory where it is large; return it."""
    size = planned_bytes(selection, classes, dimension, anchors=anchors)
    if size >= WORTH_SAYING:
        from scar.console import console

        console().print(f"selection={selection.name}: {len(classes):,} samples, {size / 2**30:.1f} GiB planned")
    return size
