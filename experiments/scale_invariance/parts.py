"""Probes on parts of a training set, each part treated as if it were the whole dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scar.common.randomness import derive_seed
from scar.job.job import Job
from scar.measures.from_probes import observe
from scar.measures.observations import Observations
from scar.sampling.subsets import Subset, SubsetsConfig, draw_subsets
from scar.store.keys import Key, make_key

SCALES = (1, 2, 5, 10)
"""The whole, and the class-aware subsets of 1/2, 1/5 and 1/10 of it."""
MAX_PARTS = 3
"""Disjoint subsets of each scale that are used."""
PLAN = SubsetsConfig(name="scales", factors=SCALES, max_parts=MAX_PARTS)


def observations_key(job: Job) -> Key:
    """The artefact that holds the observations of the whole and of all its parts."""
    settings = {"subsets": job.config.subsets, "probe": job.config.probe, "seed": job.config.seed}
    upstream = [job.inputs.embeddings.key, job.inputs.split.key]
    return make_key("scale_invariance", config=settings, upstream=upstream, code=[observe_scales])


def observe_scales(job: Job) -> dict[tuple[int, int], Observations]:
    """Return the observations per (scale, part); all probes of a seed are trained together."""
    split, config = job.split, job.config
    wholes = draw_subsets(split.total, split.labels, PLAN, seed=derive_seed(config.seed, "scale_invariance"))

    def make(folder: Path) -> None:
        from scar.probes.probe_set import ProbeTask
        from scar.probes.train import share_penalty, train_probes

        inner = [
            draw_subsets(
                whole.rows,
                split.labels,
                config.subsets,
                seed=derive_seed(config.seed, "scale_invariance", whole.factor, whole.part),
            )
            for whole in wholes
        ]
        tasks = [
            ProbeTask(s.rows, split.validation, derive_seed(config.seed, "probe", s.factor, s.part))
            for subsets in inner
            for s in subsets
        ]
        features = job.embeddings.array()
        settings: dict[str, Any] = {"num_classes": job.num_classes, "config": config.probe, "trainer": config.trainer}
        tasks = share_penalty(features, split.labels, tasks, **settings)
        probes = train_probes(features, split.labels, tasks, **settings)
        first = 0
        for whole, subsets in zip(wholes, inner, strict=True):
            chosen = probes.select(list(range(first, first + len(subsets))))
            first += len(subsets)
            seen = observe(chosen, subsets, features, split.labels, num_classes=job.num_classes, heldout=split.heldout)
            seen.save(folder / _name(whole))

    folder = job.store.obtain(observations_key(job), make)
    return {(whole.factor, whole.part): Observations.load(folder / _name(whole)) for whole in wholes}


def _name(whole: Subset) -> str:
    return f"observations-{whole.factor}-{whole.part}.npz"
