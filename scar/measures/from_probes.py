"""From trained probes to observations: one streaming pass over each subset and over the held-out part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.measures.observations import Observations
from scar.measures.steps import MEASURES, StepStatistics
from scar.probes.decisions import matched_label_shift
from scar.probes.probe_set import ProbeSet
from scar.sampling.subsets import Subset

CHUNK = 16_384
# Rows whose logits are held at once.


def observe(
    probes: ProbeSet,
    subsets: Sequence[Subset],
    features: NDArray[np.float32],
    labels: Ints,
    *,
    num_classes: int,
    heldout: Ints,
    decision: str = "argmax",
    bins: int = 100,
    min_count: int = 30,
) -> Observations:
    """Measure every probe on its own subset and on the held-out part.

    Args:
        probes: P trained probes, in the order of the subsets.
        subsets: what each probe was trained on; the first has factor 1 and is the whole set.
        features: [N, D] embeddings.
        labels: [N] class of every row, or [N, K] zeros and ones.
        num_classes: K.
        heldout: rows of the held-out part; may be empty.
        decision: ``"argmax"`` or ``"threshold"``, see `scar.measures.steps.scar_measures`; several labels per sample take
            the latter.
        bins: of the histogram behind the coverage.
        min_count: true positives that a defined coverage needs.
    """
    several = labels.ndim == 2
    decision = "threshold" if several else decision

    def seen(index: int, rows: Ints, shift: Floats | None = None) -> StepStatistics:
        statistics = StepStatistics(num_classes, decision=decision)
        for chunk in (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)):
            logits = probes.logits(index, features[chunk])
            statistics.update(logits if shift is None else logits + shift, labels[chunk])
        return statistics

    own = [seen(index, subset.rows) for index, subset in enumerate(subsets)]
    shifts: list[Floats | None] = [None] * len(own)
    if several:  # errors are counted after decisions matched to equal frequencies
        even = np.full(num_classes, 0.5)
        shifts = [matched_label_shift(s.class_sizes, s.samples, even) for s in own]
    scales = [1 / subset.factor for subset in subsets]
    measures = [s.compute(scale=c, bins=bins, min_count=min_count) for s, c in zip(own, scales, strict=True)]
    sizes = np.stack([s.class_sizes for s in own])
    absent = sizes == 0

    def stack(name: str) -> NDArray[np.float64]:
        values = np.stack([getattr(m, name) for m in measures]).astype(np.float64)
        return np.where(absent, np.nan, values)  # a class that a part does not hold has no measure there

    measured: dict[str, Any] = {name: stack(name) for name in MEASURES}
    if several:
        measured["heldout_samples"] = len(heldout)
        own = [seen(index, subset.rows, shifts[index]) for index, subset in enumerate(subsets)]
    if len(heldout):
        outside = [seen(index, heldout, shifts[index]) for index in range(len(subsets))]
        measured |= {
            "heldout_misses": np.stack([s.misses for s in outside]),
            "heldout_false_alarms": np.stack([s.false_alarms for s in outside]),
            "heldout_class_sizes": outside[0].class_sizes,
        }
    return Observations(
        factors=np.array([s.factor for s in subsets]),
        parts=np.array([s.part for s in subsets]),
        sizes=np.array([len(s.rows) for s in subsets]),
        class_sizes=sizes,
        true_positives=np.stack([m.true_positives for m in measures]),
        train_misses=np.stack([s.misses for s in own]),
        train_false_alarms=np.stack([s.false_alarms for s in own]),
        n_total=len(subsets[0].rows),
        converged=probes.converged,
        constant_features=probes.constant_features,
        far_rows=probes.far_rows,
        **measured,
    )
