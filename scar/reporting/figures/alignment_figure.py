"""Cross-modal alignment: retrieval both ways, cosines of pairs and of strangers, agreement of the clusterings."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from scar.job.metrics import Metric
from scar.reporting.axes import as_texts
from scar.reporting.figures.style import EXTENSION, FOUNDATION, MUTED, TOTAL, Drawing, new_figure, only_grid, styled
from scar.reporting.settings import GROUPS_DRAWN
from scar.reporting.study_folder import Study
from scar.reporting.text import decimal, listing, name_of, percent

DIRECTIONS = (("o", FOUNDATION[0], -0.12), ("s", TOTAL, 0.12))
KINDS = {"paired": (EXTENSION, -0.14), "unpaired": (MUTED, 0.14)}
AGREEMENT = {Metric.CLUSTER_NMI: ("o", FOUNDATION[0]), Metric.CLUSTER_ARI: ("D", EXTENSION)}


def alignment_frame(study: Study) -> pd.DataFrame:
    """Rows of stage ``labels`` once per dataset and encoder, with their ``label``; empty without pairs."""
    rows = as_texts(study.rows[study.rows.stage == "labels"])
    further = [a for a in study.axes if a.startswith(("labels.", "dataset.", "encoder."))]
    about = ["dataset", "encoder", *further]
    wanted = [*about, "subject", "metric", "fraction", "value"]
    frame = rows[wanted].drop_duplicates([*about, "subject", "metric", "fraction"], ignore_index=True)
    parts = [frame.dataset.map(name_of), frame.encoder.map(name_of), *(frame[a].map(lambda v: str(v)) for a in further)]
    label = parts[0]
    for part in parts[1:]:
        label = label + " · " + part
    return frame.assign(label=label)


def draw_alignment(frame: pd.DataFrame) -> Drawing:
    """Three panels, one line per dataset and encoder."""
    every = list(dict.fromkeys(frame.label))
    labels = every[:GROUPS_DRAWN]
    with styled():
        figure = new_figure(10, 1.9 + 0.62 * len(labels))
        joint = bool((frame.metric == Metric.PAIR_SCORE).any())
        panels = figure.subplots(1, 3 if joint else 2, sharey=True)
        recall, cosine, agreement = panels[0], panels[1] if joint else None, panels[-1]
        drawing = Drawing(name="alignment", title="Cross-modal alignment", alt="", figure=figure, data=frame)
        said = [
            part
            for place, label in enumerate(labels)
            for part in _draw_one(drawing, (recall, cosine, agreement), frame[frame.label == label], place, label)
        ]
        recall.set_yticks(range(len(labels)), labels)
        recall.set_ylim(len(labels) - 0.5, -0.5)
        titles = ("Recall at 1, 5, 10 [%]", "Cosine, 5 to 95 % of items", "Agreement of the clusters")
        for axes, title in zip((recall, cosine, agreement), titles, strict=True):
            if axes is None:
                continue
            axes.set_title(title)
            only_grid(axes, "x")
            handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
            axes.legend(handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        if len(every) > GROUPS_DRAWN:
            figure.suptitle(f"The first {GROUPS_DRAWN} of {len(every)}; all of them in alignment_data.csv", fontsize=9)
        recall.set_xlim(-3, 103)
        agreement.set_xlim(-0.05, 1.05)
    drawing.alt = f"Alignment of two modalities on the test part. {listing(said, 6)}."
    return drawing


def _draw_one(
    drawing: Drawing, panels: tuple[Axes, Axes | None, Axes], own: pd.DataFrame, place: int, label: str
) -> list[str]:
    recall, cosine, agreement = panels
    said = _recalls(drawing, recall, own, place, label)
    if cosine is not None:
        _cosines(drawing, cosine, own, place, label)
    for metric, (marker, colour) in AGREEMENT.items():
        value = own[(own.metric == metric) & (own.subject == "test")].value
        if len(value):
            (dot,) = agreement.plot(
                [value.iloc[0]], [place], marker=marker, color=colour, linestyle="none", label=metric.label
            )
            drawing.tip(dot, f"{label}: {metric.label} {decimal(value.iloc[0])}")
    return said


_KIND = {"paired": "pairs", "unpaired": "no pairs"}


def _recalls(drawing: Drawing, axes: Axes, own: pd.DataFrame, place: int, label: str) -> list[str]:
    found = own[own.metric.str.contains("recall_at_")]
    said = []
    for direction, (marker, colour, shift) in zip(sorted(found.subject.unique()), DIRECTIONS, strict=False):
        rows = found[found.subject == direction].sort_values("value")
        mapped = bool(rows.metric.str.startswith("mapped_").all())
        title = direction.replace("_to_", " → ") + (" (mapped)" if mapped else "")
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 4.5, "linewidth": 1.0, "label": title}
        (line,) = axes.plot(100 * rows.value, [place + shift] * len(rows), **look)
        text = f"{label}, {title}: recall {' / '.join(percent(v) for v in rows.value)} % at 1 / 5 / 10"
        drawing.tip(line, text)
        said.append(text)
    return said


def _cosines(drawing: Drawing, cosine: Axes, own: pd.DataFrame, place: int, label: str) -> None:
    for kind, (colour, shift) in KINDS.items():
        quantiles = (
            own[(own.metric == Metric.PAIR_SCORE) & (own.subject == kind)].set_index("fraction").value.sort_index()
        )
        if quantiles.empty:
            continue
        at = place + shift
        cosine.plot(quantiles.iloc[[0, -1]], [at, at], color=colour, linewidth=1.2, solid_capstyle="butt")
        cosine.plot(quantiles.iloc[[1, -2]], [at, at], color=colour, linewidth=4, solid_capstyle="butt")
        (dot,) = cosine.plot([quantiles.loc[0.5]], [at], marker="o", color=colour, linestyle="none", label=_KIND[kind])
        drawing.tip(dot, f"{label}, {_KIND[kind]}: median cosine {decimal(quantiles.loc[0.5])}")
    if not len(own[own.metric == Metric.PAIR_SCORE]):
        cosine.annotate(
            "no space in common",
            (0.5, place),
            xycoords=("axes fraction", "data"),
            ha="center",
            va="center",
            color=MUTED,
        )
