"""Need curves: the generalisation gap against subset size down to the tolerance, and the need of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts, require_named_axes
from scar.reporting.figures.style import (
    FOUNDATION,
    INK,
    MUTED,
    Drawing,
    line_title,
    log2_axis,
    new_figure,
    only_grid,
    shortened,
    styled,
    thin_lines,
)
from scar.reporting.tables.characteristics import foundation_of
from scar.reporting.text import count, known, listing, name_of, percent, size, size_interval

MOST = 40
"""Classes drawn; beyond, those that lack most."""


def gaps_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Held-out minus training error of the primary set, means over seeds: columns class_id, class_name, factor, n, value.

    Raises:
        ValueError: the rows hold more than one group.
    """
    own = as_texts(rows[(rows.stage == "measures") & (rows.subject == "primary") & (rows.metric == Metric.GAP)])
    index = ["class_id", "class_name", "factor"]
    require_named_axes(own, index)
    own = own.assign(n=own.n.astype(float))
    return own.groupby(index, sort=True)[["n", "value"]].mean().reset_index()


def needs_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """What each class of the primary set has and needs by each estimator, medians over seeds, because a need may be infinite.

    Returns:
        Columns class_id, class_name, estimator, have, need, need_low, need_high, ratio (need over have; NaN where
        undefined).

    Raises:
        ValueError: the rows hold more than one group.
    """
    rows = as_texts(rows[rows.metric.isin((Metric.NEED, Metric.CLASS_SIZE)) & (rows.subject == "primary")])
    needs = rows[rows.metric == Metric.NEED]
    index = ["class_id", "class_name"]
    require_named_axes(needs, [*index, "estimator"])
    have = rows[rows.metric == Metric.CLASS_SIZE].groupby(index).value.median()
    columns = {"value": "need", "low": "need_low", "high": "need_high"}
    found = needs.groupby([*index, "estimator"])[list(columns)].median().rename(columns=columns).reset_index()
    found = found.merge(have.rename("have").reset_index(), on=index, how="left")
    return found.assign(ratio=found.need / found.have.where(found.have > 0))


def draw_needs(
    gaps: pd.DataFrame,
    needs: pd.DataFrame,
    rows: pd.DataFrame,
    *,
    driver: str,
    epsilon: float,
    title: str,
    name: str = "needs",
) -> Drawing:
    """Left: the gap by subset size, every class thin, their mean thick, to the size that is enough; right: by class.

    Args:
        gaps: of `gaps_frame`; without a row the left panel is left out.
        needs: of `needs_frame`.
        rows: of the group, for the size of the set.
        driver: the estimator whose needs the plans answer; it is drawn in front.
        epsilon: gap that is close enough.
        title: whose needs.
        name: file stem.
    """
    shown = _shown(needs, driver)
    sizes = rows[(rows.metric == Metric.FOUNDATION_SIZE) & (rows.subject == "primary") & (rows.estimator == driver)]
    enough = foundation_of(sizes)
    with styled():
        figure = new_figure(10 if len(gaps) else 6.5, max(3.4, 1.5 + 0.22 * len(shown)))
        panels = figure.subplots(1, 2 if len(gaps) else 1, squeeze=False)[0]
        drawing = Drawing(name=name, title="Need", alt="", figure=figure, data=needs)
        if len(gaps):
            _draw_gaps(drawing, panels[0], gaps, enough, epsilon)
        _draw_ratios(drawing, panels[-1], needs, shown, driver)
        figure.suptitle(line_title(title, gaps.class_id.nunique()), fontsize=10, x=0.01, ha="left", color=INK)
    drawing.alt = _describe(gaps, needs, enough, driver)
    return drawing


def _shown(needs: pd.DataFrame, driver: str) -> list[str]:
    """Classes from the largest lack to the smallest; undefined ones last."""
    own = needs[needs.estimator == driver].sort_values("ratio", ascending=False, na_position="last")
    return [str(each) for each in own.class_name.head(MOST)]


