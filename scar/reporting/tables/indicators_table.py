"""Dataset-scale indicators of the primary set and of everything: a table, lines for a terminal, a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scar.job.metrics import Metric
from scar.reporting.axes import NOT_AXES, coded, compensated_mean, equal, grouped, require_named_axes, taken
from scar.reporting.formats.table import Table
from scar.reporting.study_folder import Study
from scar.reporting.text import count, name_of, percent, shown

SUBJECTS = ("primary", "total")
INDICATORS = Metric.of_table("indicators")
NOTES = (
    "Smallest, Median, Largest: class sizes in samples. Skew k%: share of the samples in the most common k % of the "
    "classes; Tail k: share of the classes with fewer than k samples; Ratio: largest over smallest class.",
    "Entropy is that of the class shares over its maximum (balanced: 1), Gini the inequality of the class sizes "
    "(balanced: 0). A class that no sample carries counts as empty.",
)


def indicator_values(rows: pd.DataFrame, subject: str) -> dict[str, float]:
    """Return the indicators of one group and subject by metric, each the mean over seeds, in the order of the tables.

    Raises:
        ValueError: the rows vary in an axis besides the seed.
    """
    places = np.flatnonzero(equal(rows, stage="dataset", subject=subject))
    codes, known = coded(rows["metric"])
    named = [code for code, name in enumerate(known) if name.partition("@")[0] in INDICATORS]
    places = places[np.isin(codes[places], named)]
    require_named_axes(taken(rows, [name for name in rows if name not in NOT_AXES], places), ("metric",))
    values = grouped(known[codes[places]].tolist(), rows["value"].to_numpy(dtype=float)[places].tolist())
    ordered = sorted(values, key=lambda metric: INDICATORS.index(Metric.of(metric)))  # stable: 500 before 100
    return {metric: compensated_mean(values[metric]) for metric in ordered}


def header(metric: str) -> str:
    """``"left_skew@5%"`` → ``"Skew 5%"``."""
    return f"{Metric.of(metric).header} {metric.partition('@')[2]}".strip()


def cell(metric: str, value: float) -> str:
    """Format the value of an indicator."""
    return shown(Metric.of(metric), value)


def indicators_table(study: Study) -> Table:
    """Return the indicators, one row per group and subject; without a row where a study has none."""
    cells: list[dict[str, str]] = []
    values: list[dict[str, Any]] = []
    for group in study.groups():
        rows = study.of(group)
        for subject in SUBJECTS:
            found = indicator_values(rows, subject)
            if not found:
                continue
            cells.append(
                {**_heads(group), "Set": name_of(subject), **{header(m): cell(m, v) for m, v in found.items()}}
            )
            values.append({**group, "subject": subject, **found})
    metrics = [name for name in (values[0] if values else {}) if name.partition("@")[0] in INDICATORS]
    return Table(
        name="indicators",
        caption="Dataset-scale indicators of the training sets",
        cells=pd.DataFrame(cells),
        values=pd.DataFrame(values),
        sort_by={header(metric): metric for metric in metrics},
        notes=NOTES,
    )


def _heads(group: Mapping[str, Any]) -> dict[str, str]:
    """Dataset, regime, pool and further axes of a group; the encoder does not matter to labels, but tells rows apart."""
    return {
        "Pool" if axis == "mix" else axis.capitalize(): name_of(v) for axis, v in group.items() if axis != "modality"
    }


def indicator_lines(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return header and one line per subject for a terminal; nothing where the rows hold no indicator."""
    found = {subject: indicator_values(rows, subject) for subject in SUBJECTS}
    found = {subject: values for subject, values in found.items() if values}
    if not found:
        return []
    metrics = list(next(iter(found.values())))
    lines = [("", *(header(metric) for metric in metrics))]
    return lines + [(name_of(s), *(cell(m, values[m]) for m in metrics)) for s, values in found.items()]


def indicator_sentence(rows: pd.DataFrame) -> str:
    """Say in one sentence how large and how even the classes of the primary set are; empty where the rows hold no indicator."""
    found = indicator_values(rows, "primary")
    if not found:
        return ""
    skew = next(metric for metric in found if metric.startswith(Metric.LEFT_SKEW))
    tails = [metric for metric in found if metric.startswith(Metric.LONG_TAIL)]
    below = ", ".join(
        f"{percent(found[tail])} % of the classes have fewer than {tail.partition('@')[2]}" for tail in tails
    )
    return (
        f"{count(found[Metric.LABEL_SET_SIZE])} classes of {count(found[Metric.SMALLEST_CLASS])} to {count(found[Metric.LARGEST_CLASS])} "
        f"samples; the most common {skew.partition('@')[2].replace('%', ' %')} of the classes hold {percent(found[skew])} % of them; {below}."
    )
