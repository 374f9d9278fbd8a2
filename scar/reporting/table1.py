"""Table 1: data sets, encoders, sizes, classes."""

from __future__ import annotations

from typing import Any

from scar.reporting.characteristics import characteristics
from scar.reporting.study import Study
from scar.reporting.table import Table
from scar.reporting.text import count, known, name_of, percent


def table1(study: Study) -> Table:
    """One row per group: how many samples each part holds, how many classes, how large the largest."""
    import pandas as pd

    values = characteristics(study)
    cells: list[dict[str, Any]] = []
    for row in values.to_dict("records"):
        line = {
            "Dataset": name_of(row["dataset"]),
            "Encoder": name_of(row["encoder"]),
            "Modality": row["modality"],
        }
        line |= {"Regime": name_of(row["regime"])}
        line |= {axis: row[axis] for axis in study.axes if axis not in ("dataset", "encoder", "modality", "regime")}
        line |= {
            "Train": count(row["n_total"]), "Primary": count(row["n_primary"]), "Reserve": count(row["n_reserve"]),
            "Test": count(row["n_test"]), "Classes": count(row["num_classes"]),
            "Largest class": f"{percent(row['majority_rate'])} %" if known(row["majority_rate"]) else "missing",
            "Seeds": str(row["seeds"]),
        }  # fmt: skip
        cells.append(line)
    return Table(
        name="table1",
        caption="Table 1. Data: sizes in samples, largest class of the test part",
        cells=pd.DataFrame(cells),
        values=values,
        sort_by={"Train": "n_total", "Primary": "n_primary", "Reserve": "n_reserve", "Test": "n_test",
                 "Classes": "num_classes", "Largest class": "majority_rate", "Seeds": "seeds"},
        notes=("Train is what is left for primary and reserve after the validation and held-out parts were cut.",),
    )  # fmt: skip
