"""The tables of a dataset card, numbers at full precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import as_texts, compensated_mean, grouped, mean, numbers, pick
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import MISSING, foundations, sizes_of
from scar.reporting.tables.indicators_table import indicator_values
from scar.reporting.tables.labels_table import has_several
from scar.reporting.tables.plan_table import plan_of
from scar.reporting.text import size

PARTS = ("total", "primary", "reserve", "validation", "heldout", "test")
SUBJECTS = ("primary", "total")
LABEL_COLUMNS = (Metric.BALANCED_ACCURACY, LEADING, Metric.AVERAGE_PRECISION, Metric.MATCHED_MACRO_F1)
"""Test scores by label."""
CLASS_MEASURES = MEASURES[1:]
"""Measures by class; the scale of a whole set is 1."""


def card_tables(study: Study, group: Mapping[str, Any], *, seed: int) -> dict[str, pd.DataFrame]:
    """Return ``sizes``, ``measures``, ``indicators``, ``foundation``, ``classes`` and ``labels`` of one group.

    The last is empty unless samples may carry several labels.

    Args:
        study: that the group belongs to.
        group: values of the axes.
        seed: of the table of classes; the others are means over seeds.
    """
    rows, classes = study.of(group), _classes(study, group, seed)
    tables = {
        "sizes": _sizes(rows),
        "measures": _measures(rows),
        "indicators": _indicators(rows),
        "foundation": _foundation(rows),
        "classes": classes.drop(columns="brings", errors="ignore"),
    }
    return tables | {"labels": _labels(rows, classes) if has_several(rows) else pd.DataFrame()}


def _sizes(rows: pd.DataFrame) -> pd.DataFrame:
    means = {part: mean(numbers(rows, stage="dataset", metric=f"n_{part}")) for part in PARTS}
    return pd.DataFrame({"part": part, "samples": value} for part, value in means.items() if value == value)


def _measures(rows: pd.DataFrame) -> pd.DataFrame:
    """Set-level S, C, A, R of everything by estimator (§4.3); low and high are the lowest and highest seed."""
    own = pick(rows, ["estimator", "metric", "value"], stage="dataset")
    found = grouped(zip(own.estimator.tolist(), own.metric.tolist(), strict=True), own.value.tolist())
    lines = [
        (estimator, metric, compensated_mean(each), np.fmin.reduce(each), np.fmax.reduce(each))
        for (estimator, metric), each in found.items()
        if metric in MEASURES
    ]
    return pd.DataFrame(lines, columns=["estimator", "measure", "value", "low", "high"])


def _indicators(rows: pd.DataFrame) -> pd.DataFrame:
    found = [{"set": s, "indicator": m, "value": v} for s in SUBJECTS for m, v in indicator_values(rows, s).items()]
    return pd.DataFrame(found, columns=["set", "indicator", "value"])


def _foundation(rows: pd.DataFrame) -> pd.DataFrame:
    """Foundation Data Sizes [samples] by set and estimator, with the interval of the estimate."""
    estimators, found = dict.fromkeys(sizes_of(rows).estimator.tolist()), []
    for subject in SUBJECTS:
        sizes = foundations(rows, subject)
        for estimator in estimators:
            each = sizes.get(estimator, MISSING)
            value, low, high = each["foundation"], each["foundation_low"], each["foundation_high"]
            state = size(value) if not math.isfinite(value) or value == 0 else "estimated"
            found.append(
                {"set": subject, "estimator": estimator, "samples": value, "low": low, "high": high, "state": state}
            )
    return pd.DataFrame(found)


def _classes(study: Study, group: Mapping[str, Any], seed: int) -> pd.DataFrame:
    """One row per class for one seed: sizes, measures of the whole primary set, need and largest plan."""
    rows = study.of(group)
    subjects = {*pick(rows, ["subject"], metric=Metric.ADDED, seed=seed).subject.tolist()}
    strategy = "scar" if "scar" in subjects or not subjects else str(min(subjects))
    plan = plan_of(study, group, seed=seed, strategy=strategy)
    steps = pick(rows, ["class_id", "metric", "factor", "value"], stage="measures", subject="primary", seed=seed)
    steps = steps[steps.factor == steps.factor.min()]
    found = grouped(zip(steps.class_id.tolist(), steps.metric.tolist(), strict=True), steps.value.tolist())
    for measure in CLASS_MEASURES:
        plan[measure] = [compensated_mean(found.get((int(index), measure), [])) for index in plan.class_id.tolist()]
    return plan.drop(columns=["class_id", "fraction"]).rename(columns={"class_name": "class"})


def _labels(rows: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """One row per label: test scores of the primary set, means over seeds, and what the largest plan brings."""
    own = as_texts(rows[(rows.stage == "labels") & (rows.subject == "primary")])
    means = own.groupby(["class_name", "metric"]).value.mean().unstack("metric").reindex(columns=list(LABEL_COLUMNS))
    table = classes[["class", "brings"]].rename(columns={"class": "label"})
    return table.merge(means.reset_index().rename(columns={"class_name": "label"}), on="label", how="left")
