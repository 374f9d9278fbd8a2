"""What to buy in the next round so that a target is reached, strategy by strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.job.rows import ROUND_STAGE
from scar.reporting.axes import as_texts
from scar.reporting.formats.table import Table
from scar.reporting.text import count, group_label, known, listing, name_of, points, points_interval

OF_ROUND = (Metric.ROUND_COST, Metric.ROUND_GAIN, Metric.ROUND_CHANCE, Metric.HORIZON_CHANCE, Metric.HORIZON_COST)


def rounds_table(
    rows: pd.DataFrame, *, group: Mapping[str, Any], seed: int, settings: Mapping[str, Any], name: str = "next_round"
) -> Table | None:
    """Return one line per strategy, the least expected cost first; None where no target was given.

    Args:
        rows: of the group.
        group: values of the axes.
        seed: which seed.
        settings: target, score and horizon, as configured.
        name: of the table.
    """
    own = as_texts(rows[(rows.stage == ROUND_STAGE) & (rows.seed == seed)])
    if own.empty:
        return None
    wide = own[own.class_id.isna()].pivot_table(
        index="subject", columns="metric", values="value", aggfunc="first", dropna=False
    )
    frame = wide.reindex(columns=[str(metric) for metric in OF_ROUND])
    gains = own[own.metric == Metric.ROUND_GAIN].set_index("subject")
    said = own[own.metric == Metric.ROUND_CHANCE].set_index("subject").flag
    frame = frame.assign(
        low=gains.low, high=gains.high, said=said, bought=own[own.metric == Metric.ROUND_COST].set_index("subject").n
    )
    frame = frame.sort_values([Metric.HORIZON_COST, Metric.ROUND_COST], kind="stable").reset_index()
    cells = [
        {
            "Planner": name_of(row["subject"]),
            "Now": str(row["said"]).partition(":")[0],
            "Samples": count(row["bought"]),
            "Cost": count(row[Metric.ROUND_COST]),
            "Gain (90 %)": f"{points(row[Metric.ROUND_GAIN])} {points_interval(row['low'], row['high'])}".strip(),
            "P(reached now)": _chance(row[Metric.ROUND_CHANCE]),
            "by the last": _chance(row[Metric.HORIZON_CHANCE]),
            "Expected cost": count(cost) if known(cost := row[Metric.HORIZON_COST]) else "–",
        }
        for row in frame.to_dict("records")
    ]  # fmt: skip
    goal = f"{str(settings['score']).replace('_', ' ')} of {100 * float(settings['target']):g} %"
    return Table(
        name=name,
        caption=f"Next round for {group_label(group)}, seed {seed}: {goal} within {settings['horizon']} rounds",
        cells=pd.DataFrame(cells),
        values=frame,
        notes=(_in_words(own, frame.iloc[0]),),
    )


def _chance(value: float) -> str:
    return f"{value:.2f}" if known(value) else "–"


def _in_words(own: pd.DataFrame, first: Any) -> str:
    """Say what the first strategy does, and what it buys of which class."""
    added = own[(own.subject == first.subject) & (own.metric == Metric.ROUND_ADDED)].sort_values(
        "value", ascending=False
    )
    action, _, why = str(first.said).partition(": ")
    text = f"{name_of(first.subject)}: {action}; {why}."
    if added.empty:
        return text
    names = [f"{name} +{count(number)}" for name, number in zip(added.class_name, added.value, strict=True)]
    return f"{text} By class: {listing(names, limit=8)}."
