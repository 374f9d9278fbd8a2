"""Predicted against real size, and the error of every estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator

from scar.reporting.figures.style import FOUNDATION, INK, MUTED, Drawing, new_figure, only_grid, styled
from scar.studies.common import TITLES
from scar.studies.need.score import SCORED

NAMES = {
    "heldout": "heldout",
    "learning_curve": "learning_curve (recall)",
    "power_last_two": "power law, last two sizes",
    "power_fitted": "power law, fitted exponent",
    "power_half": "power law, n^-1/2",
    "other_seed": "measured with another seed",
    "twice": 'always "twice what there is"',
    "paper": "paper",
    "reference": "reference",
}
COLOURS = ("#0072b2", "#d55e00", "#009e73")
SCATTERED = ("heldout", "power_fitted", "learning_curve")


def draw(cases: pd.DataFrame, table: pd.DataFrame) -> Drawing:
    """Three scatter plots of classes and one panel of errors, of the last plan."""
    with styled():
        figure = new_figure(11.0, 5.6)
        top = figure.add_gridspec(2, 3, height_ratios=(1.15, 1.0))
        plan = cases["plan"].unique()[-1]
        inside = cases[cases["band"].isin(SCORED) & (cases["class_id"] >= 0) & (cases["plan"] == plan)]
        for i, estimator in enumerate(SCATTERED):
            _scatter(figure.add_subplot(top[0, i]), inside, estimator, legend=i == 0)
        _errors(figure.add_subplot(top[1, :]), inside)
    chosen = (table["subject"] == "class") & (table["dataset"] == "all") & (table["plan"] == plan)
    best = table[chosen].drop_duplicates("estimator").set_index("estimator")["median"]
    alt = "Median |log2(predicted / real)| per class: " + ", ".join(f"{k} {v:.2f}" for k, v in best.items())
    return Drawing(name="need_study", title="Predicted and real need", alt=alt, figure=figure)


def _scatter(axes: Any, inside: pd.DataFrame, estimator: str, *, legend: bool) -> None:
    rows = inside[inside["estimator"] == estimator]
    for position, dataset in enumerate(sorted(inside["dataset"].unique())):
        each = rows[rows["dataset"] == dataset]
        said = np.nan_to_num(each["predicted"] / each["have"], nan=32.0, posinf=32.0)
        axes.scatter(
            each["real"] / each["have"],
            np.clip(said, 1.0, 32.0),
            s=7,
            alpha=0.45,
            linewidths=0,
            color=COLOURS[position % len(COLOURS)],
            label=TITLES.get(dataset, dataset),
        )
    axes.plot([1, 4], [1, 4], color=INK, linewidth=0.9)
    axes.set(xscale="log", yscale="log", xlim=(0.97, 4.15), ylim=(0.9, 36))
    axes.set_xticks([1, 2, 4], ["1x", "2x", "4x"])
    axes.set_yticks([1, 2, 4, 8, 16, 32], ["enough", "2x", "4x", "8x", "16x", "≥ 32x"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(NAMES[estimator])
    axes.set_xlabel("real size / what one has")
    if legend:
        axes.set_ylabel("predicted / what one has")
        axes.legend(loc="upper left", markerscale=2.5, handletextpad=0.2)


def _errors(axes: Any, inside: pd.DataFrame) -> None:
    inside = inside[(inside["question"] == "gap") | (inside["estimator"] == "learning_curve")]
    names = [name for name in NAMES if (inside["estimator"] == name).any()]
    for row, name in enumerate(reversed(names)):
        for offset, part, colour in ((0.17, SCORED[0], FOUNDATION[1]), (-0.17, SCORED[1], FOUNDATION[0])):
            size = inside[(inside["estimator"] == name) & (inside["band"] == part)]["error"].abs()
            if size.empty:
                continue
            low, middle, high = np.quantile(size, (0.25, 0.5, 0.75))
            axes.plot([low, high], [row + offset] * 2, color=colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
            axes.plot(middle, row + offset, "o", color=colour, markersize=5)
            axes.text(high + 0.03, row + offset, f"{middle:.2f}", va="center", fontsize=7.5, color=MUTED)
    axes.axvline(0.3, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(names)), [NAMES[name] for name in reversed(names)])
    axes.set(xlim=(0, 3.2), xlabel="|log2(predicted / real)| per class: median and middle half; 3 is the worst score")
    axes.set_title("Error, real size 1-2x (light) and 2-4x (dark) of what one has; dashed: the goal, 0.3")
    only_grid(axes, "x")
