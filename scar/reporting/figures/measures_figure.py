"""Measures of the step functions against the size of the subset, one thin line per class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scar.job.metrics import Metric
from scar.measures.steps import MEASURES
from scar.reporting.axes import as_texts
from scar.reporting.figures.style import (
    EXTENSION,
    FOUNDATION,
    INK,
    MUTED,
    TOTAL,
    Drawing,
    line_title,
    log2_axis,
    new_figure,
    styled,
    thin_lines,
)
from scar.reporting.tables.characteristics import summarize
from scar.reporting.text import decimal

DRAWN = MEASURES[1:]
"""The scale of a subset is its size."""


def measures_by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of the primary set per measure × factor × class: columns metric, factor, class_id, value, …, n, class_name.

    Raises:
        ValueError: the rows hold more than one group.
    """
    own = rows[
        (rows.stage == "measures") & (rows.subject == "primary") & rows.metric.isin((*DRAWN, Metric.TRUE_POSITIVES))
    ]
    own = as_texts(own)
    frame = summarize(own, ["metric", "factor", "class_id"])
    sizes = own.groupby("factor").n.mean()
    names = own.drop_duplicates("class_id").set_index("class_id").class_name
    return frame.assign(n=frame.factor.map(sizes).astype(float), class_name=frame.class_id.map(names))


def draw_measures(frame: pd.DataFrame, *, title: str, name: str = "measures") -> Drawing:
    """Three panels: coverage, authenticity, richness; the class mean thick, the largest and smallest class named.

    Args:
        frame: of `measures_by_size`.
        title: whose measures.
        name: file stem.
    """
    with styled():
        figure = new_figure(10, 3.5)
        panels = figure.subplots(1, len(DRAWN), sharex=True, squeeze=False)[0]
        drawing = Drawing(name=name, title="Measures against subset size", alt="", figure=figure, data=frame)
        parts = []
        for axes, metric, colour in zip(panels, DRAWN, (EXTENSION, FOUNDATION[0], TOTAL), strict=True):
            own = frame[(frame.metric == metric) & frame.value.notna()]
            axes.set_title(metric.capitalize())
            log2_axis(axes)
            axes.set_xlabel("Samples in the subset")
            if own.empty:
                axes.text(0.5, 0.5, "undefined at every size", transform=axes.transAxes, ha="center", color=MUTED)
                continue
            _draw_lines(drawing, axes, own, colour)
            mean = own.groupby("n").value.mean()
            parts.append(f"mean {metric} {decimal(mean.iloc[0])} at {mean.index[0]:.0f} samples, {decimal(mean.iloc[-1])} at {mean.index[-1]:.0f}")  # fmt: skip
        figure.suptitle(line_title(title, frame.class_id.nunique()), fontsize=10, x=0.01, ha="left", color=INK)
    drawing.alt = f"Lines per class against subset size; {'; '.join(parts)}."
    return drawing


def _draw_lines(drawing: Drawing, axes: Axes, own: pd.DataFrame, colour: str) -> None:
    widest = own.n.max()
    for line in thin_lines(own.sort_values("n"), "class_id"):
        (thin,) = axes.plot(line.n, line.value, color=MUTED, linewidth=0.7, alpha=0.55)
        drawing.tip(thin, f"{line.class_name.iloc[0]}: {decimal(line.value.iloc[-1])} at {line.n.iloc[-1]:.0f} samples")
    mean = own.groupby("n").value.mean()
    axes.plot(mean.index, mean.to_numpy(), color=colour, linewidth=2.2, marker="o", markersize=4)
    ends = own[own.n == widest].sort_values("value")
    if len(ends) > 1 and np.ptp(ends.value) > 0:
        for row, shift in ((ends.iloc[0], -2), (ends.iloc[-1], 2)):
            at: dict[str, Any] = {"xytext": (4, shift), "textcoords": "offset points", "va": "center"}
            axes.annotate(row.class_name, (row.n, row.value), fontsize=7.2, color=INK, **at)
    axes.margins(y=0.08)
