"""Cells that no finished job fills, and the commands that would fill them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scar.evaluation.sequential import ONE_LOOK
from scar.reporting.axes import pick
from scar.reporting.group_scores import strategy_order
from scar.reporting.study_folder import Study
from scar.reporting.study_job import StudyJob


def missing_arms(study: Study) -> pd.DataFrame:
    """Cells of the table that no finished job fills, each with the command that would.

    Expected is every strategy that the group has, for every seed and budget that any strategy of the group has; of a sweep
    that chooses its seeds, those of its first look. Columns: the axes, subject, fraction, seeds (those that lack), command.
    """
    found: list[dict[str, Any]] = []
    for group in study.groups():
        own = pick(study.of(group), ["subject", "fraction", "seed"], stage="evaluation")
        scored = {*zip(own.subject.tolist(), own.fraction.tolist(), own.seed.tolist(), strict=True)}
        budgeted = {each for each in scored if not math.isnan(each[1])}
        seeds = sorted({seed for _, _, seed in scored})
        if study.looks != ONE_LOOK:
            seeds = seeds[: study.looks.seeds[0]]
        for subject in sorted({subject for subject, _, _ in budgeted}, key=strategy_order):
            for fraction in sorted({fraction for _, fraction, _ in budgeted}):
                lacking = [seed for seed in seeds if (subject, fraction, seed) not in budgeted]
                if lacking:
                    command = run_command(study, group, subject, lacking)
                    found.append(
                        {**group, "subject": subject, "fraction": fraction, "seeds": lacking, "command": command}
                    )
    return pd.DataFrame(found, columns=[*study.axes, "subject", "fraction", "seeds", "command"])


def _first_jobs(study: Study) -> dict[tuple[Any, ...], StudyJob]:
    """Return the first job of each group, finished or not."""
    found: dict[tuple[Any, ...], StudyJob] = {}
    for job in study.jobs:
        found.setdefault(tuple(job.columns.get(axis) for axis in study.axes), job)
    return found


def run_command(study: Study, group: Mapping[str, Any], strategy: str, seeds: Sequence[int]) -> str:
    """Return the command that runs a strategy for some seeds with the settings of the other jobs of the group."""
    job = study.once("first jobs", lambda: _first_jobs(study)).get(tuple(group[axis] for axis in study.axes))
    given = [] if job is None else [str(o) for o in job.status.get("overrides", [])]
    replaced = ("study=", "dataset=", "encoder=", "regime=", "completion=", "seed=")
    others = [o for o in given if not o.startswith(replaced)]
    names = [f"{axis}={group[axis]}" for axis in ("dataset", "encoder", "regime") if group.get(axis)]
    sweep = f"seed={','.join(map(str, seeds))}"
    folder = study.folders[0].name
    return " ".join(["scar -m", f"study={folder}", *names, f"completion={strategy}", sweep, *others])
