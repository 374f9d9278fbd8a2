"""Planner × regime at a glance: points over random, one panel per metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scar.evaluation.hypotheses import is_significant
from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.reporting.comparison import Comparison
from scar.reporting.figures.style import ON_DARK, ON_LIGHT, Drawing, new_figure, styled
from scar.reporting.group_scores import BASELINES, strategy_order
from scar.reporting.tables.planners_table import regime_order
from scar.reporting.text import name_of, points

SHOWN = (LEADING, Metric.BALANCED_ACCURACY)
"""What samples are worth, and what the same plans seem to gain where the class mix counts too."""


def draw_planners(comparison: Comparison) -> Drawing:
    """One cell per planner and regime at the largest budget: the difference to random; bold where significant after Holm.

    Args:
        comparison: of a study whose groups differ in the regime alone.
    """
    frame = comparison.planners[comparison.planners.second == BASELINES[0]]
    frame = frame[frame.fraction == frame.fraction.max()]
    planners = sorted(frame["first"].unique(), key=strategy_order)
    regimes = sorted(frame.regime.unique(), key=regime_order)
    bound = max(100 * float(frame[frame.metric.isin(SHOWN)].value.abs().max()), 0.1)
    with styled():
        figure = new_figure(max(1.9 + 2 * (0.62 * len(regimes)), 6.0), 1.4 + 0.34 * len(planners))
        panels = figure.subplots(1, len(SHOWN), sharey=True)
        drawing = Drawing(name="planners", title="Planners by regime", alt="", figure=figure)
        said = [
            _panel(panel, frame[frame.metric == metric], metric, planners, regimes, bound)
            for panel, metric in zip(panels, SHOWN, strict=True)
        ]
    drawing.alt = f"Points over random at the largest budget, planner by regime. {' '.join(said)}"
    return drawing


def _panel(axes: Axes, frame: pd.DataFrame, metric: str, planners: list[str], regimes: list[str], bound: float) -> str:
    table = 100 * frame.pivot(index="first", columns="regime", values="value").reindex(planners)[regimes]
    tested = frame.pivot(index="first", columns="regime", values="p_holm").reindex(planners)[regimes].to_numpy()
    values = table.to_numpy(dtype=float)
    axes.imshow(values, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        weight = "bold" if is_significant(tested[row, column]) else "normal"
        shade = ON_DARK if abs(value) > 0.6 * bound else ON_LIGHT
        axes.text(column, row, points(value / 100), ha="center", va="center", fontsize=7, weight=weight, color=shade)
    axes.set_xticks(range(len(regimes)), [name_of(regime) for regime in regimes], rotation=50, ha="right")
    axes.set_yticks(range(len(planners)), [name_of(planner) for planner in planners])
    axes.grid(visible=False)
    axes.set_title(f"{Metric.of(metric).header},\npoints over random", fontsize=8.5)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    best = f"{name_of(planners[row])} in {name_of(regimes[column])}, {points(values[row, column] / 100)}"
    return f"{Metric.of(metric).header}: best {best}."
