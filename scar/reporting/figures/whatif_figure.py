"""What a strategy promises over budgets: expected gain with its interval, from the reserve and beyond it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts
from scar.reporting.figures.style import MARKERS, MUTED, Drawing, colour_of, new_figure, only_grid, styled
from scar.reporting.text import count, listing, name_of, points, points_interval

GAINS = (Metric.EXPECTED_MATCHED_GAIN, Metric.EXPECTED_MATCHED_BALANCED_GAIN)


def whatif_frame(rows: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return the forecasts from the reserve of one seed of one group: subject, fraction, n, metric, value, low, high.

    Args:
        rows: of one group.
        seed: which seed.
    """
    own = rows[(rows.seed == seed) & (rows.stage == "plan") & rows.metric.isin(GAINS) & rows.fraction.notna()]
    columns = ["subject", "fraction", "n", "metric", "value", "low", "high"]
    return as_texts(own[columns]).sort_values(["subject", "metric", "fraction"], ignore_index=True)


def draw_whatif(frame: pd.DataFrame, *, title: str, leader: str, name: str = "what_if") -> Drawing:
    """Draw the expected gains of matched decisions, with 90 % intervals, against the samples then in the training set.

    Args:
        frame: of `whatif_frame`.
        title: whose forecast.
        leader: the strategy whose interval is shown.
        name: file stem.
    """
    strategies = sorted(frame.subject.unique(), key=lambda s: (s != leader, s))
    with styled():
        figure = new_figure(7.2, 3.4)
        left, right = figure.subplots(1, 2, sharey=True)
        drawing = Drawing(name=name, title="Expected gain by budget", alt="", figure=figure)
        for axes, metric in zip((left, right), GAINS, strict=True):
            for index, strategy in enumerate(strategies):
                own = frame[(frame.subject == strategy) & (frame.metric == metric)]
                _draw_strategy(drawing, axes, own, strategy, index, band=strategy == leader)
            axes.axhline(0, color=MUTED, linewidth=1.0)
            axes.set_xlabel("Samples in the training set then")
            axes.set_title(metric.header)
            only_grid(axes, "y")
        left.set_ylabel("Expected gain [points]")
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=5, columnspacing=1.3)
    drawing.alt = _describe(frame, leader)
    return drawing


def _draw_strategy(drawing: Drawing, axes: Axes, own: pd.DataFrame, strategy: str, index: int, *, band: bool) -> None:
    colour, x = colour_of(strategy, index), own.n.astype(float)
    if band:
        axes.fill_between(x, 100 * own.low, 100 * own.high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(x, 100 * own.value, color=colour, linewidth=1.2, label=name_of(strategy))
    for row in own.itertuples():
        marker = MARKERS.get(strategy, "D")
        (dot,) = axes.plot([float(row.n)], [100 * row.value], marker=marker, color=colour, markersize=4)
        said = f"{points(row.value)} points {points_interval(row.low, row.high)}"
        drawing.tip(dot, f"{name_of(strategy)}, {count(row.n)} samples: {said}")


def _describe(frame: pd.DataFrame, leader: str) -> str:
    own = frame[(frame.subject == leader) & (frame.metric == Metric.EXPECTED_MATCHED_BALANCED_GAIN)]
    said = [
        f"{count(r.n)} samples: {points(r.value)} points {points_interval(r.low, r.high)}" for r in own.itertuples()
    ]
    return f"Expected gain by budget. Matched balanced accuracy, {name_of(leader)}: {listing(said) if said else 'nothing'}."
