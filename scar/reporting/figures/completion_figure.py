"""Completion curves: test score against added samples by strategy, and the paired differences below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.reporting.axes import require_named_axes, select
from scar.reporting.comparison import Comparison, primary_arms, without_measured
from scar.reporting.figures.style import MUTED, Drawing, colour_of, marker_of, new_figure, only_grid, styled
from scar.reporting.group_scores import strategy_order
from scar.reporting.text import count, group_label, known, name_of, percent, percent_interval, points, points_interval


def draw_completion(comparison: Comparison, group: Mapping[str, Any], *, name: str = "completion") -> Drawing:
    """Draw the scores of one group: matched balanced accuracy, the primary set also with raw decisions.

    Args:
        comparison: of `compare`.
        group: values of the axes.
        name: file stem.

    Raises:
        ValueError: the group leaves an axis open.
    """
    arms = _select(comparison.arms, group)
    differences = _select(comparison.differences, group)
    differences = differences[differences.second != "primary"]
    strategies = sorted(arms.loc[arms.fraction.notna(), "subject"].unique(), key=strategy_order)
    with styled():
        figure = new_figure(7.2, 5.4 if len(differences) else 3.6)
        grid = figure.subplots(2, 1, sharex=True, height_ratios=[1.7, 1], squeeze=False) if len(differences) else None
        upper, lower = (grid[0, 0], grid[1, 0]) if grid is not None else (figure.subplots(), None)
        drawing = Drawing(name=name, title=f"Completion: {group_label(group)}", alt="", figure=figure, data=arms)
        step = _dodge(arms)
        for index, subject in enumerate(strategies):
            _draw_arm(drawing, upper, arms, subject, (index - (len(strategies) - 1) / 2) * step, index)
        _references(upper, arms, _select(primary_arms(comparison, LEADING), group, metric=None))
        upper.set_ylabel(f"Test {Metric.of(LEADING).label} [%]")
        upper.set_title(group_label(group))
        only_grid(upper, "y")
        if lower is not None:
            _draw_differences(drawing, lower, differences, arms, step)
        (lower if lower is not None else upper).set_xlabel("Samples added to the primary set")
        figure.legend(*upper.get_legend_handles_labels(), loc="outside upper left", ncols=5, columnspacing=1.3)
    drawing.alt = _describe(group, arms, differences)
    return drawing


def _select(frame: pd.DataFrame, group: Mapping[str, Any], metric: str | None = LEADING) -> pd.DataFrame:
    frame = select(frame, group if metric is None else {"metric": metric, **group})
    if len(frame):
        require_named_axes(without_measured(frame), list(group))
    return frame


def _dodge(arms: pd.DataFrame) -> float:
    """Sideways shift between strategies, so that their intervals do not cover each other."""
    added = np.unique(arms.added)
    return 0.08 * float(np.min(np.diff(added))) if len(added) > 1 else 0.0


def _draw_arm(drawing: Drawing, axes: Axes, arms: pd.DataFrame, subject: str, shift: float, index: int) -> None:
    own = arms[(arms.subject == subject) & arms.fraction.notna()].sort_values("added")
    colour, marker = colour_of(subject, index), marker_of(subject, index)
    label = name_of(subject)
    axes.plot(own.added + shift, 100 * own.value, color=colour, linewidth=1.2, alpha=0.6)
    for row in own.itertuples():
        x, y = row.added + shift, 100 * row.value
        if known(row.low) and known(row.high):
            axes.plot([x, x], [100 * row.low, 100 * row.high], color=colour, linewidth=1.3, solid_capstyle="butt")
        (dot,) = axes.plot([x], [y], marker=marker, color=colour, markersize=5.5, linestyle="none", label=label)
        text = f"{name_of(subject)}, +{count(row.added)}: {percent(row.value)} % {percent_interval(row.low, row.high)}"
        drawing.tip(dot, text)
        label = "_"


def _references(axes: Axes, arms: pd.DataFrame, primary: pd.DataFrame) -> None:
    """The primary set, raw and re-weighted, and everything as lines across."""
    total = arms[arms.fraction.isna() & (arms.subject == "total")]
    for subject, style, label in (
        ("primary", "dotted", "primary, raw"),
        ("re-weighted", "dashdot", "re-weighted"),
        ("total", "dashed", "all data"),
    ):
        own = total if subject == "total" else primary[primary.subject == subject]
        if len(own):
            axes.axhline(100 * float(own.value.iloc[0]), color=MUTED, linewidth=1.0, linestyle=style, label=label)


def _draw_differences(drawing: Drawing, axes: Axes, differences: pd.DataFrame, arms: pd.DataFrame, step: float) -> None:
    added = arms[arms.subject == differences["first"].iloc[0]].set_index("fraction").added
    seconds = sorted(differences.second.unique(), key=strategy_order)
    for index, second in enumerate(seconds):
        own = differences[differences.second == second]
        for row in own.itertuples():
            x = float(added.loc[row.fraction]) + (index - (len(seconds) - 1) / 2) * step
            colour = colour_of(second, index + 1)
            if known(row.low) and known(row.high):
                axes.plot([x, x], [100 * row.low, 100 * row.high], color=colour, linewidth=1.3, solid_capstyle="butt")
            (dot,) = axes.plot(
                [x], [100 * row.value], marker=marker_of(second, index + 1), color=colour, markersize=5.5
            )
            drawing.tip(
                dot, f"SCAR − {name_of(second)}: {points(row.value)} points {points_interval(row.low, row.high)}"
            )
    axes.axhline(0, color=MUTED, linewidth=1.0)
    axes.set_ylabel("SCAR minus other\n[points]")
    only_grid(axes, "y")


def _describe(group: Mapping[str, Any], arms: pd.DataFrame, differences: pd.DataFrame) -> str:
    parts = [
        f"SCAR minus {name_of(row.second)} at {100 * row.fraction:g} %: {points(row.value)} points "
        f"{points_interval(row.low, row.high)}"
        for row in differences.itertuples()
    ]
    scored = arms[arms.fraction.notna()].subject.nunique()
    return f"Test {Metric.of(LEADING).label} of {scored} strategies against added samples, {group_label(group)}. {'; '.join(parts)}."
