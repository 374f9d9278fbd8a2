"""Small training sets of many class mixes, drawn from the primary set, and what probes on them get right.

Subsets of one class mix cannot tell what a class gains by its own size from what it loses to the size of the others.
Compositions can: each draws a share of the primary set and, on top, a share of every class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Bools, Floats, Ints
from scar.data.stratify import draw_per_class, within_class_rank
from scar.probes.decisions import matched_shift
from scar.probes.probe_set import ProbeSet

SHARES = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
"""Shares s of the set, equally likely."""
SPREAD, SMALLEST = 0.8, 0.06
"""A class keeps ``clip(s exp(SPREAD z), SMALLEST, 1)`` of its samples, z standard normal; two of them at least."""


def draw_compositions(rows: Ints, labels: Ints, *, count: int, largest: int, seed: int) -> list[Ints]:
    """Draw training sets of many class mixes.

    Args:
        rows: [n] of the training set.
        labels: [N] class of every row of the embeddings.
        count: how many to draw, besides the set itself.
        largest: samples of the set that are drawn from; of a larger set a class-aware sub-sample.
        seed: of the job.

    Returns:
        1 + `count` sorted lists of rows; the first is the set (or the sub-sample).
    """
    rng = generator(seed, "compositions")
    whole = rows if len(rows) <= largest else rows[draw_per_class(labels[rows], largest, rng)]
    sizes = np.bincount(labels[whole], minlength=1)
    drawn = [np.sort(whole)]
    for _ in range(count):
        share = rng.choice(SHARES) * np.exp(SPREAD * rng.standard_normal(len(sizes)))
        wanted = np.rint(np.clip(share, SMALLEST, 1.0) * sizes).astype(np.int64)
        wanted = np.maximum(wanted, np.minimum(sizes, 2))
        order = rng.permutation(whole)
        drawn.append(np.sort(order[within_class_rank(labels[order]) < wanted[labels[order]]]))
    return drawn


@dataclass(frozen=True, eq=False, kw_only=True)
class CompositionOutcomes:
    """What C probes get right when they decide for one class mix.

    Attributes:
        counts: [K] samples of each class in the training set that the compositions are part of.
        sizes: [C, K] samples that each probe was trained on.
        heldout: [K] held-out samples.
        heldout_hits: [C, K] of them that are classified rightly.
        outside: [C, K] samples of the training set that are not in the composition.
        outside_hits: [C, K] of them that are classified rightly.
    """

    counts: Ints
    sizes: Ints
    heldout: Ints
    heldout_hits: Ints
    outside: Ints
    outside_hits: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class Compositions:
    """Logits of C probes on the held-out part and on the training set that their compositions are part of.

    Attributes:
        counts: [K] samples of each class in that training set.
        sizes: [C, K] samples that each probe was trained on.
        heldout: [h] classes of the held-out samples.
        own: [n] classes of the samples of the training set (or of its sub-sample).
        inside: [C, n] which of them each composition holds.
        logits: [C, h + n, K], less the largest of each row.
    """

    counts: Ints
    sizes: Ints
    heldout: Ints
    own: Ints
    inside: Bools
    logits: NDArray[np.float16]

    @classmethod
    def of(
        cls,
        probes: ProbeSet,
        drawn: Sequence[Ints],
        features: NDArray[np.float32],
        labels: Ints,
        *,
        rows: Ints,
        heldout: Ints,
        num_classes: int,
    ) -> Compositions:
        """Ask the probes.

        Args:
            probes: C of them, in the order of the compositions.
            drawn: rows that each was trained on, of `draw_compositions`.
            features: [N, D] embeddings.
            labels: [N] classes.
            rows: of the training set.
            heldout: rows of the held-out part.
            num_classes: K.
        """
        asked = np.concatenate([heldout, drawn[0]])
        seen = features[asked]
        logits = np.empty((len(drawn), len(asked), num_classes), np.float16)
        for index in range(len(drawn)):
            values = probes.logits(index, seen)
            logits[index] = values - values.max(axis=1, keepdims=True)
        return cls(
            counts=np.bincount(labels[rows], minlength=num_classes),
            sizes=np.stack([np.bincount(labels[each], minlength=num_classes) for each in drawn]),
            heldout=labels[heldout],
            own=labels[drawn[0]],
            inside=np.stack([np.isin(drawn[0], each) for each in drawn]),
            logits=logits,
        )

    def decide(self, mix: Floats) -> CompositionOutcomes:
        """Count what is right where every probe decides for a class mix [K], whatever it was trained on.

        With the mix of a training set these are its raw decisions but for what the data teach (`matched_shift`).
        """
        classes, held = len(mix), len(self.heldout)
        truth = np.concatenate([self.heldout, self.own])
        heldout_hits, outside_hits, outside = [], [], []
        for logits, sizes, inside in zip(self.logits, self.sizes, self.inside, strict=True):
            shift = matched_shift(sizes, mix).astype(np.float32)
            right = (logits + shift).argmax(axis=1) == truth
            out = ~inside
            heldout_hits.append(np.bincount(truth[:held][right[:held]], minlength=classes))
            outside_hits.append(np.bincount(self.own[right[held:] & out], minlength=classes))
            outside.append(np.bincount(self.own[out], minlength=classes))
        return CompositionOutcomes(
            counts=self.counts,
            sizes=self.sizes,
            heldout=np.bincount(self.heldout, minlength=classes),
            heldout_hits=np.stack(heldout_hits),
            outside=np.stack(outside),
            outside_hits=np.stack(outside_hits),
        )
