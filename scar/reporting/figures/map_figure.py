"""The map as a picture: samples by class, and test items by whether they are decided rightly."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from scar.common.types import Bools
from scar.job.map_points import RIGHT, WRONG
from scar.reporting.figures.style import MUTED, OTHERS, STRATEGY, Drawing, new_figure, styled
from scar.reporting.map_view import MapView
from scar.reporting.text import count, listing

COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a67c00"),
    *("#56b4e9", "#8a63d2", "#a0522d", "#44aa99", "#c2185b"),
)
"""Of the largest classes, in the order of the classes, as on the page; the others are grey."""
LABELS = 10
"""Letters of the name of a class in the legend, times two."""


def draw_map(view: MapView, *, title: str, name: str = "map") -> Drawing:
    """Draw the points by class, and those of the test part by outcome with what is out of reach.

    Args:
        view: of the group.
        title: of the figure.
        name: file stem.
    """
    points = view.points
    sizes = np.bincount(points.classes[points.classes >= 0], minlength=len(points.about["names"]))
    largest = sorted(int(each) for each in np.argsort(-sizes, kind="stable")[: len(COLOURS)] if sizes[each])
    right, wrong = points.outcome == RIGHT, points.outcome == WRONG
    with styled():
        figure = new_figure(9.6, 4.9)
        by_class, by_outcome = figure.subplots(1, 2)
        rest = ~np.isin(points.classes, largest)
        _scatter(by_class, view, rest, MUTED, f"{count(len(sizes) - len(largest))} more" if rest.any() else "")
        for colour, index in zip(COLOURS, largest, strict=False):
            named = str(points.about["names"][index])
            _scatter(
                by_class,
                view,
                points.classes == index,
                colour,
                named if len(named) <= 2 * LABELS else f"{named[: 2 * LABELS - 1]}…",
            )
        _scatter(by_outcome, view, ~(right | wrong), MUTED, "not a test item", alpha=0.25)
        _scatter(by_outcome, view, right, STRATEGY["scar"], "right")
        _scatter(by_outcome, view, wrong, STRATEGY["random"], "wrong")
        _scatter(by_outcome, view, points.empty, OTHERS[4], "out of reach", marker="x", s=14, linewidths=0.8)
        by_class.set_title("by class")
        by_outcome.set_title("test items")
        for axes, columns in ((by_class, 3), (by_outcome, 4)):
            axes.set(xticks=[], yticks=[], aspect="equal")
            axes.grid(visible=False)
            for side in axes.spines.values():
                side.set_visible(False)
            axes.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, 0),
                ncols=columns,
                markerscale=3,
                handletextpad=0.2,
                columnspacing=0.8,
            )
    named = listing([str(points.about["names"][index]) for index in largest])
    alt = f"{count(view.n)} samples in two dimensions, the largest classes {named}."
    if right.any() or wrong.any():
        alt += f" Of {count((right | wrong).sum())} test items {count(wrong.sum())} are decided wrongly."
    alt += f" {count(points.empty.sum())} points are out of reach of the primary set."
    return Drawing(name=name, title=f"Map: {title}", alt=alt, figure=figure)


def _scatter(axes: Axes, view: MapView, chosen: Bools, colour: str, label: str, **more: Any) -> None:
    if chosen.any():
        x, y = view.points.place[chosen].T
        how: dict[str, Any] = {"s": 4, "linewidths": 0, "rasterized": True, **more}
        axes.scatter(x, y, color=colour, label=label or None, **how)
