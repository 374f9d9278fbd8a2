"""From embeddings and a probe to the pool that a selection ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats32, Ints
from scar.completion.selection._memory_needs import announce, chunk_rows
from scar.completion.selection.selection import Pool, Selection
from scar.probes.probe_set import ProbeSet


def make_pool(
    selection: Selection,
    features: Floats32,
    *,
    rows: Ints,
    classes: Ints,
    anchors: Ints,
    anchor_classes: Ints,
    probe: ProbeSet | None = None,
) -> Pool | None:
    """Gather what a selection looks at, and print the memory it will take where that is much.

    Args:
        selection: the rule.
        features: [N, D] embeddings of everything.
        rows: [R] of the samples that can be taken, in a random order.
        classes: [R] their classes.
        anchors: [M] rows of the samples that are there already.
        anchor_classes: [M] their classes.
        probe: trained on these, for a selection that looks at margins.

    Returns:
        The pool, or None where the selection looks at nothing but the order.
    """
    if not (selection.needs_features or selection.needs_margins):
        return None
    announce(selection, classes, features.shape[1], anchors=len(anchors))
    return Pool(
        features=features[rows] if selection.needs_features else None,
        classes=classes,
        anchors=features[anchors] if selection.needs_features else None,
        anchor_classes=anchor_classes,
        margins=margins(probe, features, rows) if selection.needs_margins and probe is not None else None,
    )


def margins(probe: ProbeSet, features: Floats32, rows: Ints) -> NDArray[np.float64]:
    """Return [R] the probability of the likeliest class less that of the second, by the first probe."""
    values = np.empty(len(rows))
    step = chunk_rows(features.shape[1] + probe.biases.shape[1])
    for start in range(0, len(rows), step):
        logits = probe.logits(0, features[rows[start : start + step]]).astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        ordered = np.partition(powers / powers.sum(axis=1, keepdims=True), -2, axis=1)
        values[start : start + step] = ordered[:, -1] - ordered[:, -2]
    return values
