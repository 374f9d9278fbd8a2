"""Places labels beside points so that neither labels nor points are covered."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from scar.common.types import Floats
from scar.reporting.figures.style import INK, MUTED

FREE = 10
"""Gap up to which a label needs no line to its point [pixels]."""
ANGLES = np.deg2rad([0, 180, 90, 270, 30, 150, 330, 210, 60, 120, 300, 240, 15, 165, 345, 195, 75, 105, 285, 255])
DISTANCES = (4, 12, 22, 34, 48, 64, 82, 102, 124, 148, 174, 202, 232, 264, 300, 340)
"""Gaps between the edge of a bubble and its label that are tried [pixels], nearest first."""


def place_labels(axes: Axes, x: Floats, y: Floats, radii: Floats, texts: list[str], *, fontsize: float) -> Floats:
    """Write one label per point, without overlap, with a thin line where the label stands off.

    Crowded points come first; each label takes the nearest free place among fixed angles and distances. The result
    depends on the arguments only.

    Args:
        axes: with final limits and a laid-out figure.
        x: [n] data coordinates.
        y: [n] data coordinates.
        radii: [n] radii of the bubbles [pixels].
        texts: [n] labels.
        fontsize: of the labels [points].

    Returns:
        [n, 4] boxes (left, bottom, right, top) of the labels [pixels].
    """
    points = np.asarray(axes.transData.transform(np.column_stack([x, y])), dtype=np.float64)
    discs = np.column_stack([points - radii[:, None], points + radii[:, None]])
    frame = axes.get_window_extent()
    limits = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    sizes = [_text_size(axes, text, fontsize) for text in texts]
    near = np.linalg.norm(points[:, None] - points[None], axis=-1)
    crowd = np.exp(-near / 60).sum(axis=1)
    boxes = np.full((len(texts), 4), np.nan)
    lines: list[tuple[Floats, Floats]] = []
    for index in np.argsort(-crowd, kind="stable"):
        taken = boxes[~np.isnan(boxes[:, 0])]
        others = np.delete(discs, index, axis=0)
        ends = (np.array([a for a, _ in lines]).reshape(-1, 2), np.array([b for _, b in lines]).reshape(-1, 2))
        box = _free_box(points[index], float(radii[index]), sizes[index], (taken, discs, others, limits), ends)
        boxes[index] = box
        centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
        anchor = np.clip(points[index], box[:2], box[2:])
        inverse = axes.transData.inverted()
        if np.linalg.norm(anchor - points[index]) > radii[index] + FREE:
            start, end = inverse.transform(points[index]), inverse.transform(anchor)
            axes.plot(*zip(start, end, strict=True), color=MUTED, linewidth=0.5, zorder=1.5)
            lines.append((points[index], anchor))
        at = inverse.transform(centre)
        look = {"fontsize": fontsize, "ha": "center", "va": "center", "color": INK, "zorder": 4}
        axes.text(at[0], at[1], texts[index], None, **look)
    return boxes


def _text_size(axes: Axes, text: str, fontsize: float) -> tuple[float, float]:
    """Width and height of a text [pixels]."""
    figure = axes.get_figure()
    assert figure is not None
    probe = axes.text(0, 0, text, fontsize=fontsize)
    extent = probe.get_window_extent(figure.canvas.get_renderer())
    probe.remove()
    return float(extent.width) + 3, float(extent.height) + 2


def _free_box(
    point: Floats,
    radius: float,
    size: tuple[float, float],
    obstacles: tuple[Floats, Floats, Floats, Floats],
    lines: tuple[Floats, Floats],
) -> Floats:
    """Nearest box beside the point that covers nothing, or else the one that covers least."""
    taken, discs, others, limits = obstacles
    best, least = np.zeros(4), np.inf
    for distance in DISTANCES:
        for angle in ANGLES:
            direction = np.array([np.cos(angle), np.sin(angle)])
            reach = radius + distance
            centre = point + direction * reach + direction * np.array(size) / 2
            box = np.array(
                [centre[0] - size[0] / 2, centre[1] - size[1] / 2, centre[0] + size[0] / 2, centre[1] + size[1] / 2]
            )
            outside = np.maximum(limits[:2] - box[:2], 0).sum() + np.maximum(box[2:] - limits[2:], 0).sum()
            cost = 50 * outside + 10 * _overlap(box, taken) + _overlap(box, discs)
            if cost < least:
                cost += _line_cost(box, point, distance > FREE, (taken, others), lines)
            if cost < least:
                best, least = box, float(cost)
        if least == 0:
            break
    return best


def _line_cost(
    box: Floats, point: Floats, has_line: bool, boxes: tuple[Floats, Floats], lines: tuple[Floats, Floats]
) -> float:
    """Cost of a box that covers lines, and of its own line, which may run through labels, bubbles and lines."""
    anchor = np.clip(point, box[:2], box[2:])
    cost = 200 * _crossed(box[None], *lines)
    if has_line:
        taken, others = boxes
        cost += 200 * sum(_meet(point, anchor, *line) for line in zip(*lines, strict=True))
        cost += 200 * _crossed(taken, point, anchor) + 40 * _crossed(others, point, anchor)
    return float(cost)


def _overlap(box: Floats, others: Floats) -> float:
    """Area that a box shares with others [square pixels]."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float(np.sum(np.maximum(width, 0) * np.maximum(height, 0)))


def _crossed(boxes: Floats, start: Floats, end: Floats) -> int:
    """How many of the boxes `[n, 4]` a line runs through, or how many lines `[n, 2]` through a box.

    A line does where its ways through both slabs of a box overlap.
    """
    step = np.where(np.abs(end - start) < 1e-9, 1e-9, end - start)
    ways = np.sort(np.stack([(boxes[:, :2] - start) / step, (boxes[:, 2:] - start) / step]), axis=0)
    enters, leaves = np.maximum(ways[0].max(axis=1), 0), np.minimum(ways[1].min(axis=1), 1)
    return int(np.sum(enters < leaves))


def _meet(a: Floats, b: Floats, c: Floats, d: Floats) -> bool:
    """Whether two lines cross."""

    def side(p: Floats, q: Floats, r: Floats) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
