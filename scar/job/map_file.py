"""The map in the folder of a job: one file of points, and a table of the slices of the test part."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.common.files import replacing
from scar.common.spreadsheets import write_rows
from scar.common.types import Bools, Floats, Ints
from scar.evaluation.slices import Slice, judge_slices
from scar.job.job import Job
from scar.job.map_points import MAP, RIGHT, SLICES, WRONG, MapPoints, Previews
from scar.sampling.layout import PARTS, REACHED

NAMED = 3
"""Classes that a slice is named by."""


def write_map(folder: Path, job: Job) -> list[Path]:
    """Write the map of a job and the slices of its test part into its folder; return the files.

    Those of an earlier run of a job that draws none any more are removed.
    """
    paths = [folder / MAP, folder / SLICES]
    if job.map is None:
        for path in paths:
            path.unlink(missing_ok=True)
        return []
    slices = job_slices(job)
    map_points(job, slices).save(paths[0])
    names = job.steps.names
    with replacing(paths[1]) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = [{**asdict(each), "classes": slice_name(each, names), "is_low": int(each.is_low)} for each in slices]
        header = [*(name for name in Slice.__dataclass_fields__), "is_low"]
        write_rows(file, header, [["" if row[name] != row[name] else row[name] for name in header] for row in rows])
    return paths


def job_slices(job: Job) -> list[Slice]:
    """Return the slices of the test part, as the probe of the primary set decides it, matched to the mix of use."""
    assert job.map is not None
    return judge_slices(
        job.map.layout.value.clusters,
        job.classes[job.split.test],
        _outcome(job)[0],
        num_classes=job.num_classes,
        least=job.config.map.slice_size if job.config.map else 1,
    )


def slice_name(each: Slice, names: tuple[str, ...]) -> str:
    """Return the classes that most of the items of a slice have, ``"Shirt (61 %), Coat (24 %)"``."""
    largest = np.argsort(-each.classes, kind="stable")[:NAMED]
    shares = each.classes / max(int(each.classes.sum()), 1)
    return ", ".join(f"{names[index]} ({100 * shares[index]:.0f} %)" for index in largest if shares[index] >= 0.05)


def map_points(job: Job, slices: list[Slice]) -> MapPoints:
    """Return the points of the map of a job."""
    assert job.map is not None
    assert job.config.map is not None
    layout, split = job.map.layout.value, job.split
    right, decided = _outcome(job)
    outcome, classes = np.zeros(len(layout.rows), np.int64), np.full(len(layout.rows), -1)
    tested = np.flatnonzero(np.isin(layout.rows, split.test))
    where = np.searchsorted(split.test, layout.rows[tested])
    outcome[tested], classes[tested] = np.where(right[where], RIGHT, WRONG), decided[where]
    low = [each.cluster for each in slices if each.is_low]
    within = np.zeros(len(layout.rows), np.int64)
    for number, cluster in enumerate(low, start=1):
        within[tested[layout.clusters[where] == cluster]] = number
    plan = job.plans[-1] if job.plans else None
    about = {
        "method": job.config.map.possible_method,
        "why_not": job.config.map.why_not,
        "names": list(job.steps.names),
        "sizes": {part: len(getattr(split, part)) for part in PARTS},
        "strategy": job.config.completion.name,
        "fraction": None if plan is None else plan.fraction,
        "reached": REACHED,
        "reach": None if np.isnan(layout.reach) else layout.reach,
        "slices": [slice_name(each, job.steps.names) for each in slices if each.is_low],
    }
    previews = job.map.previews.value
    numbers = {each.cluster: place for place, each in enumerate((s for s in slices if s.is_low), start=1)}
    words = {numbers[cluster]: own for cluster, own in previews.words.items() if cluster in numbers}
    return MapPoints(
        rows=layout.rows,
        parts=layout.parts,
        classes=job.classes[layout.rows],
        place=quantised(layout.place),
        empty=layout.empty,
        outcome=outcome,
        decided=classes,
        planned=np.isin(layout.rows, plan.rows if plan is not None else []),
        slices=within,
        ids=[str(each) for each in job.catalogue.ids[layout.rows]],
        about=about,
        previews=Previews(texts=previews.texts, pictures=previews.pictures, words=words),
    )


def quantised(place: Floats) -> Ints:
    """Return places [n, 2] in 0..65535, both axes to one scale, the smaller one in the middle."""
    low, high = place.min(axis=0), place.max(axis=0)
    widest = float((high - low).max()) or 1.0
    return np.asarray(np.rint(65535 * ((place - (low + high) / 2) / widest + 0.5)), np.int64)


def _outcome(job: Job) -> tuple[Bools, NDArray[np.int64]]:
    """Return [n_test] what the probe of the primary set gets right, and the class it decides for; -1 of several labels."""
    (arm,) = (arm for arm in job.arms if arm.subject == "primary")
    truth, decided = job.split.labels[job.split.test], arm.predictions.value.deployment
    if truth.ndim == 2:
        return np.asarray((decided == truth).all(axis=1)), np.full(len(truth), -1)
    return np.asarray(decided == truth), np.asarray(decided, np.int64)
