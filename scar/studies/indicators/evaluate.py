"""Train heads on every derived dataset of a seed, and score them: accuracy, robustness, SCAR measures, indicators."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32, Ints
from scar.job.job import Job
from scar.sampling.indicators import dataset_indicators
from scar.sampling.subsets import SubsetsConfig
from scar.store.keys import make_key
from scar.studies.indicators.cells import Cells, build_cells
from scar.studies.indicators.derived_datasets import CLASS_SIZES, Derived, derive
from scar.studies.indicators.derived_measures import FOUNDATION_PLAN, UNMEASURED, scar_measures, subset_tasks
from scar.studies.indicators.heads import LINEAR, MLP, HeadTask, Logits, masked_predictions
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.questions import needed_for_findings
from scar.studies.indicators.source_features import SourceFeatures, source_parts


@dataclass(frozen=True, eq=False)
class SeedResult:
    """Scores of one seed.

    Attributes:
        table: one row per derived dataset and head.
        correct: [rows, n_test] by test item: 1 right, 0 wrong, -1 not of a target class.
        shifted: [rows, s] share of the shifts under which a shift item is right, -1 likewise.
    """

    table: pd.DataFrame
    correct: NDArray[np.int8]
    shifted: Floats32


def evaluate_seed(job: Job, material: SourceFeatures, study: IndicatorStudy, *, index: int) -> SeedResult:
    """Return the scores of one seed, from the store where they are there.

    Args:
        job: with the seed.
        material: of `scar.studies.indicators.source_features.gather`.
        study: fitted to the dataset.
        index: of the seed: the first ones also get Foundation Data Sizes and an MLP.
    """
    parts = {"foundation": index < study.foundation_seeds, "mlp": index < study.mlp_seeds}

    def make(folder: Path) -> None:
        result = _evaluate(job, material, study, **parts)
        result.table.to_parquet(folder / "table.parquet", index=False)
        np.savez_compressed(folder / "items.npz", allow_pickle=False, correct=result.correct, shifted=result.shifted)

    key = make_key(
        "indicator_study",
        config={"study": study, "probe": job.config.probe, "seed": job.config.seed, **parts},
        upstream=[job.inputs.split.key, *material.keys],
        code=[_evaluate],
    )
    folder = job.store.obtain(key, make)
    with np.load(folder / "items.npz", allow_pickle=False) as items:
        return SeedResult(pd.read_parquet(folder / "table.parquet"), items["correct"], items["shifted"])


def _evaluate(job: Job, material: SourceFeatures, study: IndicatorStudy, *, foundation: bool, mlp: bool) -> SeedResult:
    from scar.studies.indicators.head_training import train_linear, train_mlp  # with torch

    seed, config = job.config.seed, job.config
    last = np.zeros(len(material.features), bool)
    last[material.second_of] = True
    cells = build_cells(source_parts(material, job.split.total, job.split.labels), seed=seed, last=last)
    derived = derive(cells, study, seed=seed)
    tasks = [_task(job, cells, each, study) for each in derived]
    plan = FOUNDATION_PLAN if foundation else SubsetsConfig(factors=(1,))
    measured = {i: subset_tasks(tasks[i], plan, seed=seed) for i, d in enumerate(derived) if d.family == CLASS_SIZES}
    smaller = [task for _, parts in measured.values() for task in parts]
    linear = train_linear(material.features, [*tasks, *smaller], config=config.probe, trainer=config.trainer)
    rest = iter(linear[len(tasks) :])
    scar = {
        i: scar_measures(job, material.features, tasks[i], subsets, [linear[i], *(next(rest) for _ in parts)])
        for i, (subsets, parts) in measured.items()
    }
    heads: dict[tuple[str, int], Logits] = {(LINEAR, i): linear[i] for i in range(len(tasks))}
    if mlp:
        stop = {"max_epochs": config.probe.max_epochs, "patience": config.probe.patience}
        asked = needed_for_findings(study)
        chosen = [i for i, each in enumerate(derived) if each.name in asked]
        trained = train_mlp(material.features, [tasks[i] for i in chosen], **stop)
        heads |= {(MLP, i): head for i, head in zip(chosen, trained, strict=True)}
    records, correct, shifted = [], [], []
    for (kind, i), head in heads.items():
        scores, right, share = _score(job, material, derived[i], tasks[i], head, study)
        about = {**_about(derived[i], tasks[i], study), "seed": seed, "head": kind}
        records.append({**about, **scores, **scar.get(i, UNMEASURED)})
        correct.append(right)
        shifted.append(share)
    return SeedResult(pd.DataFrame(records), np.stack(correct), np.stack(shifted))


def _task(job: Job, cells: Cells, derived: Derived, study: IndicatorStudy) -> HeadTask:
    rows, labels = cells.take(derived.sizes)
    validation = _balanced_rows(job, derived.targets, study.validation_per_class)
    return HeadTask(
        rows=rows,
        labels=labels,
        validation=validation,
        validation_labels=job.split.labels[validation],
        classes=np.union1d(labels, derived.targets),
        seed=derive_seed(job.config.seed, "indicator study"),
    )


def _balanced_rows(job: Job, targets: Ints, most: int) -> Ints:
    """Return as many validation rows of every target class: accuracy is balanced, and so is what stops training."""
    rows, labels = job.split.validation, job.split.labels
    order = generator(job.config.seed, "balanced validation").permutation(rows)
    by_class = [order[labels[order] == c] for c in targets]
    size = min(most, *(len(each) for each in by_class))
    return np.sort(np.concatenate([each[:size] for each in by_class]))


def _about(derived: Derived, task: HeadTask, study: IndicatorStudy) -> dict[str, Any]:
    names = ("name", "family", "kind", "source", "matched")
    indicators = dataset_indicators(
        np.searchsorted(task.classes, task.labels), tails=study.tails, num_classes=len(task.classes)
    )
    return {n: getattr(derived, n) for n in names} | {"samples": len(task.rows), **indicators}


def _score(
    job: Job, material: SourceFeatures, derived: Derived, task: HeadTask, head: Logits, study: IndicatorStudy
) -> tuple[dict[str, float], NDArray[np.int8], Floats32]:
    test, labels = job.split.test, job.split.labels
    logits = head(material.features[test])
    by_masking = {
        masking: _right(
            masked_predictions(logits, task.classes, derived.targets, masking=masking), labels[test], derived
        )
        for masking in ("exclude", "zero")
    }
    right = by_masking[study.masking]
    scores = {"accuracy": _balanced_accuracy(right, labels[test])}
    scores |= {f"accuracy_{name}": _balanced_accuracy(each, labels[test]) for name, each in by_masking.items()}
    truth = labels[material.shift_rows]
    under = []
    for name, features in material.shifted.items():
        answer = masked_predictions(head(features), task.classes, derived.targets, masking=study.masking)
        under.append(_right(answer, truth, derived))
        scores[f"shift_{name}"] = _balanced_accuracy(under[-1], truth)
    for name, (features, classes) in material.tests.items():
        answer = masked_predictions(head(features), task.classes, derived.targets, masking=study.masking)
        scores[f"shift_{name}"] = _balanced_accuracy(_right(answer, classes, derived), classes)
    under_shift = [value for name, value in scores.items() if name.startswith("shift_")]
    scores["robustness"] = float(np.nanmean(under_shift))
    return scores, right, np.mean(under, axis=0, dtype=np.float32)


def _right(predictions: Ints, truth: Ints, derived: Derived) -> NDArray[np.int8]:
    return np.where(np.isin(truth, derived.targets), predictions == truth, -1).astype(np.int8)


def _balanced_accuracy(right: NDArray[np.int8], truth: Ints) -> float:
    inside = right >= 0
    if not inside.any():
        return float("nan")  # a shift that has none of the target classes
    _, place, counts = np.unique(truth[inside], return_inverse=True, return_counts=True)
    return float(np.mean(np.bincount(place, weights=right[inside]) / counts))
