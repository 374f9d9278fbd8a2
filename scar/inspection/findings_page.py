"""The findings as one HTML file that loads nothing from anywhere and sends nothing anywhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from scar.encoders.previews import excerpt, thumbnail
from scar.inspection.inspection import Inspection
from scar.inspection.kinds import KINDS, RANKED
from scar.job.metrics import Metric, Number

THUMBNAIL = 64
"""Longest side of a thumbnail in pixels."""
EXCERPT = 160
"""Characters of a text that are shown."""
PAGE = "findings_page.html"
STYLE = """
td{white-space:normal;vertical-align:top}
td img{image-rendering:pixelated;min-width:48px;border:1px solid var(--grid)}
td.text{min-width:14rem;max-width:26rem}
.leak{color:var(--warn);font-weight:600}
"""
"""What this page has beside the style of all pages."""


def render(inspection: Inspection, effects: pd.DataFrame | None = None, *, shown: int = 30) -> str:
    """Return the page: kind by kind the first findings with what they look like.

    Args:
        inspection: what was found; its dataset is read again for the excerpts.
        effects: of `scar.inspection.effects_of_acting.measure_effects`.
        shown: findings of each kind.
    """
    job = inspection.job
    samples = job.samples()
    sections = []
    for kind, meaning in KINDS.items():
        table = inspection.of(kind)
        first = table.head(shown)
        lines = [_line(row, samples.payloads) for row in first.to_dict("records")]
        sections.append(
            {"kind": kind, "meaning": meaning, "found": len(table), "ranked": kind in RANKED, "lines": lines}
        )
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    config = job.config
    page = {
        "title": f"Samples to look at: {config.dataset.name}",
        "lead": f"{len(job.catalogue.ids)} samples through {config.encoder.name}; plan: {config.completion.name}.",
        "css": Markup(_asset("report.css") + STYLE),
        "glyphs": "",
    }
    return environment.get_template(PAGE).render(
        page=page,
        sections=[section for section in sections if section["found"]],
        nothing=[section["kind"] for section in sections if not section["found"]],
        effects=[] if effects is None else _effects(effects),
    )


def _asset(name: str) -> str:
    """Return the template of this page, or a file that all pages share."""
    room = "scar.inspection" if name == PAGE else "scar.reporting.formats"
    return (files(room) / name).read_text(encoding="utf-8")


def _line(row: dict[str, Any], payloads: Any) -> dict[str, Any]:
    place, other = int(row["row"]), row["other_row"]
    known = other == other and other is not None
    others = {
        "views": [_view(payload[int(other)]) for payload in payloads.values()] if known else [],
        "id": row["other_id"] if known else "",
        "about": f"{row['other_class']}, {row['other_split']}" if known else "",
    }
    return {
        "rank": row["rank"], "score": f"{row['score']:.3f}", "id": row["id"], "split": row["split"],
        "class_name": row["class_name"], "suggested": row["suggested"] if isinstance(row["suggested"], str) else "",
        "planned": f"+{row['planned']}" if row["planned"] else "", "other": others,
        "views": [_view(payload[place]) for payload in payloads.values()],
        "leak": bool(row["across_splits"] is True or row["across_splits"] == 1),
    }  # fmt: skip


def _view(item: Any) -> dict[str, str]:
    """Return a thumbnail as a data URI, an excerpt of a text, or the name of a file."""
    if (text := excerpt(item, EXCERPT)) is not None:
        return {"image": "", "text": text}
    if (image := thumbnail(item, THUMBNAIL)) is not None:
        return {"image": f"data:image/png;base64,{base64.b64encode(image).decode()}", "text": ""}
    return {"image": "", "text": str(getattr(getattr(item, "path", None), "name", ""))}


def _effects(effects: pd.DataFrame) -> Sequence[dict[str, str]]:
    lines = []
    for row in effects.to_dict("records"):
        metric = Metric.of(row["metric"])
        digits = 0 if metric.number is Number.SIZE else 4
        numbers = {name: f"{row[name]:.{digits}f}" for name in ("before", "after")}
        ends = {name: f"{row[name]:+.{digits}f}".replace("-", "−") for name in ("difference", "low", "high")}
        lines.append(
            {"variant": row["variant"], "changed": str(row["changed"]), "metric": metric.label, **numbers, **ends}
        )
    return lines
