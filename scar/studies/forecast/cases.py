"""The cases of one job: what every plan was forecast to bring, and what it brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scar.common.types import Ints
from scar.completion.forecast_settings import LEVEL, SCORES
from scar.completion.plan import random_order, take_first
from scar.completion.planner import Planner
from scar.completion.planners import (
    ClassAveragePlanner,
    ErrorProportionalPlanner,
    LongTailFirstPlanner,
    RandomPlanner,
    WaterFillingPlanner,
)
from scar.completion.tempered import TemperedPlanner
from scar.evaluation.deployment import is_declared
from scar.job.job import Job
from scar.job.stages import probing
from scar.store.keys import make_key
from scar.studies.forecast.class_curve_gains import curve_gains

PLANNERS: tuple[Planner, ...] = (
    RandomPlanner(),
    ClassAveragePlanner(),
    WaterFillingPlanner(),
    LongTailFirstPlanner(),
    ErrorProportionalPlanner(),
    TemperedPlanner(tau=0.5),
)
"""None of them reads a forecast."""
FRACTIONS = (0.1, 0.25, 0.5)
"""Budgets, as shares of the reserve."""


def cases_of(job: Job) -> pd.DataFrame:
    """Return one row per plan and score, from the store where they are there.

    Columns: planner, fraction, score, ``gain`` (measured), ``forecast``, ``low``, ``high``, ``refused``, the same of the
    score itself (``reached``, ``level_forecast``, …) and of the per-class curves (``curve``, ``curve_low``, ``curve_high``).
    """

    def make(folder: Path) -> None:
        pd.DataFrame(_measure(job)).to_parquet(folder / "cases.parquet", index=False)

    config = {"probe": job.config.probe, "seed": job.config.seed, "deployment": job.config.deployment}
    config |= {"forecast": job.config.forecast, "planners": [each.name for each in PLANNERS], "fractions": FRACTIONS}
    upstream = [job.completion.forecaster.key, job.completion.problem.key]
    key = make_key("forecast_cases", config=config, upstream=upstream, code=[_measure])
    return pd.read_parquet(job.store.obtain(key, make) / "cases.parquet")


def _measure(job: Job) -> list[dict[str, Any]]:
    problem, split, seed = job.completion.problem.value, job.split, job.config.seed
    names, sizes, rows = _plans(job)
    forecaster = job.completion.forecaster.value
    ahead = forecaster.expect(sizes)
    curves = curve_gains(problem.curves, sizes, problem.counts, level=LEVEL)
    penalty = None if (chosen := job.characterized["primary"].penalty) is None else chosen.value
    data = (job.embeddings, job.steps, split)
    how: dict[str, Any] = {"probe": job.config.probe, "seed": seed, "trainer": job.config.trainer}
    probes = probing.retrain([split.primary, *rows], penalty, data, **how)
    mix, declared = job.inputs.deployment.value, is_declared(job.config.deployment)
    scores = [
        probing.compare(
            probing.predict(probing.pick_arm(probes, index=index), own, mix, data), mix, split, declared=declared
        )
        for index, own in enumerate([split.primary, *rows])
    ]
    records = []
    for g, (planner, fraction) in enumerate(names):
        for score in SCORES:
            reached, before = getattr(scores[g + 1], score), getattr(scores[0], score)
            gain, level = getattr(ahead, score.replace("accuracy", "gain"))[g], getattr(ahead, score)[g]
            curve = curves[score.removeprefix("matched_")][g]
            records.append(
                {
                    "planner": planner,
                    "fraction": fraction,
                    "score": score,
                    "samples": int(problem.counts.sum()),
                    "gain": reached - before,
                    "refused": str(ahead.refused[g]),
                    **dict(zip(("forecast", "low", "high"), gain, strict=True)),
                    "reached": reached,
                    **dict(zip(("level_forecast", "level_low", "level_high"), level, strict=True)),
                    **dict(zip(("curve", "curve_low", "curve_high"), curve, strict=True)),
                }
            )
    return records


def _plans(job: Job) -> tuple[list[tuple[str, float]], Ints, list[Ints]]:
    """Return names and budgets of the plans, the class sizes [G, K] and the rows of the sets that they leave."""
    problem, split = job.completion.problem.value, job.split
    order = random_order(split.reserve, job.config.seed)
    classes = split.labels[order]
    names, sizes, rows = [], [], []
    for fraction in FRACTIONS:
        for planner in PLANNERS:
            added = planner.allocate(problem, round(fraction * len(order)), classes).counts
            names.append((planner.name, fraction))
            sizes.append(problem.counts + added)
            rows.append(np.sort(np.concatenate([split.primary, take_first(order, classes, added)])))
    return names, np.stack(sizes), rows
