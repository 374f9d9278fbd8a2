"""Table 1: data sets, encoders, sizes, classes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scar.reporting.axes import GROUP
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import SIZES, characteristics
from scar.reporting.text import name_of, shown


def table1(study: Study) -> Table:
    """One row per group: how many samples each part holds, how many classes, how large the largest."""
    values = characteristics(study)
    cells: list[dict[str, Any]] = []
    for row in values.to_dict("records"):
        line = {"Dataset": name_of(row["dataset"]), "Encoder": name_of(row["encoder"]), "Modality": row["modality"]}
        line |= {"Regime": name_of(row["regime"]), "Pool": row["mix"]}
        line |= {axis: row[axis] for axis in study.axes if axis not in GROUP}
        line |= {metric.header: shown(metric, row[metric]) for metric in SIZES} | {"Seeds": str(row["seeds"])}
        cells.append(line)
    return Table(
        name="table1",
        caption="Table 1. Data: sizes in samples, largest class of the test part",
        cells=pd.DataFrame(cells),
        values=values,
        sort_by={metric.header: metric for metric in SIZES} | {"Seeds": "seeds"},
        notes=(
            "Train is primary and reserve: what is left after the validation and held-out parts were cut, as far as the mix of the "
            "pool lets it be had (same: that of the primary set; natural: of the data; balanced; complement: all there is).",
        ),
    )
