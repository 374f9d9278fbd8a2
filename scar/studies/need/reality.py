"""What really happens: probes at sizes up to everything, and where their curves cross a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats
from scar.foundation.gaps import heldout_counts, measure_gaps
from scar.job.job import Job
from scar.measures.from_probes import observe
from scar.measures.observations import Observations
from scar.probes.probe_set import ProbeTask
from scar.sampling.subsets import Subset, stratified_order
from scar.store.keys import Key, make_key

FRACTIONS = (1.0, 0.84, 0.71, 0.59, 0.5, 0.42, 0.35, 0.3, 0.25, 0.18, 0.125, 0.0625)
"""Sizes, as shares of everything: a geometric grid over the factor 4 between what one has and everything."""
REPEATS = 4
"""Probes of one size at most; disjoint below a half, redrawn twice above."""


def real_subsets(rows: NDArray[np.int64], labels: NDArray[np.int64], *, seed: int) -> list[Subset]:
    """Draw class-aware subsets of every size; `factor` numbers the sizes, the first being everything."""
    subsets = []
    for index, fraction in enumerate(FRACTIONS):
        size = round(fraction * len(rows))
        disjoint = min(REPEATS, int(1 / fraction + 1e-9))
        draws = 1 if fraction == 1 or disjoint > 1 else 2
        for draw in range(draws):
            order = stratified_order(labels[rows], generator(seed, "need_study", index, draw))
            for part in range(disjoint):
                chosen = rows[order[part * size : (part + 1) * size]]
                subsets.append(Subset(index + 1, draw * disjoint + part, np.sort(chosen)))
    return subsets


def reality_key(job: Job) -> Key:
    """The artefact that holds the observations of all sizes."""
    settings = {"probe": job.config.probe, "seed": job.config.seed}
    upstream = [job.inputs.embeddings.key, job.inputs.split.key]
    return make_key("need_study", config=settings, upstream=upstream, code=[observe_reality])


def observe_reality(job: Job) -> Observations:
    """Train and observe probes on all sizes up to primary and reserve together, or read them from the store."""

    def make(folder: Path) -> None:
        from scar.probes.train import share_penalty, train_probes

        config, split = job.config, job.split
        subsets = real_subsets(split.total, split.labels, seed=config.seed)
        tasks = [
            ProbeTask(s.rows, split.validation, derive_seed(config.seed, "need_study", s.factor, s.part))
            for s in subsets
        ]
        features = job.embeddings.array()
        settings: dict[str, Any] = {"num_classes": job.num_classes, "config": config.probe, "trainer": config.trainer}
        tasks = share_penalty(features, split.labels, tasks, **settings)
        probes = train_probes(features, split.labels, tasks, **settings)
        seen = observe(probes, subsets, features, split.labels, num_classes=job.num_classes, heldout=split.heldout)
        seen.save(folder / "observations.npz")

    return Observations.load(job.store.obtain(reality_key(job), make) / "observations.npz")


def gap_curve(observations: Observations) -> tuple[Floats, Floats]:
    """Return sizes [R], ascending, and gaps [R, K + 1] of the steps and, last, of the set: their mean."""
    gaps = measure_gaps(observations, error="balanced")
    return gaps.sizes, np.column_stack([gaps.gap, gaps.gap[:, gaps.defined].mean(axis=1)])


def recall_curve(observations: Observations) -> tuple[Floats, Floats]:
    """Return sizes [R], ascending, and held-out recalls [R, K + 1] of the steps and, last, their mean."""
    misses, _, heldout = heldout_counts(observations)
    groups = [observations.factors == factor for factor in np.unique(observations.factors)]
    sizes = np.array([observations.sizes[rows].mean() for rows in groups])
    recall = np.stack([1.0 - (misses[rows] / np.maximum(heldout, 1.0)).mean(axis=0) for rows in groups])
    order = np.argsort(sizes)
    return sizes[order], np.column_stack([recall, recall[:, heldout > 0].mean(axis=1)])[order]


def falling_crossing(sizes: Floats, curve: Floats, target: float) -> float:
    """Return the size at which a noisy falling curve [R] reaches a target and stays there.

    The curve is made monotone (isotonic regression) and interpolated linearly in log n.

    Returns:
        The size; 0 if the curve starts at or below the target, inf if it never gets there.
    """
    logs = np.log(sizes)
    smooth = IsotonicRegression(increasing=False).fit_transform(logs, curve)
    above = np.flatnonzero(smooth > target)
    if not above.size:
        return 0.0
    last = int(above[-1])
    if last == len(sizes) - 1:
        return float("inf")
    share = (smooth[last] - target) / (smooth[last] - smooth[last + 1])
    return float(np.exp(logs[last] + share * (logs[last + 1] - logs[last])))
