"""Test scores by label, where a sample may carry several: what re-weighting and the plan do for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.reporting.axes import as_texts, has_rows
from scar.reporting.comparison import PLAIN
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.text import MISSING, count, group_label, known, name_of, percent, share

SEVERAL_NOTE = (
    "A sample may carry several labels, or none; each label is a decision of its own, raw by the sign of its logit, matched "
    "by z − logit π + logit π′ (π: its share in training; π′: a half for balanced accuracy, its share where the probe is used "
    "for F1). Authenticity of the dataset is the balanced accuracy; worst class, exact accuracy and forecasts do not apply, "
    "and the published estimate and fill, which count one class per sample, are left out."
)
COUNTING_NOTE = (
    "A plan counts samples. Each stands under the rarest of its labels in the primary set; Brings counts the samples of each "
    "label that the plan adds with them. Samples without a label are not bought."
)


def has_several(rows: pd.DataFrame) -> bool:
    """Whether samples of some job may carry several labels."""
    return has_rows(rows, stage="labels")


def label_tables(study: Study) -> list[Table]:
    """Return one table per group whose samples may carry several labels."""
    groups = [group for group in study.groups() if has_several(study.of(group))]
    names = ["labels"] if len(groups) == 1 else [f"labels_{place}" for place in range(1, len(groups) + 1)]
    return [label_table(study, group, name=name) for name, group in zip(names, groups, strict=True)]


def label_table(study: Study, group: Mapping[str, Any], *, name: str = "labels") -> Table:
    """Scores of each label, means over seeds: of the primary set raw and matched, and with the largest plan of each strategy."""
    rows = study.of(group)
    own = as_texts(rows[rows.stage == "labels"])
    sizes = rows[(rows.metric == Metric.CLASS_SIZE) & (rows.subject == "primary")].groupby("class_id").value.mean()
    largest = own.fraction.max()
    columns = {
        PLAIN[0]: (Metric.BALANCED_ACCURACY, "primary", np.nan),
        PLAIN[1]: (LEADING, "primary", np.nan),
        **{name_of(each): (LEADING, each, largest) for each in sorted(own[own.fraction == largest].subject.unique())},
        "average precision": (Metric.AVERAGE_PRECISION, "primary", np.nan),
        "F1": (Metric.MATCHED_MACRO_F1, "primary", np.nan),
    }
    values = own[["class_id", "class_name"]].drop_duplicates().sort_values("class_id", ignore_index=True)
    values["samples"] = values.class_id.map(sizes)
    for column, (metric, subject, fraction) in columns.items():
        at = own.fraction.isna() if np.isnan(fraction) else own.fraction == fraction
        means = own[(own.metric == metric) & (own.subject == subject) & at].groupby("class_id").value.mean()
        values[column] = values.class_id.map(means)
    cells = [
        {"Label": row["class_name"], "In primary": count(row["samples"])}
        | {column: percent(row[column]) if known(row[column]) else MISSING for column in columns}
        for row in values.to_dict("records")
    ]
    budget = f", plans of {share(largest)} of {study.budget_base}" if known(largest) else ""
    return Table(
        name=name,
        caption=f"Test balanced accuracy by label in percent, {group_label(group)}{budget}; average precision and F1 of the "
        "primary set",
        cells=pd.DataFrame(cells),
        values=values,
        sort_by={"In primary": "samples", **{column: column for column in columns}},
        notes=(SEVERAL_NOTE, COUNTING_NOTE),
    )
