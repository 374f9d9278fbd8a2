"""What an encoder gives for what it takes: accuracy against throughput, with the front that no other beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from scar.reporting.figures.style import INK, MUTED, STRATEGY, Drawing, new_figure, styled
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
    label = group_label({**board.group, "encoder": ""}).strip(" ·")
    with styled():
        figure = new_figure(6.4, 3.8)
        axes = figure.subplots()
        drawing = Drawing(name=name, title=f"Accuracy and throughput: {label}", alt="", figure=figure)
        front = frame[frame.pareto].sort_values("samples_per_second")
        axes.plot(front.samples_per_second, 100 * front.accuracy, color=MUTED, linewidth=1, linestyle="--", zorder=1)
        for place, row in enumerate(frame.to_dict("records")):
            value, colour = 100 * row["accuracy"], MUTED if row["control"] else STRATEGY["scar"]
            if known(row["accuracy_low"]):
                ends = [[value - 100 * row["accuracy_low"]], [100 * row["accuracy_high"] - value]]
                axes.errorbar(row["samples_per_second"], value, yerr=ends, color=colour, linewidth=1, zorder=2)
            area = 30 + 220 * float(np.sqrt(row["bytes_per_sample"] / largest))
            point = axes.scatter(row["samples_per_second"], value, s=area, color=colour, alpha=0.85, zorder=3)
            drawing.tip(
                point, f"{name_of(row['encoder'])}: {value:.1f} %, {count(row['samples_per_second'])} samples/s"
            )
            mark = " (control)" if row["control"] else ""
            if place >= GROUPS_DRAWN:
                continue
            axes.annotate(
                f"{name_of(row['encoder'])}{mark}", (row["samples_per_second"], value), xytext=(0, -22 if place % 2 else 14),
                textcoords="offset points", fontsize=8, color=INK, ha="center", zorder=4,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.22, y=0.15)
        axes.set_xlabel("samples embedded per second (log scale)")
        axes.set_ylabel("accuracy [%]")
        axes.set_title(
            label if len(frame) <= GROUPS_DRAWN else f"{label}; named are the {GROUPS_DRAWN} best of {len(frame)}"
        )
    said = [
        f"{name_of(row.encoder)} {percent(row.accuracy)} % at {count(row.samples_per_second)} samples/s"
        for row in front.itertuples()
    ]
    drawing.alt = f"Accuracy against throughput of {len(frame)} encoders. On the front: {'; '.join(said)}."
    return drawing