def _draw_gaps(drawing: Drawing, axes: Axes, gaps: pd.DataFrame, enough: Mapping[str, Any], epsilon: float) -> None:
    for own in thin_lines(gaps.sort_values("n"), "class_name", sort=False):
        class_name = own.class_name.iloc[0]
        (line,) = axes.plot(own.n, 100 * own.value, color=MUTED, linewidth=0.7, alpha=0.55)
        drawing.tip(line, f"{class_name}: gap {percent(own.value.iloc[-1])} points at {count(own.n.iloc[-1])} samples")
    mean = gaps.groupby("n").value.mean()
    axes.plot(
        mean.index,
        100 * mean,
        color=FOUNDATION[0],
        linewidth=2.2,
        marker="o",
        markersize=4,
        label="mean of the classes",
    )
    axes.axhline(100 * epsilon, color=MUTED, linewidth=1.0, linestyle="dashed", label=f"tolerance ε = {epsilon:g}")
    need = enough["foundation"]
    if known(need) and need > mean.index[-1]:
        ends = [mean.index[-1], need], [100 * mean.iloc[-1], 100 * epsilon]
        axes.plot(*ends, color=FOUNDATION[0], linewidth=1.2, linestyle="dotted")
    if known(need) and need > 0:
        (dot,) = axes.plot([need], [100 * epsilon], marker="D", color=FOUNDATION[0], linestyle="none", label="enough")
        drawing.tip(dot, f"enough: {size(need)} {size_interval(enough['foundation_low'], enough['foundation_high'])}")
    log2_axis(axes)
    axes.set_xlabel("Samples in the subset")
    axes.set_ylabel("Held-out minus training error [points]")
    axes.legend(loc="upper right")


def _draw_ratios(drawing: Drawing, axes: Axes, needs: pd.DataFrame, shown: list[str], driver: str) -> None:
    estimators = sorted(needs.estimator.unique(), key=lambda each: (each != driver, each))
    finite = needs.ratio[(needs.ratio > 0) & np.isfinite(needs.ratio)]
    # An interval that is open or far off is drawn to the edge.
    low, high = (float(finite.min()) / 2, float(finite.max()) * 2) if len(finite) else (0.5, 2.0)
    low, high = min(low, 0.5), max(high, 2.0)
    for index, estimator in enumerate(estimators):
        own = {row.class_name: row for row in needs[needs.estimator == estimator].itertuples()}
        look: dict[str, Any] = {"color": FOUNDATION[index % len(FOUNDATION)], "linestyle": "none"}
        look |= {
            "marker": "D" if estimator == driver else "osv^"[index % 4],
            "markersize": 5.2 if estimator == driver else 4,
        }
        axes.plot([], [], label=name_of(estimator), **look)
        for place, class_name in enumerate(shown):
            row = own.get(class_name)
            if row is None or np.isnan(row.ratio):
                continue
            at = float(np.clip(row.ratio, low, high))
            if estimator == driver and row.need_high > row.need_low:
                ends = np.clip(np.array([row.need_low, row.need_high]) / row.have, low, high)
                axes.plot(ends, [place, place], color=look["color"], linewidth=1.1, alpha=0.6, solid_capstyle="butt")
            (dot,) = axes.plot([at], [place], zorder=3 + (estimator == driver), **look)
            drawing.tip(dot, f"{class_name}, {name_of(estimator)}: has {count(row.have)}, enough {size(row.need)}")
    axes.axvline(1, color=MUTED, linewidth=1.0, linestyle="dashed")
    log2_axis(axes)
    axes.set_xlim(low / 1.15, high * 1.15)
    axes.set_yticks(range(len(shown)), shortened(shown))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("Need over size of the class (edges: met, unreachable)")
    only_grid(axes, "x")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, handletextpad=0.1, columnspacing=1.0)


def _describe(gaps: pd.DataFrame, needs: pd.DataFrame, enough: Mapping[str, Any], driver: str) -> str:
    parts = []
    if len(gaps):
        mean = gaps.groupby("n").value.mean()
        ends = [f"{percent(mean.iloc[i])} points at {count(mean.index[i])} samples" for i in (0, -1)]
        parts.append(f"The mean gap between held-out and training error is {ends[0]} and {ends[1]}")
    parts.append(f"enough for the set by the {name_of(driver)} estimate: {size(enough['foundation'])}")
    own = needs[needs.estimator == driver].sort_values("ratio", ascending=False)
    most = [
        f"{row.class_name} ({count(row.have)} of {size(row.need)})" for row in own[own.ratio > 1].head(4).itertuples()
    ]
    parts.append(f"classes that lack most: {listing(most, 4)}" if most else "no class lacks samples")
    return "; ".join(parts) + "."
