"""Recall by class on the test part: before, with each strategy, and with all data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scar.reporting.figures.style import (
    INK,
    MARKERS,
    MUTED,
    Drawing,
    colour_of,
    new_figure,
    only_grid,
    shortened,
    styled,
)
from scar.reporting.group_scores import STRATEGIES
from scar.reporting.study_job import Outcomes
from scar.reporting.text import listing, name_of, percent, points, share

MOST = 40
"""Classes drawn; beyond, those that gain or lose most."""


def recalls_frame(outcomes: Outcomes, names: Sequence[str], *, fraction: float) -> pd.DataFrame:
    """Recall of each class by arm: columns class_id, class_name, subject, value (mean), low, high (min, max of seeds).

    Args:
        outcomes: of one group.
        names: of the classes.
        fraction: budget of the strategies; NaN if there is none.
    """
    records: list[dict[str, Any]] = []
    for subject, own in (("primary", None), *((s, fraction) for s in STRATEGIES), ("total", None)):
        if own is not None and np.isnan(own):
            continue
        seeds = outcomes.seeds(subject, own)
        if not seeds:
            continue
        right = outcomes.matrix(subject, own, seeds)
        several = outcomes.several
        for class_id in np.flatnonzero(outcomes.labels.any(axis=0)) if several else np.unique(outcomes.labels):
            own_items = outcomes.labels[:, class_id] > 0 if several else outcomes.labels == class_id
            by_seed = (right[:, own_items, class_id] if several else right[:, own_items]).mean(axis=1)
            ends = {"value": by_seed.mean(), "low": by_seed.min(), "high": by_seed.max()}
            records.append({"class_id": int(class_id), "class_name": names[class_id], "subject": subject, **ends})
    return pd.DataFrame(records, columns=["class_id", "class_name", "subject", "value", "low", "high"])


def draw_recalls(
    frame: pd.DataFrame, *, fraction: float, title: str, base: str = "the reserve", name: str = "classes"
) -> Drawing:
    """One line per class, worst first: primary, each strategy, all data.

    Args:
        frame: of `recalls_frame`.
        fraction: budget of the strategies.
        title: whose classes.
        base: what the budget is a share of.
        name: file stem.
    """
    wide = frame.pivot(index="class_name", columns="subject", values="value")
    leader = next((s for s in STRATEGIES if s in wide), "total")
    gain = wide[leader] - wide["primary"] if leader in wide else wide["primary"] * 0
    kept = wide.loc[gain.abs().sort_values(ascending=False, kind="stable").index[:MOST]]
    order = [str(each) for each in kept.sort_values("primary", kind="stable").index]
    with styled():
        figure = new_figure(7.2, max(2.6, 1.3 + 0.24 * len(order)))
        axes = figure.subplots()
        drawing = Drawing(name=name, title="Recall by class", alt="", figure=figure, data=frame)
        subjects = [s for s in ("total", "primary", *STRATEGIES) if s in wide]
        for index, subject in enumerate(subjects):
            own = {row.class_name: row for row in frame[frame.subject == subject].itertuples()}
            look = _look(subject, index)
            axes.plot([], [], label={"total": "all data"}.get(subject, name_of(subject)), **look)
            for place, class_name in enumerate(order):
                row = own[class_name]
                (dot,) = axes.plot([100 * row.value], [place], **look)
                ends = f"seeds {percent(row.low)} to {percent(row.high)}"
                drawing.tip(dot, f"{class_name}, {name_of(subject)}: {percent(row.value)} % ({ends})")
        axes.set_yticks(range(len(order)), shortened(order))
        axes.set_ylim(len(order) - 0.4, -0.6)
        budget = "" if np.isnan(fraction) else f"; strategies at {share(fraction)} of {base}"
        axes.set_xlabel(f"Recall on the test part [%], mean over seeds{budget}")
        axes.set_title(title if len(order) == len(wide) else f"{title} ({MOST} of {len(wide)} classes)")
        only_grid(axes, "both")
        figure.legend(loc="outside upper left", ncols=5, handletextpad=0.2, columnspacing=1.3)
    drawing.alt = _describe(wide, gain, leader)
    return drawing


def _look(subject: str, index: int) -> dict[str, Any]:
    if subject in ("primary", "total"):
        edge = {"markeredgecolor": INK if subject == "primary" else MUTED, "markerfacecolor": "none"}
        return {"marker": "o" if subject == "primary" else "|", "markersize": 7, "linestyle": "none", **edge}
    return {
        "marker": MARKERS.get(subject, "D"),
        "color": colour_of(subject, index),
        "markersize": 4.6,
        "linestyle": "none",
    }


def _describe(wide: pd.DataFrame, gain: pd.Series, leader: str) -> str:
    ordered = gain.sort_values()
    said = [f"{each} {points(gain[each], 1)}" for each in dict.fromkeys((*ordered.index[::-1][:3], *ordered.index[:2]))]
    worst = wide.primary.idxmin()
    return (
        f"Recall of {len(wide)} classes; worst on the primary set: {worst}, {percent(wide.primary.min())} %. "
        f"Change with {name_of(leader)} in points: {listing(said, 5)}."
    )
