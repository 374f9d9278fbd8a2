"""Measures and estimates of parts of a training set, each treated as if it were the whole dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from scar.foundation import make_estimators
from scar.foundation.config import FoundationConfig
from scar.foundation.heldout import HeldoutEstimator
from scar.measures import Observations
from scar.measures.debias import coverage_deficit
from scar.observe import observe
from scar.pipeline import Job
from scar.randomness import derive_seed
from scar.store import Key, make_key
from scar.subsets import Subset, SubsetsConfig, draw_subsets

SCALES = (1, 2, 5, 10)
"""The whole, and the class-aware subsets of 1/2, 1/5 and 1/10 of it."""
MAX_PARTS = 3
"""Disjoint subsets of each scale that are used."""
PLAN = SubsetsConfig(name="scales", factors=SCALES, max_parts=MAX_PARTS)


def observations_key(job: Job) -> Key:
    """The artefact that holds the observations of the whole and of all its parts."""
    code = ["scar.subsets", "scar.probes", "scar.observe", "scar.measures", "experiments.scale_invariance.measure"]
    settings = {"subsets": job.config.subsets, "probe": job.config.probe, "seed": job.config.seed}
    return make_key("scale_invariance", config=settings, upstream=[job.embeddings_key, job.split_key], code=code)


def observe_scales(job: Job) -> dict[tuple[int, int], Observations]:
    """Return the observations per (scale, part); all probes of a seed are trained together."""
    split, config = job.split, job.config
    wholes = draw_subsets(split.total, split.labels, PLAN, seed=derive_seed(config.seed, "scale_invariance"))

    def make(folder: Path) -> None:
        from scar.probes import ProbeTask, train_probes

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
        probes = train_probes(
            features, split.labels, tasks, num_classes=job.num_classes, config=config.probe, trainer=config.trainer
        )
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


def measures_of(seen: Observations) -> dict[str, float]:
    """Return each measure at full size (r = 1), averaged over the classes; NaN if any class is undefined there.

    ``debiased_coverage`` is 1 less the coverage deficit beyond what chance takes from a normal sample of that size.
    ``wrong_decisions`` is 1 - A: near A = 1 a ratio of A hides what becomes of the errors.
    """
    coverage, count = seen.coverage[:1], seen.true_positives[:1]
    deficit, _ = coverage_deficit(coverage, count)
    authenticity = float(seen.authenticity[0].mean())
    return {
        "scale": float(seen.scale[0].mean()),
        "coverage": float(coverage.mean()),
        "debiased_coverage": float(1.0 - deficit.mean()),
        "authenticity": authenticity,
        "richness": float(seen.richness[0].mean()),
        "wrong_decisions": 1.0 - authenticity,
    }


def sizes_of(seen: Observations, config: FoundationConfig) -> dict[str, float]:
    """Return the Foundation Data Size of the set by every estimator.

    0 where met, except that `heldout` also tells sizes within the data.
    """
    sizes = {}
    for name, estimator in make_estimators(config).items():
        fitted = estimator.fit(seen)
        inside = isinstance(fitted, HeldoutEstimator)
        sizes[name] = fitted.crossings(config.epsilon).set_size if inside else fitted.foundation_size_
    return sizes


def characterize_scales(job: Job, dataset: str, epsilon: float) -> pd.DataFrame:
    """Return one row per (scale, part, quantity) of one seed: quantity, kind, value and n."""

    def make(folder: Path) -> None:
        records = []
        for (scale, part), seen in observe_scales(job).items():
            about = {"dataset": dataset, "seed": job.config.seed, "scale": scale, "part": part, "n": seen.n_total}
            for kind, values in (("measure", measures_of(seen)), ("size", sizes_of(seen, config))):
                records += [about | {"kind": kind, "quantity": name, "value": v} for name, v in values.items()]
        pd.DataFrame.from_records(records).to_parquet(folder / "values.parquet", index=False)

    config = FoundationConfig(epsilon=epsilon)
    key = make_key(
        "scale_invariance_values",
        config={"dataset": dataset, "foundation": config},
        upstream=[observations_key(job)],
        code=["scar.foundation", "scar.measures.debias", "experiments.scale_invariance.measure"],
    )
    values = pd.read_parquet(job.store.obtain(key, make) / "values.parquet")
    return values.assign(value=np.asarray(values["value"], dtype=np.float64))
