"""What a study of reductions left in the folders of its jobs, read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scar.job.record import JobRecord, undamaged
from scar.job.rows import read_frame
from scar.reporting.reduction.results import FINDINGS, PARTS, RESULTS


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """What a report of reductions reads; a part that no job has is None.

    Attributes:
        rows: of one job or of several, one measurement a line.
        differences: between arms, paired.
        ablations: between the cases of the ablations and the study's own reduction, paired.
        scores: pair scores before and after.
        claims: ``claim``, ``verdict`` and ``why``.
        sentences: the findings in words.
        jobs: names of the folders.
        commands: that ran them.
    """

    rows: pd.DataFrame
    differences: pd.DataFrame | None = None
    ablations: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    claims: pd.DataFrame | None = None
    sentences: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


def load_results(job: Path) -> Results:
    """Return what a job has left."""
    parts = {
        name: pd.read_csv(job / f"{name}.csv", dtype={"table": str, "case": str})
        for name in PARTS
        if (job / f"{name}.csv").is_file()
    }
    said = (job / FINDINGS).read_text(encoding="utf-8").splitlines() if (job / FINDINGS).is_file() else []
    overrides = [str(each) for each in JobRecord(job).read().get("overrides", [])]
    return Results(
        rows=read_frame(job / RESULTS), **parts, sentences=tuple(said), jobs=(job.name,),
        commands=(" ".join(["scar", *overrides]),) if overrides else (),
    )  # fmt: skip


def load_reduction(study: Path) -> Results:
    """Return the rows of every job of a study of reductions, with the other parts of the job that the others vary.

    Raises:
        FileNotFoundError: it has none.
        ValueError: all of them are damaged.
    """
    found = sorted(study.glob(f"jobs/*/{RESULTS}"), key=lambda file: (file.stat().st_mtime, str(file)))
    if not found:
        raise FileNotFoundError(f"no reduction under {study}; run scar experiment=reduction study={study.name} first")
    jobs = [load_results(file.parent) for file in undamaged(found)]
    if not jobs:
        raise ValueError(f"every job of {study} is damaged; run scar experiment=reduction study={study.name} again")
    rows = pd.concat([each.rows for each in jobs], ignore_index=True).drop_duplicates(ignore_index=True)
    base = set(base_rows(rows).base)
    own = next(each for each in jobs if base & set(each.rows.base))
    parts = {name: getattr(own, name) for name in (*PARTS, "sentences")}
    return Results(
        rows=rows, **parts, jobs=tuple(name for each in jobs for name in each.jobs),
        commands=tuple(dict.fromkeys(line for each in jobs for line in each.commands)),
    )  # fmt: skip


def base_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the job that the other jobs of a study vary.

    It is the one whose ablations hold the most settings that some job has trained; the first of several.
    """
    trained = rows[rows.kind == "arm"].setting.unique()
    cases = rows[(rows.kind == "case") & rows.setting.isin(trained)]
    held = [cases[cases.base == setting].setting.nunique() for setting in trained]
    return rows[rows.base == trained[held.index(max(held))]]
