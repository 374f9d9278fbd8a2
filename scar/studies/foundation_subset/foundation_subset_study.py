"""Foundation Data itself: a minimal subset that preserves generalisation, built and put to the test.

    scar experiment=foundation_subset        see experiments/foundation_subset/README.md

Of all training data (primary set and reserve) the estimator says how much is enough; a selection says which samples.
Probes on subsets of many sizes are scored on the test part, beside random subsets of equal size and the full set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scar.common.console import console
from scar.common.randomness import derive_seed, generator
from scar.common.types import Ints
from scar.completion.by_name import SELECTIONS
from scar.completion.plan import take_first
from scar.completion.selection.candidates import make_pool
from scar.completion.selection.selection import Selection
from scar.config.schema import Config
from scar.data.stratify import share_out
from scar.evaluation.scores import raw_scores
from scar.foundation.heldout import HeldoutEstimator
from scar.job.algorithm import algorithm
from scar.job.job import Job
from scar.probes.probe_set import ProbeTask
from scar.store.keys import Key, make_key
from scar.store.store import Store
from scar.studies.common import write_csv, write_png, write_text
from scar.studies.foundation_subset.foundation_subset_figure import draw
from scar.studies.foundation_subset.foundation_subset_table import compare, conclude

RULES: dict[str, Selection] = {
    name: SELECTIONS[name]
    for name in ("random", "k_center", "facility_location", "herding", "margin", "semantic_dedup")
}


@dataclass(frozen=True, kw_only=True)
class SubsetStudySettings:
    """All that is fixed before a result is seen.

    Attributes:
        seeds: how many; each redraws the cuts, the random subsets and the initialisation.
        shares: sizes of the subsets, as shares of all training data.
        gaps: thresholds ε of the held-out gap whose sizes are tried as well.
        tolerance: points of accuracy that a subset may lose and still preserve generalisation, as a fraction.
    """

    seeds: int = 10
    shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
    gaps: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08)
    tolerance: float = 0.01


@dataclass(frozen=True)
class Part:
    """One training set: a selection and a size; `origin` says why this size."""

    selection: str
    origin: str
    size: int


def run(config: Config, folder: Path) -> None:
    """Run the study for the dataset of a configuration.

    Args:
        config: dataset, encoder, probe, estimators and first seed; regime and completion are not used.
        folder: gets sizes.csv, table.csv, table.md and figure.png.
    """
    table, sentences = study_subsets(config, SubsetStudySettings(), folder)
    console().print(table.to_markdown(index=False, floatfmt=".3f"), markup=False, highlight=False)
    for sentence in sentences:
        console().print(sentence, markup=False, highlight=False)


def study_subsets(config: Config, settings: SubsetStudySettings, folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Train, score and compare all subsets; returns the table and what it says."""
    store, found = Store(config.paths.store_dir, policy=config.store.policy), []
    for index in range(settings.seeds):
        job = algorithm(replace(config, seed=config.seed + index), store)
        found.append(_seed(job, settings))
        console().print(f"[dim]{config.dataset.name}: seed {job.config.seed} done[/]")
    rows = pd.concat([rows for rows, _ in found], ignore_index=True)
    labels = job.split.labels[job.split.test]
    table = compare(rows, [predictions for _, predictions in found], labels)
    sentences = conclude(table, rows, gaps=settings.gaps, tolerance=settings.tolerance)
    write_csv(folder / "sizes.csv", rows)
    write_csv(folder / "table.csv", table)
    write_text(
        folder / "table.md", table.to_markdown(index=False, floatfmt=".4f") + "\n\n" + "\n".join(sentences) + "\n"
    )
    write_png(folder / "figure.png", draw(table, title=config.dataset.name))
    return table, sentences


def plan_parts(job: Job, settings: SubsetStudySettings) -> list[Part]:
    """Return the training sets of a seed: the grid of sizes, the sizes that the estimator asks for, and everything."""
    total = len(job.split.total)
    sizes = {f"{share:g}": round(share * total) for share in settings.shares}
    heldout = HeldoutEstimator(level=job.config.foundation.level).fit(job.observations("total"))
    for gap in settings.gaps:
        size = heldout.crossings(gap).set_size
        if np.isfinite(size) and job.num_classes <= size < total:
            sizes[f"gap {gap:g}"] = round(size)
    return [Part("all", "all", total)] + [Part(n, origin, size) for n in RULES for origin, size in sizes.items()]


def draw_rows(job: Job, name: str, sizes: Sequence[int]) -> Iterator[Ints]:
    """Yield the rows that a selection takes for each size; every class keeps its share, small subsets lie in large ones."""
    rule = RULES[name]
    order = generator(job.config.seed, "foundation_subset").permutation(job.split.total)
    classes = job.split.labels[order]
    present = np.bincount(classes, minlength=job.num_classes)
    counts = [share_out(present, size, generator(job.config.seed, "foundation_subset shares")) for size in sizes]
    pool = make_pool(
        rule,
        job.embeddings.array(),
        rows=order,
        classes=classes,
        anchors=order[:0],
        anchor_classes=classes[:0],
        probe=job.characterized["total"].probes.value,
    )
    ranked = np.arange(len(order)) if pool is None else rule.rank(pool, np.max(counts, axis=0)).order
    for each in counts:
        yield np.sort(order[take_first(ranked, classes[ranked], each)])


def _key(job: Job, settings: SubsetStudySettings) -> Key:
    fixed = {"shares": settings.shares, "gaps": settings.gaps, "seed": job.config.seed, "probe": job.config.probe}
    upstream = [job.characterized["total"].measures.key]
    return make_key("foundation_subset", config=fixed, upstream=upstream, code=[_seed])


def _seed(job: Job, settings: SubsetStudySettings) -> tuple[pd.DataFrame, Ints]:
    """Return the scores of all subsets of a seed and their predictions [parts, n_test]."""

    def make(folder: Path) -> None:
        from scar.probes.train import share_penalty, train_probes

        split, config, features = job.split, job.config, job.embeddings.array()
        parts = plan_parts(job, settings)
        rows = [split.total]
        for name in RULES:
            rows += draw_rows(job, name, [part.size for part in parts if part.selection == name])
        seed = derive_seed(config.seed, "foundation_subset")
        tasks = [ProbeTask(train=each, validation=split.validation, seed=seed) for each in rows]
        how: dict[str, Any] = {"num_classes": job.num_classes, "config": config.probe, "trainer": config.trainer}
        probes = train_probes(features, split.labels, share_penalty(features, split.labels, tasks, **how), **how)
        test, truth = features[split.test], split.labels[split.test]
        predicted = np.stack([probes.predict(index, test) for index in range(len(parts))])
        scores = [raw_scores(each, truth) for each in predicted]
        frame = pd.DataFrame([{"seed": config.seed, **vars(p), **s} for p, s in zip(parts, scores, strict=True)])
        frame.to_parquet(folder / "scores.parquet", index=False)
        np.save(folder / "predictions.npy", predicted.astype(np.uint16), allow_pickle=False)

    folder = job.store.obtain(_key(job, settings), make)
    return pd.read_parquet(folder / "scores.parquet"), np.load(folder / "predictions.npy").astype(np.int64)
