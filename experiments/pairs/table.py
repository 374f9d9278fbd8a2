"""One line per dataset, probed modality and budget; and a figure of the differences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scar.reporting.comparison import compare
from scar.reporting.figures.style import INK, MUTED, Drawing, new_figure, only_grid, styled
from scar.reporting.study_folder import Study, load_study
from scar.reporting.text import name_of

CONTRASTS = (("scar", "random"), ("scar", "class_average"), ("joint", "random"), ("joint", "scar"))
COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#e69f00")
ARMS = ("scar", "random", "class_average", "joint")
METRICS = ("accuracy", "matched_balanced_accuracy")
"""Raw decisions, as the paper scores them, and decisions matched to equal classes."""


def direction_table(folders: Sequence[Path]) -> pd.DataFrame:
    """Return scores and paired differences with their intervals, in shares, of raw and of matched decisions."""
    studies = [load_study(folder) for folder in folders]
    return pd.concat([_lines(study, metric) for metric in METRICS for study in studies], ignore_index=True)


def _lines(study: Study, metric: str) -> pd.DataFrame:
    found = {reference: compare(study, reference=reference) for reference in ("scar", "joint")}
    arms = found["scar"].arms[found["scar"].arms.metric == metric]
    lines = []
    for group in study.groups():
        rows = study.of(group)
        own = _where(arms, group)
        about: dict[str, Any] = {**group, "metric": metric, "seeds": int(own.seeds.max())}
        about |= {"majority": _mean(rows, "majority_rate"), "classes": _mean(rows, "num_classes")}
        for subject in ("primary", "total"):
            about |= _interval(own[own.subject == subject], subject)
        for fraction in sorted(own.fraction.dropna().unique()):
            at = own[np.isclose(own.fraction, fraction)]
            line = about | {"fraction": fraction, "added": float(at.added.mean())}
            for subject in ARMS:
                line[subject] = float(at[at.subject == subject].value.mean())  # NaN where the study lacks the strategy
            for first, second in CONTRASTS:
                rows = _where(found[first].differences, group)
                rows = rows[(rows.second == second) & (rows.metric == metric) & np.isclose(rows.fraction, fraction)]
                line |= _interval(rows, f"{first}_minus_{second}")
            lines.append(line)
    return pd.DataFrame(lines)


def _where(frame: pd.DataFrame, group: dict[str, Any]) -> pd.DataFrame:
    for column, value in group.items():
        frame = frame[frame[column] == value]
    return frame


def _mean(rows: pd.DataFrame, metric: str) -> float:
    return float(rows[rows.metric == metric].value.mean())


def _interval(rows: pd.DataFrame, name: str) -> dict[str, float]:
    ends = {name: "value", f"{name}_low": "low", f"{name}_high": "high"}
    return {key: float(rows[column].iloc[0]) if len(rows) else np.nan for key, column in ends.items()}


def draw_differences(table: pd.DataFrame) -> Drawing:
    """Differences of accuracy in points at the largest budget, a panel per contrast, a row per dataset and direction."""
    largest = table[table.groupby(["dataset", "modality"]).fraction.transform("max") == table.fraction]
    largest = largest[largest.metric == METRICS[0]]
    labels = [f"{name_of(row.dataset)} ({row.modality})" for row in largest.itertuples()]
    places = np.arange(len(largest))[::-1]
    with styled():
        figure = new_figure(9.6, 0.9 + 0.34 * len(largest))
        grid = figure.subplots(1, len(CONTRASTS), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (first, second), colour in zip(grid, CONTRASTS, COLOURS, strict=True):
            name = f"{first}_minus_{second}"
            value, low, high = (100 * largest[f"{name}{end}"].to_numpy() for end in ("", "_low", "_high"))
            axes.errorbar(value, places, xerr=[value - low, high - value], fmt="o", color=colour, markersize=4.5)
            axes.axvline(0, color=INK, linewidth=0.8)
            axes.set_title(f"{name_of(first)} − {name_of(second)}")
            axes.set_yticks(places, labels)
            only_grid(axes, "x")
        figure.supxlabel("test accuracy, points, 95 %", color=MUTED, fontsize=9)
    excludes = sum(
        int(((largest[f"{a}_minus_{b}_low"] > 0) | (largest[f"{a}_minus_{b}_high"] < 0)).sum()) for a, b in CONTRASTS
    )
    alt = f"Of {len(CONTRASTS) * len(largest)} differences between strategies at the largest budget, {excludes} exclude zero"
    return Drawing(name="pairs", title="Strategies on pairs, both directions", alt=alt, figure=figure)
