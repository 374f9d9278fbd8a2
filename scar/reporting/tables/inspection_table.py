"""Samples to look at: what an inspection (``scar experiment=inspect study=…``) found, beside the rest of its study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from scar.common.spreadsheets import read_frame
from scar.inspection.kinds import RANKED
from scar.job.metrics import Metric, Number
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.study_job import StudyJob
from scar.reporting.text import count, decimal, name_of, points, points_interval, size

FOUND, EFFECTS, PAGE = "inspection.csv", "effects.csv", "inspection.html"
"""What `scar.studies.inspection_study` leaves in the folder of its job."""
SHOWN = 5
"""Findings of each kind."""


def inspection_tables(study: Study) -> list[Table]:
    """Return, for every inspection among the jobs, the first findings of each kind and what acting on them changes."""
    jobs = [job for job in study.jobs if job.done and (job.folder / FOUND).exists()]
    tables = []
    for job in jobs:
        about = " · ".join(name_of(job.config.get(group, {}).get("name", "")) for group in ("dataset", "encoder"))
        suffix = "" if len(jobs) == 1 else f"_{job.folder.name}"
        found = read_frame(job.folder / FOUND)
        if len(found):
            tables.append(_findings(job, found, about, name=f"inspection{suffix}"))
        effects = read_frame(job.folder / EFFECTS) if (job.folder / EFFECTS).exists() else found.iloc[:0]
        if len(effects):
            tables.append(_effects(effects, about, name=f"corrections{suffix}"))
    return tables


def _findings(job: StudyJob, found: pd.DataFrame, about: str, *, name: str) -> Table:
    first = found.groupby("kind", sort=False).head(SHOWN).reset_index(drop=True)
    cells = [
        {
            "Finding": row["kind"],
            "Sample": row["id"],
            "Part": row["split"],
            "Class": row["class_name"],
            "Points to": _other(row),
            "Score": decimal(row["score"]),
        }
        for row in first.to_dict("records")
    ]
    return Table(
        name=name,
        caption=f"Samples to look at: {about}",
        cells=pd.DataFrame(cells),
        values=first,
        sort_by={"Score": "score"},
        notes=(*_counts(found), f"All findings with what they look like: {job.folder.parent.name}/{job.folder.name}/{PAGE}."),
    )  # fmt: skip


def _other(row: dict[Any, Any]) -> str:
    """The suggested class, or the sample that this one repeats or resembles, with its part where that is another."""
    if isinstance(row["suggested"], str):
        return row["suggested"]
    if not isinstance(row["other_id"], str):
        return "–"
    part = f", {row['other_split']} part" if row["other_split"] != row["split"] else ""
    return f"{row['other_id']} ({row['other_class']}{part})"


def _counts(found: pd.DataFrame) -> Iterator[str]:
    sizes = found[~found.kind.isin(RANKED)].groupby("kind", sort=False).size()
    if len(sizes):
        yield "Found: " + ", ".join(f"{kind} {count(number)}" for kind, number in sizes.items()) + "."
    repeated = found[found.kind == "duplicate"]
    across = int((repeated.across_splits == True).sum())  # noqa: E712  of a column with empty cells
    if across:
        yield f"Of the duplicates {count(across)} lie in both training and test part: the test scores are too good."


def _effects(effects: pd.DataFrame, about: str, *, name: str) -> Table:
    cells = []
    for row in effects.to_dict("records"):
        metric = Metric.of(row["metric"])
        is_size = metric.number is Number.SIZE
        shown, unit = (size, 0.01) if is_size else (decimal, 1.0)
        difference, low, high = (unit * row[name] for name in ("difference", "low", "high"))
        digits = 0 if is_size else 2
        cells.append(
            {
                "Correction": row["variant"],
                "Changed": count(row["changed"]),
                "Measure": metric.label,
                "Before": shown(row["before"]),
                "After": shown(row["after"]),
                "Difference": f"{points(difference, digits)} {points_interval(low, high, digits)}".strip(),
            }
        )
    return Table(
        name=name,
        caption=f"What acting on the findings changes: {about}",
        cells=pd.DataFrame(cells),
        values=effects,
        sort_by={"Changed": "changed", "Before": "before", "After": "after", "Difference": "difference"},
        notes=("Training samples are changed, the test part is not. Differences in points; sizes in samples.",),
    )
