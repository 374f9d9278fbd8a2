"""Drift of every measure and every estimate with the size of the subset."""

from __future__ import annotations

from typing import Any

import pandas as pd

from experiments.common import TITLES
from scar.reporting.figures.style import FOUNDATION, GRID, INK, MUTED, Drawing, new_figure, styled

GROUPS = (
    ("measure", "Measures", ("scale", "coverage", "debiased_coverage", "authenticity", "richness")),
    ("size", "Foundation Data Size of the set", ("heldout", "learning_curve", "paper", "reference")),
)
COLOURS = ("#8a8f98", "#d55e00", "#e69f00", "#0072b2", "#009e73")
STYLES = ("o", "s", "D", "^", "v")


def draw(table: pd.DataFrame) -> Drawing:
    """A row of panels per dataset: measures left, sizes right; the band is what counts as invariant."""
    datasets = list(dict.fromkeys(table["dataset"]))
    with styled():
        figure = new_figure(9.6, 3.1 * len(datasets) + 0.4)
        grid = figure.subplots(len(datasets), len(GROUPS), squeeze=False)
        for row, dataset in enumerate(datasets):
            for column, (kind, title, names) in enumerate(GROUPS):
                axes = grid[row, column]
                _panel(axes, table[(table["dataset"] == dataset) & (table["kind"] == kind)], kind, names)
                axes.set_title(f"{title}, {TITLES.get(dataset, dataset)}")
                if row == 0:
                    axes.legend(loc="lower left", ncols=2, columnspacing=1.0, handletextpad=0.3)
    worst = table.loc[(table["factor"].apply(lambda f: max(f, 1 / f) if f > 0 else 0.0)).idxmax()]
    alt = f"Largest drift: {worst['quantity']} of {worst['subset']} on {worst['dataset']}, factor {worst['factor']:.2f}"
    return Drawing(name="scale_invariance", title="Drift of parts against the whole", alt=alt, figure=figure)


def _panel(axes: Any, table: pd.DataFrame, kind: str, names: tuple[str, ...]) -> None:
    from matplotlib.ticker import FuncFormatter

    subsets = list(dict.fromkeys(table["subset"]))
    bound = 1.02 if kind == "measure" else 1.1
    axes.axhspan(1 / bound, bound, color=GRID, alpha=0.7, linewidth=0)
    axes.axhline(1.0, color=INK, linewidth=0.8)
    for i, name in enumerate(names):
        rows = table[table["quantity"] == name]
        if rows["factor"].isna().all():
            continue
        x = [subsets.index(s) + 0.09 * (i - (len(names) - 1) / 2) for s in rows["subset"]]
        errors = [rows["factor"] - rows["low"], rows["high"] - rows["factor"]]
        axes.errorbar(
            x,
            rows["factor"],
            yerr=errors if rows[["low", "high"]].apply(lambda c: c.between(1e-9, 1e9).all()).all() else None,
            fmt=STYLES[i],
            color=COLOURS[i] if kind == "measure" else FOUNDATION[i],
            markersize=4.5,
            linewidth=1.2,
            label=name.replace("_", " "),
        )
    if kind == "measure":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (value - 1):+.0f} %"))
    else:
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}x"))
    axes.set_xticks(range(len(subsets)), subsets)
    axes.set_xlim(-0.5, len(subsets) - 0.5)
    axes.set_ylabel("part against whole")
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("subset treated as the whole dataset", color=MUTED)
