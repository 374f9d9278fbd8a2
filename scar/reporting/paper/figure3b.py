"""Figure 3b: coverage, authenticity, scale (area) and richness (colour) of each data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from scar.measures.steps import MEASURES
from scar.reporting.figures._label_places import place_labels
from scar.reporting.figures.style import INK, MUTED, Drawing, new_figure, settle, styled
from scar.reporting.paper.published_rows import published_characteristics
from scar.reporting.settings import GROUPS_DRAWN
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import characteristics
from scar.reporting.text import decimal, group_label

LARGEST = 260.0
"""Area of a bubble of scale 1 [square points]."""
SMALLEST = 0.08
"""Scale under which bubbles do not shrink further, so that they stay visible."""


def bubbles_frame(study: Study, estimator: str | None = None) -> pd.DataFrame:
    """Frame for `draw_bubbles`: label, scale, coverage, authenticity, richness."""
    frame = characteristics(study, estimator)
    labels = [group_label({axis: row[axis] for axis in study.axes}) for row in frame.to_dict("records")]
    return frame.assign(label=labels)


def published_bubbles_frame() -> pd.DataFrame:
    """The 38 published rows in the form of `bubbles_frame`."""
    frame = published_characteristics()
    keys = ("dataset", "encoder", "modality")
    return frame.assign(label=[group_label({k: row[k] for k in keys}) for row in frame.to_dict("records")])


def draw_bubbles(frame: pd.DataFrame, *, name: str = "figure3b") -> Drawing:
    """One bubble per row; rows that lack a measure are listed under the figure instead.

    Args:
        frame: of `bubbles_frame`.
        name: file stem.
    """
    shown = frame.dropna(subset=list(MEASURES))
    lacking = frame.loc[~frame.index.isin(shown.index), "label"].tolist()
    many = len(shown) > 8
    with styled():
        figure = new_figure(11 if many else 7.2, 8 if many else 4.6, layout=ConstrainedLayoutEngine())
        axes = figure.subplots()
        drawing = Drawing(name=name, title="Scale, Coverage, Authenticity, Richness", alt="", figure=figure, data=frame)
        x, y = (shown[m].to_numpy(dtype=float) for m in ("coverage", "authenticity"))
        area = LARGEST * np.maximum(shown["scale"].to_numpy(dtype=float), SMALLEST)
        style: dict[str, Any] = {"cmap": "cividis", "vmin": 0.0, "vmax": 1.0, "edgecolors": INK, "linewidths": 0.6}
        dots = axes.scatter(x, y, s=area, c=shown["richness"], zorder=3, **style)
        _limits(axes, x, y)
        axes.set_xlabel("Coverage C: share of the reserve that the plan takes up")
        axes.set_ylabel("Authenticity A: test accuracy")
        bar = figure.colorbar(dots, ax=axes, shrink=0.6, aspect=22, pad=0.01)
        bar.set_label("Richness R = min(1, FDS / N)", color=INK)
        bar.outline.set_visible(False)
        _size_legend(axes)
        notes = [f"not shown, a measure is undefined: {_first(lacking)}"] if lacking else []
        if len(shown) > GROUPS_DRAWN:
            notes.append(f"named are the first {GROUPS_DRAWN} of {len(shown)}, all of them in {name}_data.csv")
        if notes:
            axes.set_title("\n".join(notes), fontsize=7.5, color=MUTED)
        settle(figure)
        radii = np.sqrt(area / np.pi) * figure.dpi / 72
        named = slice(0, GROUPS_DRAWN)
        place_labels(
            axes, x[named], y[named], radii[named], shown["label"].tolist()[named], fontsize=7.2 if many else 8.5
        )
    for row, disc in zip(shown.to_dict("records"), _hover(axes, x, y), strict=True):
        drawing.tip(disc, f"{row['label']}: " + ", ".join(f"{m} {decimal(row[m])}" for m in MEASURES))
    drawing.alt = "Bubbles, one per data set. " + "; ".join(
        f"{row['label']}: coverage {decimal(row['coverage'])}, authenticity {decimal(row['authenticity'])}, "
        f"scale {decimal(row['scale'])}, richness {decimal(row['richness'])}"
        for row in shown.head(4).to_dict("records")
    ) + (f"; and {len(shown) - 4} more." if len(shown) > 4 else ".")  # fmt: skip
    return drawing


def _first(labels: list[str]) -> str:
    rest = len(labels) - GROUPS_DRAWN
    return ", ".join([*labels[:GROUPS_DRAWN], *([f"and {rest} more"] if rest > 0 else [])])


def _hover(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Line2D]:
    """Invisible points over the bubbles, one artist each, that carry the hover texts."""
    discs: list[Line2D] = []
    for cx, cy in zip(x, y, strict=True):
        discs += axes.plot([cx], [cy], marker="o", markersize=14, alpha=0.0, linestyle="none", zorder=5)
    return discs


def _limits(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Limits with room for labels around the points; one point stands in the middle of the unit square."""
    for low, high, setter in ((x.min(initial=1), x.max(initial=0), axes.set_xlim), (y.min(initial=1), y.max(initial=0), axes.set_ylim)):  # fmt: skip
        if len(x) == 1:
            setter(-0.05, 1.05)
            continue
        margin = max(0.12 * (high - low), 0.08)
        setter(max(low - margin, -0.08), min(high + margin, 1.10))


def _size_legend(axes: Axes) -> None:
    handles = [
        axes.scatter([], [], s=LARGEST * scale, facecolors="none", edgecolors=INK, linewidths=0.6, label=f"{scale:g}")
        for scale in (0.1, 0.5, 1.0)
    ]
    box: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 3, "borderaxespad": 0.2}
    axes.legend(handles=handles, title="Scale S", alignment="left", title_fontsize=8.5, handletextpad=0.4, **box)
