"""Class probabilities of every sample by probes that have not seen it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats, Ints
from scar.probes.probe_set import ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig

VALIDATION = 0.125
"""Share of what a probe may see on which it stops, or chooses its penalty."""


def cross_fit(
    features: NDArray[np.float32],
    labels: Ints,
    *,
    num_classes: int,
    folds: int,
    seed: int,
    probe: ProbeConfig,
    trainer: TrainerConfig,
    groups: Ints | None = None,
) -> Floats:
    """Return [N, K] probabilities; each sample's come from the probe that was trained without its fold.

    Args:
        features: [N, D].
        labels: [N] classes as given, errors included.
        num_classes: K.
        folds: parts that are left out in turn.
        seed: of the folds.
        probe: how the probes are trained.
        trainer: on what.
        groups: [N] samples of one group are in one fold: copies would vouch for each other.

    Raises:
        ValueError: there are fewer groups than folds.
    """
    from scar.probes.train import share_penalty, train_probes  # with torch

    fold = assign_folds(np.arange(len(labels)) if groups is None else groups, folds, seed)
    tasks = []
    for index in range(folds):
        seen = generator(seed, "inspection validation", index).permutation(np.flatnonzero(fold != index))
        held = max(int(VALIDATION * len(seen)), 1)
        chosen = derive_seed(seed, "inspection", index)
        tasks.append(ProbeTask(train=np.sort(seen[held:]), validation=np.sort(seen[:held]), seed=chosen))
    settings: dict[str, Any] = {"num_classes": num_classes, "config": probe, "trainer": trainer}
    tasks = share_penalty(features, labels, tasks, **settings)
    probes = train_probes(features, labels, tasks, **settings)
    probabilities = np.empty((len(labels), num_classes))
    for index in range(folds):
        rows = np.flatnonzero(fold == index)
        probabilities[rows] = _softmax(probes.logits(index, np.asarray(features[rows])))
    return probabilities


def assign_folds(groups: Ints, folds: int, seed: int) -> Ints:
    """Return [N] the fold of each sample; groups stay whole and are dealt out at random."""
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < folds:
        raise ValueError(f"inspection.folds={folds} exceeds the {len(names)} samples that differ")
    fold: Ints = (generator(seed, "inspection folds").permutation(len(names)) % folds)[member]
    return fold


def _softmax(logits: NDArray[np.float32]) -> Floats:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    result: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return result
