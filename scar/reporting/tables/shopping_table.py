"""The shopping list: what to collect, class by class, where there is no reserve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scar.completion.forecast import REFUSALS
from scar.job.metrics import Metric
from scar.reporting.axes import as_texts
from scar.reporting.formats.table import Table
from scar.reporting.tables.plan_table import need_text
from scar.reporting.text import count, group_label, known, name_of, points, points_interval

GAINS = (Metric.EXPECTED_MATCHED_GAIN, Metric.EXPECTED_MATCHED_BALANCED_GAIN)


def shopping_table(
    rows: pd.DataFrame, *, group: Mapping[str, Any], seed: int, strategy: str, estimator: str
) -> Table | None:
    """Return the list of one strategy and seed of one group, largest first; None where there is none.

    Args:
        rows: of the group.
        group: values of the axes.
        seed: which seed.
        strategy: whose list.
        estimator: whose needs it answers.
    """
    own = rows[rows.seed == seed]
    listed = own[(own.stage == "collect") & (own.subject == strategy) & (own.metric == Metric.TO_COLLECT)]
    if listed.empty:
        return None
    listed = as_texts(listed)
    have = own[(own.metric == Metric.CLASS_SIZE) & (own.subject == "total")][["class_id", "value"]]
    needs = own[(own.metric == Metric.NEED) & (own.subject == "total") & (own.estimator == estimator)]
    frame = listed[["class_id", "class_name", "value"]].rename(columns={"value": "collect"})
    frame = frame.merge(have.rename(columns={"value": "have"}), on="class_id", how="left")
    columns = {"value": "need", "low": "need_low", "high": "need_high"}
    frame = frame.merge(needs[["class_id", *columns]].rename(columns=columns), on="class_id", how="left")
    frame = frame.sort_values(["collect", "class_id"], ascending=[False, True], ignore_index=True)
    cells = [
        {
            "Class": row["class_name"],
            "There are": count(row["have"]),
            "Enough": need_text(row),
            "Collect": count(row["collect"]),
        }
        for row in frame.to_dict("records")
    ]
    return Table(
        name="shopping",
        caption=f"To collect for {group_label(group)}, seed {seed}, by {name_of(strategy)}",
        cells=pd.DataFrame(cells),
        values=frame,
        sort_by={"There are": "have", "Enough": "need", "Collect": "collect"},
        notes=(_expected(own, strategy),),
    )


def _expected(own: pd.DataFrame, strategy: str) -> str:
    """Say what the whole list promises."""
    said, why = [], REFUSALS["not_asked"]
    for metric in GAINS:
        row = own[(own.stage == "collect") & (own.subject == strategy) & (own.metric == metric) & own.fraction.isna()]
        if len(row) and known(row.value.iloc[0]):
            first = row.iloc[0]
            said.append(f"{metric.label} {points(first.value)} points {points_interval(first.low, first.high)}")
        elif len(row):
            why = REFUSALS.get(str(row.flag.iloc[0]).rpartition("refused_")[2], why)
    promise = f"Expected with the whole list, 90 % intervals: {', '.join(said)}." if said else f"Not forecast: {why}."
    return f"From everything there is, primary set and reserve. {promise}"
