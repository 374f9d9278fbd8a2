"""Figure 7 of the TL;DR paper: how well captions fit their images, before and after the reduction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scar.reporting.figures.style import (
    EXTENSION,
    FOUNDATION,
    MUTED,
    Drawing,
    colour_of,
    marker_of,
    new_figure,
    only_grid,
    styled,
)
from scar.reporting.text import decimal, percent

BINS = 40
_COLOURS = 9
_DASHES = ("-", "--", ":")
LOOK = {
    "before": (MUTED, "all pairs, original captions"),
    "after": (FOUNDATION[0], "TL;DR's kept pairs, as they are trained on"),
}


def draw_scores(scores: pd.DataFrame, *, title: str) -> Drawing:
    """Two distributions of the pair score, and that of the planted mismatches where they are known.

    Args:
        scores: columns ``set`` (``"before"``, ``"after"``), ``score`` and ``mismatched``.
        title: of the dataset.
    """
    edges = np.histogram_bin_edges(scores.score, BINS)
    middle, parts, said = (edges[1:] + edges[:-1]) / 2, [], []
    with styled():
        figure = new_figure(6.4, 3.4)
        axes = figure.subplots()
        drawing = Drawing(name="reduction_figure7", title="Pair scores before and after", alt="", figure=figure)
        for name, (colour, label) in LOOK.items():
            own = scores[scores.set == name]
            shares = np.histogram(own.score, edges)[0] / max(len(own), 1)
            line = axes.stairs(shares, edges, color=colour, fill=name == "before", alpha=0.45 if name == "before" else 1.0, label=label, linewidth=1.6)  # fmt: skip
            drawing.tip(line, f"{label}: mean {decimal(own.score.mean(), 3)}")
            said.append(
                f"{label}: mean {decimal(own.score.mean(), 3)}, 5 % below {decimal(own.score.quantile(0.05), 3)}"
            )
            parts.append((name, shares))
        wrong = scores[(scores.set == "before") & scores.mismatched]
        if len(wrong):
            shares = np.histogram(wrong.score, edges)[0] / (scores.set == "before").sum()
            axes.stairs(shares, edges, color=EXTENSION, linewidth=1.2, label="planted mismatches among all pairs")
            parts.append(("mismatched", shares))
        axes.set_xlabel("pair score (cosine)")
        axes.set_ylabel("share of the pairs")
        axes.set_title(title)
        only_grid(axes, "y")
        axes.legend()
    drawing.data = _frame(middle, parts)
    drawing.alt = f"Distribution of the pair score. {'; '.join(said)}."
    return drawing


def _frame(middle: np.ndarray, parts: list[tuple[str, np.ndarray]]) -> pd.DataFrame:
    return pd.DataFrame({"score": middle, **dict(parts)})


def draw_curves(rows: pd.DataFrame, *, title: str) -> Drawing:
    """Mean recall over the steps of training, a line per arm: means over seeds.

    Args:
        rows: of the study with the kind ``"curve"``.
        title: of the dataset.
    """
    own = rows[(rows.kind == "curve") & (rows.metric == "recall")].assign(steps=lambda each: each.table.astype(int))
    means = own.pivot_table(index="steps", columns="case", values="value", sort=False).sort_index()
    with styled():
        figure = new_figure(6.4, 4.2)
        axes = figure.subplots()
        drawing = Drawing(name="reduction_curves", title="Recall over steps", alt="", figure=figure)
        for place, name in enumerate(means.columns):
            colour, mark = colour_of(name, place), marker_of(name, place)
            dashes = _DASHES[place // _COLOURS % len(_DASHES)]
            (line,) = axes.plot(means.index, means[name], dashes, color=colour, marker=mark, markersize=3, label=name)
            drawing.tip(line, f"{name}: {percent(means[name].iloc[-1], 1)} % at the end")
        axes.set_xlabel("steps")
        axes.set_ylabel("mean recall at 1 and 10, both ways")
        axes.set_title(title)
        only_grid(axes, "y")
        axes.legend(fontsize="xx-small", ncols=3)
    drawing.data = means.reset_index()
    last = means.iloc[-1].sort_values(ascending=False)
    drawing.alt = "Mean recall at the last step: " + ", ".join(f"{n} {percent(v, 1)}" for n, v in last.items()) + "."
    return drawing
