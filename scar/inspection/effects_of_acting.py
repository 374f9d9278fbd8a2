"""What changes if the findings are acted on: labels corrected, duplicates removed, everything run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scar.common.files import replacing
from scar.common.spreadsheets import write_rows
from scar.data.sources.corrected import Corrected
from scar.evaluation.intervals import corrected_interval, paired_difference
from scar.evaluation.weighted_metrics import METRICS, weighted_scores
from scar.inspection.inspection import Inspection
from scar.inspection.kinds import BOTH, CORRECTED, DUPLICATE, LABEL, NEAR, REMOVED
from scar.job.algorithm import algorithm
from scar.job.job import Job
from scar.job.measurements import measure_job
from scar.job.metrics import Metric
from scar.job.shared_bank import retrain_arms
from scar.measures.steps import MEASURES


def measure_effects(inspection: Inspection, folder: Path, *, seeds: int, level: float = 0.95) -> pd.DataFrame:
    """Run the job again on the data as they would be, over redrawn splits; the test part stays as it is.

    Suspected labels of the training part take the suggested class; training samples that repeat an earlier training
    sample or any test sample, exactly or nearly, are left out. Nothing is embedded again. That a label was suggested by
    the same embeddings that are then tested makes the effect of correcting an upper estimate.

    Args:
        inspection: what was found.
        folder: for the lists of corrections, which `scar.data.sources.corrected` reads.
        seeds: redrawn splits.
        level: of the intervals.

    Returns:
        One row per variant and metric: variant, changed (training samples), metric, before, after, difference, low, high.
        Accuracy and balanced accuracy are of a probe on all training data, paired by seed and test item.
    """
    job = inspection.job
    before = _runs(job, job.config.dataset, seeds)
    records: list[dict[str, Any]] = []
    for variant, changes in corrections(inspection).items():
        if not changes:
            continue
        path = folder / f"{variant.replace(' ', '-')}.csv"
        write_corrections(path, changes)
        source = Corrected(name=job.config.dataset.name, source=job.config.dataset, corrections=str(path))
        after = _runs(job, source, seeds)
        about = {"variant": variant, "changed": len(changes)}
        records += [{**about, **row} for row in _compare(before, after, level)]
    columns = ["variant", "changed", "metric", "before", "after", "difference", "low", "high"]
    return pd.DataFrame(records, columns=columns)


def corrections(inspection: Inspection) -> dict[str, dict[str, tuple[str, bool]]]:
    """Return, by variant, training sample → new class (empty: as it is) and whether it is left out."""
    errors = inspection.of(LABEL)
    errors = errors[errors["split"] == "train"]
    corrected = {name: (str(new), False) for name, new in zip(errors["id"], errors["suggested"], strict=True)}
    removed = dict.fromkeys(_repeated(inspection), ("", True))
    return {CORRECTED: corrected, REMOVED: removed, BOTH: {**corrected, **removed} if corrected and removed else {}}


def _repeated(inspection: Inspection) -> list[str]:
    """Training samples that repeat a test sample, or of two training samples the later one."""
    pairs = inspection.table[inspection.table["kind"].isin((DUPLICATE, NEAR))]
    whole = "+".join(inspection.job.config.modalities)
    pairs = pairs[pairs["modality"] == whole]
    found: dict[str, None] = {}
    for row in pairs.itertuples():
        if row.split == "test" and row.other_split == "test":
            continue
        if row.split == "test":
            found[str(row.other_id)] = None
        elif row.other_split == "test" or row.row > row.other_row:
            found[str(row.id)] = None
        else:
            found[str(row.other_id)] = None
    return list(found)


def write_corrections(path: Path, changes: Mapping[str, tuple[str, bool]]) -> None:
    """Write the list that `scar.data.sources.corrected` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = ((name, new, "yes" if drop else "") for name, (new, drop) in changes.items())
        write_rows(file, ["id", "class_name", "drop"], rows)


def _runs(job: Job, source: Any, seeds: int) -> dict[str, Any]:
    """Return what every seed showed: labels [n], right answers [S, n] and the measures [S] of the set."""
    rows, right, labels = [], [], np.zeros(0, np.int64)
    for offset in range(seeds):
        each = algorithm(replace(job.config, dataset=source, seed=job.config.seed + offset), job.store)
        retrain_arms([each])
        scores = {arm.subject: arm.scores.value for arm in each.arms}
        labels = each.split.labels[each.split.test]
        right.append(scores["total"].predictions.raw == labels)
        rows.append(measure_job(each, digest="inspection").frame())
    driver = job.config.budgets.driver
    measures = {
        name: np.array([_value(frame, name, driver) for frame in rows]) for name in (*MEASURES, Metric.FOUNDATION_SIZE)
    }
    return {"labels": labels, "right": np.stack(right), "measures": measures}


def _value(frame: pd.DataFrame, metric: str, driver: str) -> float:
    stage = "foundation" if metric == Metric.FOUNDATION_SIZE else "dataset"
    own = frame[(frame.stage == stage) & (frame.metric == metric) & (frame.estimator == driver)]
    return float(own[own.subject == "total"].value.iloc[0])


def _compare(before: Mapping[str, Any], after: Mapping[str, Any], level: float) -> list[dict[str, Any]]:
    records = []
    for metric in METRICS:
        each = paired_difference(after["right"], before["right"], before["labels"], metric=metric, level=level)
        old, new = (_score(run, metric) for run in (before, after))
        records.append(
            {
                "metric": metric,
                "before": old,
                "after": new,
                "difference": each.value,
                "low": each.low,
                "high": each.high,
            }
        )
    for metric, old in before["measures"].items():
        new = after["measures"][metric]
        gap = new - old
        known = np.isfinite(gap)
        if known.any():
            each = corrected_interval(gap[known], test_share=0.0, level=level)
            ends = {"difference": each.value, "low": each.low, "high": each.high}
            records.append({"metric": metric, "before": old[known].mean(), "after": new[known].mean(), **ends})
    return records


def _score(run: Mapping[str, Any], metric: str) -> float:
    return float(weighted_scores(run["right"], run["labels"], metric).mean())
