"""Figure 2: growth of the concept space by class, the fitted curves of Eq. 7 and the data behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from scar.common.types import Floats
from scar.foundation.bound import concept_bound, reference_concept_sizes
from scar.foundation.growth import GrowthFit, fit_growth
from scar.measures.steps import MEASURES
from scar.reporting.axes import as_texts, require_named_axes
from scar.reporting.figures.style import FOUNDATION, INK, MUTED, TOTAL, Drawing, few_ticks, new_figure, styled
from scar.reporting.text import decimal

COLUMNS, MOST = 5, 20
"""Panels in a row; classes drawn at most."""


def growth_frame(rows: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Right-hand side y of Eq. 7 for the primary set of one seed and group, from the measures (means over the parts of a factor).

    Returns:
        Columns class_id, class_name, factor, y; y is NaN where a measure is undefined.

    Raises:
        ValueError: the rows hold more than one group.
    """
    own = rows[
        (rows.stage == "measures") & (rows.subject == "primary") & (rows.seed == seed) & rows.metric.isin(MEASURES)
    ]
    own = as_texts(own)
    index = ["class_id", "class_name", "factor"]
    require_named_axes(own, [*index, "metric"])
    wide = own.pivot(index=index, columns="metric", values="value").reset_index()
    if wide.empty:
        return wide.assign(y=[])
    named = {measure: wide[measure].to_numpy(dtype=float) for measure in MEASURES}
    return wide[index].assign(y=concept_bound(**named))


def shows_growth(frame: pd.DataFrame) -> bool:
    """Whether any class of a `growth_frame` is measured at three sizes: two say nothing about a curve of two parameters."""
    return bool((frame[frame.y.notna()].groupby("class_id").factor.nunique() > 2).any())


def draw_growth(frame: pd.DataFrame, *, title: str, name: str = "figure2") -> Drawing:
    """Small panels, one per class: y against the share of the data, the regression of Eq. 7 and the published fit.

    Args:
        frame: of `growth_frame`.
        title: whose growth.
        name: file stem.
    """
    table = frame.pivot(index="factor", columns="class_id", values="y").sort_index()
    table = table.dropna(axis="columns", how="all").iloc[:, :MOST]
    names = frame.drop_duplicates("class_id").set_index("class_id").class_name
    factors, y = table.index.to_numpy(dtype=float), table.to_numpy(dtype=float)
    with styled():
        lines = max(-(-y.shape[1] // COLUMNS), 1)
        figure = new_figure(10, 0.9 + 1.75 * lines, layout=ConstrainedLayoutEngine())
        drawing = Drawing(name=name, title="Growth of the concept space", alt="", figure=figure, data=frame)
        drawing.alt = "No class has a defined bound of Eq. 7."
        if y.size and len(factors) > 1:
            fit, h = fit_growth(y, 1 / factors), reference_concept_sizes(y, factors)
            panels = figure.subplots(lines, COLUMNS, sharex=True, squeeze=False).ravel()
            for position, class_id in enumerate(table.columns):
                _panel(panels[position], factors, y[:, position], fit, float(h[position]), position)
                panels[position].set_title(names[class_id], fontsize=8)
            for spare in panels[y.shape[1] :]:
                spare.set_visible(False)
            handles = panels[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside upper right", ncols=3)
            figure.supxlabel("Share 1/r of the data", fontsize=9)
            figure.supylabel("y = (1 − C) exp(2 S (R − A)²)", fontsize=9)
            drawing.alt = _describe(names.loc[table.columns].tolist(), fit, h)
        figure.suptitle(title, fontsize=10, x=0.01, ha="left", color=INK)
    return drawing


def _panel(axes: Axes, factors: Floats, y: Floats, fit: GrowthFit, published: float, position: int) -> None:
    x = np.linspace(0.005, 1, 40)
    axes.plot(1 / factors, y, "o", color=INK, markersize=3.5, label="measured")
    if fit.defined[position]:
        axes.plot(x, fit.predict(x)[:, position], color=FOUNDATION[0], linewidth=1.4, label="regression of Eq. 7")
    if np.isfinite(published):
        curve = published * -np.expm1(-1e-4 * x)
        axes.plot(x, curve, color=TOTAL, linewidth=1.2, linestyle="dashed", label="published fit (λ = 10⁻⁴)")
    axes.set_ylim(0, 1.15 * float(np.nanmax(y)))
    if fit.defined[position] and fit.decreasing[position]:
        axes.text(0.97, 0.92, "falls with size", transform=axes.transAxes, fontsize=6.5, color=MUTED, ha="right")
    few_ticks(axes)
    axes.tick_params(labelsize=7)


def _describe(names: list[str], fit: GrowthFit, published: Floats) -> str:
    falling = int(np.sum(fit.decreasing & fit.defined))
    parts = [
        f"{name}: h {decimal(h, 2)} by regression, {decimal(p, 1)} by the published fit"
        for name, h, p in list(zip(names, fit.h, published, strict=True))[:4]
    ]
    return (
        f"Points and fitted growth curves for {len(names)} classes; the bound falls with size in {falling}. "
        f"{'; '.join(parts)}."
    )
