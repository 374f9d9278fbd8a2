"""What to label next of samples that have no label, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts
from scar.reporting.formats.table import Table
from scar.reporting.text import count, group_label, name_of, share, size_interval


def to_label_table(rows: pd.DataFrame, *, group: Mapping[str, Any], seed: int, strategy: str) -> Table | None:
    """Return what is expected among the samples to label at the largest budget, largest first; None where there is no pool.

    Args:
        rows: of the group.
        group: values of the axes.
        seed: which seed.
        strategy: whose plan.
    """
    own = as_texts(rows[(rows.seed == seed) & (rows.stage == "labelling")])
    chosen = own[(own.metric == Metric.TO_LABEL) & (own.subject == strategy)]
    if chosen.empty:
        return None
    chosen = chosen[chosen.fraction == chosen.fraction.max()]
    frame = chosen[chosen.class_id.notna()][["class_id", "class_name", "value", "low", "high"]]
    frame = frame.sort_values(["value", "class_id"], ascending=[False, True], ignore_index=True)
    samples, budget = chosen.loc[chosen.class_id.isna(), "value"].iloc[0], chosen.fraction.iloc[0]
    pool = own.loc[own.metric == Metric.N_POOL, "value"].iloc[0]
    cells = [
        {
            "Class": row["class_name"],
            "Expected": f"{count(row['value'])} {size_interval(row['low'], row['high'])}".strip(),
        }
        for row in frame.to_dict("records")
    ]
    return Table(
        name="to_label",
        caption=f"To label for {group_label(group)}, seed {seed}, by {name_of(strategy)}: {count(samples)} of {count(pool)}, "
        f"budget {share(budget)} of the samples without a label",
        cells=pd.DataFrame(cells),
        values=frame,
        sort_by={"Expected": "value"},
        notes=(
            "Samples, by the calibrated probabilities of the probe on everything that has a label, with intervals.",
        ),
    )
