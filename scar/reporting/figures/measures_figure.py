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

MEASURES_DRAWN = MEASURES[1:]
"""The scale of a subset is its size."""
COLOURS = dict(zip(MEASURES_DRAWN, (EXTENSION, FOUNDATION[0], TOTAL), strict=True))


def measures_by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of the primary set per measure × factor × class: columns metric, factor, class_id, value, …, n, class_name.

    Raises:
        ValueError: the rows hold more than one group.
    """
    own = rows[
        (rows.stage == "measures")
        & (rows.subject == "primary")
        & rows.metric.isin((*MEASURES_DRAWN, Metric.TRUE_POSITIVES))
    ]
    own = as_texts(own)
    frame = summarize(own, ["metric", "factor", "class_id"])
    sizes = own.groupby("factor").n.mean()
    names = own.drop_duplicates("class_id").set_index("class_id").class_name
    return frame.assign(n=frame.factor.map(sizes).astype(float), class_name=frame.class_id.map(names))


def varying(frame: pd.DataFrame) -> list[str]:
    """Measures of `measures_by_size` at several sizes that are not the same for every class at all; others have nothing to show."""
    known = frame[frame.value.notna()]
    found = known.assign(value=known.value.round(3)).groupby("metric")[["value", "n"]].nunique()
    return [metric for metric in MEASURES_DRAWN if metric in found.index and (found.loc[metric] > 1).all()]


def draw_measures(frame: pd.DataFrame, *, title: str, name: str = "measures") -> Drawing:
    """A panel for each of `varying`; the class mean thick, the largest and smallest class named; the title says the others.

    Args:
        frame: of `measures_by_size`.
        title: whose measures.
        name: file stem.
    """
    with styled():
        figure = new_figure(10, 3.5)
        shown = varying(frame)
        panels = figure.subplots(1, len(shown), sharex=True, squeeze=False)[0]
        drawing = Drawing(name=name, title="Measures against subset size", alt="", figure=figure, data=frame)
        parts = []
        for axes, metric in zip(panels, shown, strict=True):
            own = frame[(frame.metric == metric) & frame.value.notna()]
            axes.set_title(metric.capitalize())
            log2_axis(axes)
            axes.set_xlabel("Samples in the subset")
            _draw_lines(drawing, axes, own, COLOURS[metric])
            mean = own.groupby("n").value.mean()
            parts.append(f"mean {metric} {decimal(mean.iloc[0])} at {mean.index[0]:.0f} samples, {decimal(mean.iloc[-1])} at {mean.index[-1]:.0f}")  # fmt: skip
        others = [metric for metric in MEASURES_DRAWN if metric not in shown and (frame.metric == metric).any()]
        same = [f"{metric} {_said(frame[(frame.metric == metric) & frame.value.notna()])}" for metric in others]
        titles = [line_title(title, frame.class_id.nunique()), *same]
        figure.suptitle(" · ".join(titles), fontsize=10, x=0.01, ha="left", color=INK)
    drawing.alt = f"Lines per class against subset size; {'; '.join([*parts, *same])}."
    return drawing


def _said(own: pd.DataFrame) -> str:
    if own.n.nunique() == 1:
        return f"{decimal(own.value.mean())} at {own.n.iloc[0]:.0f} samples"
    return f"{decimal(own.value.iloc[0]) if len(own) else 'undefined'} at every size"


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
