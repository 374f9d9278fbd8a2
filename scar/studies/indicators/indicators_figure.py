"""Accuracy of the derived datasets against each indicator."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.ticker import NullFormatter

from scar.reporting.figures.style import INK, MUTED, OTHERS, Drawing, new_figure, styled
from scar.reporting.text import name_of
from scar.studies.indicators.derived_datasets import CLASS_SIZES, LABEL_SETS
from scar.studies.indicators.heads import LINEAR

KINDS = {
    "balanced": ("#8a8f98", "o"),
    "skew": ("#e69f00", "s"),
    "head growth": ("#e69f00", "^"),
    "truncation": ("#e69f00", "v"),
    "tail": ("#0072b2", "s"),
    "rebalancing": ("#0072b2", "^"),
    "skew and tail": (OTHERS[0], "D"),
    "exponential": ("#009e73", "s"),
    "zipf": ("#009e73", "D"),
}
"""Colour and marker of each kind of the class-size family: orange changes the head, blue the tail, green both."""
LABEL_KINDS = {
    "base": ("#8a8f98", "o"),
    "vertical": ("#0072b2", "^"),
    "same dataset": ("#d55e00", "s"),
    "another dataset": ("#e69f00", "D"),
    "synthetic": ("#009e73", "v"),
}
LOGARITHMIC = ("samples", "smallest_class", "imbalance_ratio")
TITLES = {
    "samples": "samples",
    "smallest_class": "smallest class",
    "left_skew@5%": "left-skew @ 5 %",
    "imbalance_ratio": "imbalance ratio",
    "normalised_entropy": "normalised entropy",
    "gini": "Gini",
    "scale": "Scale S",
    "coverage": "Coverage C",
    "authenticity": "Authenticity A",
    "richness": "Richness R",
}
COLUMNS = 5


def draw(datasets: pd.DataFrame, agreement: pd.DataFrame, *, outcome: str = "accuracy") -> Drawing:
    """One panel per indicator over the class-size family, the last one for horizontal and vertical scaling."""
    dataset = str(datasets["dataset"].iloc[0])
    linear = datasets[datasets["head"] == LINEAR]
    own = linear[linear.family == CLASS_SIZES]
    chosen = agreement[(agreement.group == "class sizes") & (agreement.outcome == outcome)]
    indicators = list(chosen.indicator)
    mean = own.groupby(["name", "kind"], sort=False)[[*indicators, outcome]].mean().reset_index()
    rows = -(-(len(indicators) + 1) // COLUMNS)
    with styled():
        figure = new_figure(12.0, 2.5 * rows + 0.7)
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes, indicator in zip(panels, indicators, strict=False):
            one = chosen[chosen.indicator == indicator].iloc[0]
            _panel(axes, mean, indicator, outcome)
            axes.set_title(
                f"{_title(indicator)}\nτ {one.kendall:+.2f} [{one.kendall_low:+.2f}, {one.kendall_high:+.2f}]",
                fontsize=8.5,
            )
        _scaling(panels[len(indicators)], linear[linear.family == LABEL_SETS], outcome)
        for axes in panels[len(indicators) + 1 :]:
            axes.set_visible(False)
        for row in range(rows):
            panels[row * COLUMNS].set_ylabel(f"{outcome} [%]")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=5, handletextpad=0.3, columnspacing=1.2)
        figure.suptitle(f"{name_of(dataset)}: {len(mean)} derived datasets", fontsize=10, color=INK)
    best = chosen.loc[chosen.kendall.abs().idxmax()]
    alt = f"{name_of(dataset)}: {outcome} against {len(indicators)} indicators; {_title(best.indicator)} agrees best, τ {best.kendall:+.2f}."
    return Drawing(name="indicators", title=f"{outcome} against each indicator", alt=alt, figure=figure)


def _title(indicator: str) -> str:
    return TITLES.get(indicator, indicator.replace("_", " ").replace("@", " @ "))


def _panel(axes: Any, mean: pd.DataFrame, indicator: str, outcome: str) -> None:
    for kind, (colour, marker) in KINDS.items():
        rows = mean[mean.kind == kind]
        axes.scatter(
            rows[indicator],
            100 * rows[outcome],
            s=20,
            color=colour,
            marker=marker,
            label=kind,
            alpha=0.85,
            linewidths=0,
        )
    if indicator in LOGARITHMIC:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=4)


def _scaling(axes: Any, rows: pd.DataFrame, outcome: str) -> None:
    mean = rows.assign(what=rows.source.where(rows.source != "", rows.kind))
    mean = mean.groupby(["name", "what"], sort=False)[["samples", outcome]].mean().reset_index()
    for what, (colour, marker) in LABEL_KINDS.items():
        own = mean[mean.what == what]
        if len(own):
            label = what if what in ("base", "vertical") else f"H, {what}"
            axes.scatter(
                own.samples,
                100 * own[outcome],
                s=22,
                color=colour,
                marker=marker,
                label=label,
                alpha=0.85,
                linewidths=0,
            )
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("samples", color=MUTED)
    axes.set_title("more samples (V)\nor more classes (H)", fontsize=8.5)
    axes.legend(loc="best", fontsize=6.5, handletextpad=0.1, borderpad=0.1)
