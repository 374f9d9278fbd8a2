"""Accuracy of chosen subsets against their size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scar.evaluation.weighted_metrics import METRICS
from scar.job.metrics import Metric
from scar.reporting.figures.style import MUTED, Drawing, colour_of, log2_axis, new_figure, styled
from scar.reporting.text import name_of

COLOURS = {"k_center": "#0072b2", "facility_location": "#009e73", "herding": "#cc79a7", "margin": "#8a6d00"}


def draw(table: pd.DataFrame, *, title: str) -> Drawing:
    """Two panels, one per metric: points below the full set, by selection, against the size of the subset."""
    with styled():
        figure = new_figure(10.0, 4.0)
        panels = figure.subplots(1, len(METRICS))
        grid = table[~table.origin.str.startswith("gap")]
        for axes, metric in zip(panels, METRICS, strict=True):
            for position, (selection, rows) in enumerate(grid[grid.metric == metric].groupby("selection", sort=False)):
                ordered = rows.sort_values("n")
                x = ordered.n * np.exp(0.012 * (position - 2))  # beside each other where they coincide
                colour = COLOURS.get(str(selection), colour_of(str(selection), position))
                axes.plot(
                    x, 100 * ordered.minus_full, color=colour, marker="o", markersize=3.5, label=name_of(str(selection))
                )
                axes.vlines(x, 100 * ordered.full_low, 100 * ordered.full_high, color=colour, alpha=0.5)
            asked = table[table.origin.str.startswith("gap") & (table.metric == metric) & (table.selection == "random")]
            for row in asked.itertuples():
                axes.axvline(row.n, color=MUTED, linewidth=0.8, linestyle="dotted")
                axes.annotate(row.origin, (row.n, 0.02), xycoords=("data", "axes fraction"), fontsize=7, rotation=90)
            axes.axhline(0, color=MUTED, linewidth=0.8)
            log2_axis(axes)
            axes.set(xlabel="samples in the subset", ylabel=f"{Metric.of(metric).label}: points from the full set")
        panels[0].legend(fontsize=8)
        panels[0].set_title(name_of(title))
    shown = grid[grid.metric == Metric.ACCURACY].sort_values("n").drop_duplicates("selection", keep="first")
    worst = ", ".join(f"{r.selection} {100 * r.minus_full:.1f}" for r in shown.itertuples())
    return Drawing(
        name="foundation_subset",
        title="Subsets against the full set",
        alt=f"Points of accuracy from the full set at the smallest size: {worst}.",
        figure=figure,
    )
