"""The plan by class: what there is, what the plan adds, and what would be enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scar.reporting.figures.style import (
    EXTENSION,
    FOUNDATION,
    GRID,
    INK,
    MUTED,
    Drawing,
    new_figure,
    only_grid,
    shortened,
    styled,
)
from scar.reporting.tables.plan_table import need_text
from scar.reporting.text import count, known, listing, name_of, size

MOST = 40
"""Classes drawn; beyond, those with the largest additions."""


def draw_plan(plan: pd.DataFrame, *, title: str, name: str = "plan", strategy: str = "scar") -> Drawing:
    """Horizontal bars per class: primary count, addition on top of it, and the size that is enough with its interval.

    A need that lies far to the right is drawn as an arrow at the edge with its number.

    Args:
        plan: of `plan_by_class`.
        title: whose plan.
        name: file stem.
        strategy: whose plan.
    """
    shown = plan.sort_values(["added", "primary"], ascending=[False, True]).head(MOST)
    shown = shown.sort_values("primary", ascending=False, ignore_index=True)
    with styled():
        figure = new_figure(7.2, 1.3 + 0.27 * len(shown))
        axes = figure.subplots()
        drawing = Drawing(name=name, title="Plan by class", alt="", figure=figure, data=plan)
        primary, added = (shown[c].fillna(0).to_numpy(dtype=float) for c in ("primary", "added"))
        place = np.arange(len(shown))
        axes.barh(place, primary, height=0.62, color=MUTED, alpha=0.55, label="in primary")
        bars = axes.barh(
            place, added, left=primary, height=0.62, color=EXTENSION, label=f"added by {name_of(strategy)}"
        )
        edge = 1.45 * float(np.max(primary + added, initial=1.0))
        for index, row in enumerate(shown.to_dict("records")):
            drawing.tip(bars[index], f"{row['class_name']}: {count(row['primary'])} + {count(row['added'])}, enough: {need_text(row)}")  # fmt: skip
            _draw_need(axes, index, row, float(primary[index] + added[index]), edge)
        axes.plot([], [], marker="D", color=FOUNDATION[0], markersize=5, label="enough, with interval")
        axes.set_yticks(place, shortened(shown.class_name.tolist()))
        axes.set_xlim(0, edge * 1.14)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlabel("Samples of the class")
        axes.set_title(title if len(shown) == len(plan) else f"{title} ({MOST} of {len(plan)} classes)")
        only_grid(axes, "x")
        figure.legend(loc="outside upper left", ncols=3)
    drawing.alt = _describe(plan)
    return drawing


def _draw_need(axes: Axes, index: int, row: dict[str, float], end: float, edge: float) -> None:
    need = row["need"]
    small: dict[str, Any] = {"fontsize": 7.2, "va": "center", "color": INK, "textcoords": "offset points"}
    if not known(need) or need == 0:
        axes.annotate("met" if need == 0 else f"need {size(need)}", (end, index), xytext=(4, 0), **small)
        return
    low, high = row["need_low"], row["need_high"]
    if not np.isnan(low) and not np.isnan(high) and low < edge:
        axes.plot([low, min(high, edge)], [index, index], color=FOUNDATION[0], linewidth=1.1, solid_capstyle="butt")
        if high > edge >= need:  # the interval goes on
            axes.plot([edge], [index], marker=">", color=FOUNDATION[0], markersize=3.5)
    beyond = need > edge
    marker: dict[str, Any] = {
        "marker": ">" if beyond else "D",
        "markersize": 5.5 if beyond else 4.8,
        "markeredgecolor": GRID,
    }
    axes.plot([min(need, edge)], [index], color=FOUNDATION[0], markeredgewidth=0.5, **marker)
    if beyond:
        axes.annotate(count(need), (edge, index), xytext=(5, 0), **small)


def _describe(plan: pd.DataFrame) -> str:
    largest = plan[plan.added > 0].sort_values("added", ascending=False)
    names = [f"{row.class_name} +{count(row.added)}" for row in largest.itertuples()]
    return (
        f"Bars per class of samples in primary and added by the plan. Added: {listing(names) if names else 'nothing'}."
    )
