"""How much is enough by every estimator, and what more data are expected to bring."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scar.foundation.settings import RECOMMENDED
from scar.job.metrics import Metric
from scar.reporting.axes import by_seed, compensated_mean, grouped, pick
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import foundations
from scar.reporting.tables.labels_table import has_several
from scar.reporting.text import count, group_label, name_of, percent, percent_interval, share, size, size_interval

AHEAD = (Metric.REACH, Metric.GAP_AHEAD, Metric.ACCURACY_AHEAD)


def leading_estimator(estimators: Collection[str], driver: str) -> str:
    """Return which of some estimators is shown first: the recommended one, or the driver of the plans."""
    return RECOMMENDED if RECOMMENDED in estimators else driver


def prospect_values(rows: pd.DataFrame, subject: str = "primary") -> pd.DataFrame:
    """Return one row per multiple of the data and metric of `AHEAD`: value, low and high, means over seeds."""
    ends = ("value", "low", "high")
    own = pick(rows, ["fraction", "metric", *ends, "class_id"], stage="prospect", subject=subject)
    own = own[own.class_id.isna()]
    found = grouped(zip(own.fraction.tolist(), own.metric.tolist(), strict=True), range(len(own)))
    numbers = {name: own[name].tolist() for name in ends}
    means = [
        {
            "multiple": multiple,
            "metric": metric,
            **{name: compensated_mean(numbers[name][place] for place in places) for name in ends},
        }
        for (multiple, metric), places in sorted(found.items())
    ]
    return pd.DataFrame(means, columns=["multiple", "metric", *ends])


def prospect_sentences(rows: pd.DataFrame) -> list[str]:
    """Say what multiples of the primary set are expected to bring; nothing where no estimator says."""
    found = prospect_values(rows)
    if found.empty:
        return []
    reach, ahead = (found[found.metric == metric] for metric in (Metric.REACH, Metric.ACCURACY_AHEAD))
    multiples = _range([f"{multiple:g}" for multiple in reach.multiple])
    chances = _range([share(round(value, 2)) for value in reach.value])
    accuracies = _range([percent(value) for value in ahead.value])
    ends = percent_interval(ahead.low.min(), ahead.high.max())
    return [
        f"With {multiples} times the data: enough with probability {chances}, {_score(rows)} {accuracies} %, all intervals within "
        f"{ends}."
    ]


def _range(texts: Sequence[str]) -> str:
    """``"0 % to 6 %"``, or one text where all are the same."""
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def _score(rows: pd.DataFrame) -> str:
    """Return what `Metric.ACCURACY_AHEAD` stands for."""
    return "raw balanced accuracy" if has_several(rows) else "accuracy"


def prospect_table(rows: pd.DataFrame) -> Table | None:
    """What multiples of the primary set are expected to bring, one line each; None where no estimator says."""
    values = prospect_values(rows)
    if values.empty:
        return None
    have = rows.loc[rows.metric == Metric.N_PRIMARY, "value"].mean()
    cells = []
    for multiple, own in values.groupby("multiple"):
        by = own.set_index("metric")
        reach, gap, accuracy = (by.loc[metric] for metric in AHEAD)
        cells.append(
            {
                "samples": f"{multiple:g}× = {count(multiple * have)}",
                "P(enough)": f"{percent(reach.value, 0)} %",
                "gap, points": f"{percent(gap.value)} {percent_interval(gap.low, gap.high)}",
                _score(rows): f"{percent(accuracy.value)} {percent_interval(accuracy.low, accuracy.high)}",
            }
        )
    caption = "What more data of the same mix are expected to bring, with intervals"
    return Table(name="prospect", caption=caption, cells=pd.DataFrame(cells), values=values)


def estimators_table(study: Study) -> Table:
    """Foundation Data Size of the primary set by every estimator, one row per group and estimator."""
    cells: list[dict[str, Any]] = []
    values: list[Mapping[str, Any]] = []
    for group in study.groups():
        rows = study.of(group)
        sizes = foundations(rows, "primary")
        first = leading_estimator(sizes, study.driver)
        for estimator in sorted(sizes, key=lambda e: (e != first, e != study.driver, e)):
            found = sizes[estimator]
            needs = by_seed(rows, metric=Metric.NEED, subject="primary", estimator=estimator)
            own, seeds = np.array([need for each in needs.values() for need in each]), max(len(needs), 1)
            counted = {"met": (own == 0).sum() / seeds, "undefined": np.isnan(own).sum() / seeds}
            cells.append(
                {
                    "Group": group_label(group),
                    "Estimator": f"{name_of(estimator)}{' (drives the plan)' if estimator == study.driver else ''}",
                    "Samples": size(found["foundation"]),
                    "Interval": size_interval(found["foundation_low"], found["foundation_high"]),
                    "Classes met": f"{counted['met']:.1f} of {len(own) / seeds:.0f}",
                    "Undefined": f"{counted['undefined']:.1f}",
                }
            )
            values.append({**group, "estimator": estimator, **found, **counted})
    return Table(
        name="estimators",
        caption="Foundation Data Size from the primary set, by estimator",
        cells=pd.DataFrame(cells),
        values=pd.DataFrame(values),
        notes=("Means over seeds. The estimators differ in what they call enough.",),
    )
