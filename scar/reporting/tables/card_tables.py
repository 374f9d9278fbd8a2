"""The tables of a dataset card, numbers at full precision."""

from __future__ import annotations

import math

import pandas as pd

from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.tables.characteristics import foundation_of
from scar.reporting.tables.indicators_table import indicator_values
from scar.reporting.tables.plan_table import plan_by_class
from scar.reporting.text import size

PARTS = ("total", "primary", "reserve", "validation", "heldout", "test")
SUBJECTS = ("primary", "total")
CLASS_MEASURES = MEASURES[1:]
"""Measures by class; the scale of a whole set is 1."""


def card_tables(rows: pd.DataFrame, *, seed: int, driver: str) -> dict[str, pd.DataFrame]:
    """Return ``sizes``, ``measures``, ``indicators``, ``foundation`` and ``classes`` of one group.

    Args:
        rows: of the group.
        seed: of the table of classes; the others are means over seeds.
        driver: estimator whose needs the classes show.
    """
    return {
        "sizes": _sizes(rows),
        "measures": _measures(rows),
        "indicators": _indicators(rows),
        "foundation": _foundation(rows),
        "classes": _classes(rows, seed, driver),
    }


def _sizes(rows: pd.DataFrame) -> pd.DataFrame:
    own = rows[rows.stage == "dataset"]
    means = {part: own.loc[own.metric == f"n_{part}", "value"].mean() for part in PARTS}
    return pd.DataFrame({"part": part, "samples": value} for part, value in means.items() if value == value)


def _measures(rows: pd.DataFrame) -> pd.DataFrame:
    """Set-level S, C, A, R of everything by estimator (§4.3); low and high are the lowest and highest seed."""
    own = rows[(rows.stage == "dataset") & rows.metric.isin(MEASURES)]
    table = own.groupby(["estimator", "metric"], sort=False).value.agg(value="mean", low="min", high="max")
    return table.reset_index().rename(columns={"metric": "measure"})


def _indicators(rows: pd.DataFrame) -> pd.DataFrame:
    found = [{"set": s, "indicator": m, "value": v} for s in SUBJECTS for m, v in indicator_values(rows, s).items()]
    return pd.DataFrame(found, columns=["set", "indicator", "value"])


def _foundation(rows: pd.DataFrame) -> pd.DataFrame:
    """Foundation Data Sizes [samples] by set and estimator, with the interval of the estimate."""
    sizes = rows[rows.metric == Metric.FOUNDATION_SIZE]
    found = []
    for subject in SUBJECTS:
        for estimator in sizes.estimator.unique():
            each = foundation_of(sizes[(sizes.subject == subject) & (sizes.estimator == estimator)])
            value, low, high = each["foundation"], each["foundation_low"], each["foundation_high"]
            state = size(value) if not math.isfinite(value) or value == 0 else "estimated"
            found.append(
                {"set": subject, "estimator": estimator, "samples": value, "low": low, "high": high, "state": state}
            )
    return pd.DataFrame(found)


def _classes(rows: pd.DataFrame, seed: int, driver: str) -> pd.DataFrame:
    """One row per class for one seed: sizes, measures of the whole primary set, need and largest plan."""
    own = rows[rows.seed == seed]
    subjects = own.loc[own.metric == Metric.ADDED, "subject"].unique()
    strategy = "scar" if "scar" in subjects or not len(subjects) else str(sorted(subjects)[0])
    plan = plan_by_class(own, seed=seed, estimator=driver, strategy=strategy)
    steps = own[(own.stage == "measures") & (own.subject == "primary")]
    steps = steps[steps.factor == steps.factor.min()]
    for measure in CLASS_MEASURES:
        values = steps[steps.metric == measure].groupby("class_id").value.mean().to_dict()
        plan[measure] = plan.class_id.astype(int).map(values)
    return plan.drop(columns=["class_id", "fraction"]).rename(columns={"class_name": "class"})
