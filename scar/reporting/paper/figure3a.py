"""Figure 3a: total, extension and Foundation Data Size of each data set, on a log₂ axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scar.reporting.axes import select
from scar.reporting.figures.style import (
    EXTENSION,
    FOUNDATION,
    INK,
    MUTED,
    TOTAL,
    Drawing,
    log2_axis,
    new_figure,
    only_grid,
    styled,
)
from scar.reporting.paper.published_rows import published_characteristics
from scar.reporting.settings import GROUPS_DRAWN
from scar.reporting.study_folder import Study
from scar.reporting.tables.characteristics import characteristics, sizes_by_estimator
from scar.reporting.text import group_label, name_of, size

BAR = 0.2
"""Height of a bar [inches] when there are few of them."""


def sizes_frame(study: Study) -> pd.DataFrame:
    """Long frame for `draw_sizes`: label, part (total, extension, foundation), estimator, value, low, high."""
    records: list[dict[str, Any]] = []
    sizes = sizes_by_estimator(study)
    for row in characteristics(study).to_dict("records"):
        group = {axis: row[axis] for axis in study.axes}
        label = group_label(group)
        for part, column in (("total", "n_total"), ("extension", "extended")):
            records.append({"label": label, "part": part, "estimator": "", "value": row[column]})
        own = select(sizes, group)
        for one in own.sort_values("estimator", key=lambda e: e != study.driver, kind="stable").itertuples():
            interval = {"low": one.low, "high": one.high}
            records.append(
                {"label": label, "part": "foundation", "estimator": one.estimator, "value": one.value, **interval}
            )
    return pd.DataFrame(records, columns=["label", "part", "estimator", "value", "low", "high"])


def published_sizes_frame() -> pd.DataFrame:
    """The 38 published rows in the form of `sizes_frame`."""
    records = []
    for row in published_characteristics().to_dict("records"):
        label = group_label({k: row[k] for k in ("dataset", "encoder", "modality")})
        for part, column in (("total", "n_total"), ("extension", "extended"), ("foundation", "foundation")):
            estimator = "published" if part == "foundation" else ""
            records.append({"label": label, "part": part, "estimator": estimator, "value": row[column]})
    return pd.DataFrame(records).assign(low=np.nan, high=np.nan)


def draw_sizes(sizes: pd.DataFrame, *, name: str = "figure3a") -> Drawing:
    """Grouped horizontal bars, one group per label.

    A Foundation Data Size of 0 has no place on a logarithmic axis: it is written as "met", an undefined one as
    "undefined", an infinite one as "unbounded".

    Args:
        sizes: of `sizes_frame`.
        name: file stem.
    """
    every = list(dict.fromkeys(sizes.label))
    labels, data = every[:GROUPS_DRAWN], sizes
    sizes = sizes[sizes.label.isin(labels)]
    estimators = [e for e in dict.fromkeys(sizes.estimator) if e]
    series = [("total", "", TOTAL), ("extension", "", EXTENSION)]
    series += [("foundation", e, FOUNDATION[i % len(FOUNDATION)]) for i, e in enumerate(estimators)]
    bar = BAR if len(labels) <= 6 else 0.115
    height = 1.1 + len(labels) * (bar * len(series) + 0.14)
    drawn = sizes[["value", "high"]].to_numpy(dtype=float)
    positive = sizes.value[(sizes.value > 0) & np.isfinite(sizes.value)]
    floor = 2.0 ** np.floor(np.log2(positive.min()) - 1) if len(positive) else 1.0
    top = float(np.max(drawn[np.isfinite(drawn)], initial=floor * 2))
    with styled():
        figure = new_figure(8, height)
        axes = figure.subplots()
        drawing = Drawing(name=name, title="Sizes: total, extension, foundation", alt="", figure=figure, data=data)
        for index, (part, estimator, colour) in enumerate(series):
            own = sizes[(sizes.part == part) & (sizes.estimator == estimator)].set_index("label")
            title = {"total": "Total", "extension": "Extension (primary + SCAR plan)"}.get(part)
            title = title or f"Foundation, {name_of(estimator)}"
            offset = (index - (len(series) - 1) / 2) * 0.86 / len(series)
            _draw_series(drawing, axes, labels, own, offset, (0.86 / len(series), colour, floor, top, title))
        _dress(axes, labels, floor, top)
        if len(every) > GROUPS_DRAWN:
            axes.set_xlabel(
                f"{axes.get_xlabel()}; the first {GROUPS_DRAWN} of {len(every)}, all of them in {name}_data.csv"
            )
        axes.invert_yaxis()
        figure.legend(loc="outside upper left", ncols=min(len(series), 3), handlelength=1.1, columnspacing=1.4)
    drawing.alt = _describe(sizes, every)
    return drawing


def _draw_series(
    drawing: Drawing,
    axes: Axes,
    labels: list[str],
    own: pd.DataFrame,
    offset: float,
    look: tuple[float, str, float, float, str],
) -> None:
    thickness, colour, floor, top, title = look
    axes.barh([0], [0], height=0, color=colour, label=title)
    small: dict[str, Any] = {"fontsize": 7.2 if len(labels) <= 6 else 5.6, "va": "center", "color": INK}
    for position, label in enumerate(labels):
        if label not in own.index:
            continue
        row, y = own.loc[label], position + offset
        value = float(row.value)
        text = "met (0)" if value == 0 else size(value)
        end = floor
        if np.isfinite(value) and value > 0:
            patch = axes.barh([y], [value - floor], left=floor, height=thickness * 0.86, color=colour)[0]
            drawing.tip(patch, f"{label}: {title} {text}")
            end = value
            if not np.isnan(row.low) and row.high > row.low:  # an open end is drawn to the edge
                ends = [max(row.low, floor), min(row.high, top)]
                axes.plot(ends, [y, y], color=INK, linewidth=0.9, solid_capstyle="butt")
                end = max(value, ends[1])
        axes.annotate(text, (end, y), xytext=(3, 0), textcoords="offset points", **small)


def _dress(axes: Axes, labels: list[str], floor: float, top: float) -> None:
    log2_axis(axes)
    axes.set_xlim(floor, top * 2.0 ** (0.12 * np.log2(top / floor)))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_xlabel("Samples (log₂ axis)")
    only_grid(axes, "x")
    axes.spines["left"].set_color(MUTED)


def _describe(sizes: pd.DataFrame, labels: list[str]) -> str:
    parts = []
    for label in labels[:4]:
        own = sizes[sizes.label == label]
        numbers = [
            f"{row.part}{f' ({name_of(row.estimator)})' if row.estimator else ''} {size(row.value)}"
            for row in own.itertuples()
        ]
        parts.append(f"{label}: {', '.join(numbers)}")
    more = f" And {len(labels) - 4} more." if len(labels) > 4 else ""
    return f"Bars of data sizes in samples. {'; '.join(parts)}.{more}"
