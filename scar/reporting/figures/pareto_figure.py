"""What an encoder gives for what it takes: balanced accuracy against throughput, with the front that no other beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from scar.evaluation.scores import LEADING
from scar.job.metrics import Metric
from scar.reporting.figures._label_places import place_labels
from scar.reporting.figures.style import MUTED, STRATEGY, Drawing, new_figure, settle, styled
from scar.reporting.settings import GROUPS_DRAWN
from scar.reporting.tables.leaderboard import Board
from scar.reporting.text import count, group_label, known, name_of, percent


def draw_fronts(boards: Sequence[Board]) -> list[Drawing]:
    """Draw the front of every dataset whose encoders' throughput is known."""
    stems = ["pareto"] if len(boards) == 1 else [f"pareto_{'_'.join(map(str, b.group.values()))}" for b in boards]
    drawn = [draw_pareto(board, name=stem.replace(" ", "_")) for board, stem in zip(boards, stems, strict=True)]
    return [drawing for drawing in drawn if drawing is not None]


def draw_pareto(board: Board, *, name: str = "pareto") -> Drawing | None:
    """Draw one point per encoder whose throughput is known, its area by the bytes of an embedding; None without any.

    Args:
        board: of one dataset.
        name: file stem.
    """
    frame = board.frame[board.frame.samples_per_second.notna()]
    if frame.empty:
        return None
    largest = float(frame.bytes_per_sample.max())
    score = Metric.of(LEADING).label
    label = group_label({**board.group, "encoder": ""}).strip(" ·")
    with styled():
        figure = new_figure(6.4, 3.8)
        axes = figure.subplots()
        drawing = Drawing(name=name, title=f"{score.capitalize()} and throughput: {label}", alt="", figure=figure)
        front = frame[frame.pareto].sort_values("samples_per_second")
        axes.plot(front.samples_per_second, 100 * front[LEADING], color=MUTED, linewidth=1, linestyle="--", zorder=1)
        names, areas = [], 30 + 220 * np.sqrt(frame.bytes_per_sample.to_numpy(dtype=float) / largest)
        for row, area in zip(frame.to_dict("records"), areas, strict=True):
            value, colour = 100 * row[LEADING], MUTED if row["control"] else STRATEGY["scar"]
            if known(row[f"{LEADING}_low"]):
                ends = [[value - 100 * row[f"{LEADING}_low"]], [100 * row[f"{LEADING}_high"] - value]]
                axes.errorbar(row["samples_per_second"], value, yerr=ends, color=colour, linewidth=1, zorder=2)
            point = axes.scatter(row["samples_per_second"], value, s=area, color=colour, alpha=0.85, zorder=3)
            drawing.tip(
                point, f"{name_of(row['encoder'])}: {value:.1f} %, {count(row['samples_per_second'])} samples/s"
            )
            names.append(f"{name_of(row['encoder'])}{' (control)' if row['control'] else ''}")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.22, y=0.15)
        axes.set_xlabel("samples embedded per second (log scale)")
        axes.set_ylabel(f"{score} [%]")
        axes.set_title(
            label if len(frame) <= GROUPS_DRAWN else f"{label}; named are the {GROUPS_DRAWN} best of {len(frame)}"
        )
        settle(figure)
        x, y = frame.samples_per_second.to_numpy(dtype=float), 100 * frame[LEADING].to_numpy(dtype=float)
        radii, named = np.sqrt(areas / np.pi) * figure.dpi / 72, slice(0, GROUPS_DRAWN)
        place_labels(axes, x[named], y[named], radii[named], names[named], fontsize=8)
    said = [
        f"{name_of(row['encoder'])} {percent(row[LEADING])} % at {count(row['samples_per_second'])} samples/s"
        for row in front.to_dict("records")
    ]
    drawing.alt = f"{score.capitalize()} against throughput of {len(frame)} encoders. On the front: {'; '.join(said)}."
    return drawing
