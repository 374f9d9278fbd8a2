"""The report as one HTML file that loads nothing from anywhere."""

from __future__ import annotations

import base64
import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import jinja2
from markupsafe import Markup

from scar import __version__
from scar.reporting.content import ANSWERED, Content
from scar.reporting.details import Detail
from scar.reporting.figures.style import Drawing, share_glyphs
from scar.reporting.map_view import MapView, fill_previews, thin_points
from scar.reporting.paper.deviations import DEVIATIONS
from scar.reporting.study_folder import Study
from scar.reporting.tables.caveats import Caveat, by_what_to_do
from scar.reporting.tables.flags import NOTHING
from scar.reporting.tables.whatif_table import whatif_json
from scar.reporting.text import group_label, listing, name_of

OPEN = 3
"""Decisions that are open at once; of more only the first is."""
PAGE_BYTES = 4_900_000
"""Of a page; what single groups have to show is cut to fit, and the page says so."""
NOTES_BYTES = 20_000
"""Of what is said below the maps about texts and thumbnails."""
OUTPUT = "paths.output_dir="
PLAN_BYTES = 400_000
"""Of plans with the ids of their samples, all groups together."""
PRICES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Of one sample, for the slider; where samples have prices of their own there is none."""


def render_page(content: Content) -> str:
    """Return the HTML of a report, of `PAGE_BYTES` unless what is said of all groups together takes more."""
    template = open_template("report_template.html")
    thin_points([detail.map for detail in content.details if detail.map is not None])
    page = _page(content)
    sections = page.details

    def left_with(shown: int) -> int:
        page.details = sections[:shown]
        page.left_out = _left_out(len(sections) - shown, content.left_out)
        return PAGE_BYTES - len(template.render(page=page).encode())

    left = left_with(len(sections))
    if left < 0 and sections:  # the most that fit, each try of many groups takes a second
        left = left_with(0)
        if left >= 0:
            left = left_with(bisect_left(range(1, len(sections)), True, key=lambda shown: left_with(shown) < 0))
    fill_previews(
        [d.map for d in content.details[: len(page.details)] if d.map is not None], max(left - NOTES_BYTES, 0)
    )
    for shown, detail in zip(page.details, content.details, strict=False):
        shown["map"] = None if detail.map is None else _map(detail.map)
    return template.render(page=page)


def open_template(name: str) -> jinja2.Template:
    """Return a template of this folder, which may import from the others."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(asset), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name)


def asset(name: str) -> str:
    """Return a text file of this folder."""
    return (files("scar.reporting.formats") / name).read_text(encoding="utf-8")


def _page(content: Content) -> SimpleNamespace:
    """What the template shows; a map has no texts and pictures yet."""
    study, caveats = content.study, by_what_to_do(content.caveats)
    unimportant = caveats.pop(NOTHING, [])
    page: dict[str, Any] = {
        "title": study.name,
        "lead": _lead(study),
        "css": Markup(asset("report.css")),
        "js": Markup("".join(map(asset, ("report.js", "map.js")))),
        "answers": content.answers,
        "plan_bytes": PLAN_BYTES / 1e6,
        "unanswered": max(len(study.groups()) - ANSWERED, 0),
        "open_answers": OPEN if len(content.answers) <= OPEN else 1,
        "tables": content.tables,
        "more_tables": content.more_tables,
        "figures": [shown_figure(f) for f in content.figures],
        "details": list(_details(content)),
        "inspected": content.inspected,
        "left_out": _left_out(0, content.left_out),
        "uncarded": content.uncarded,
        "missing": content.missing,
        "failed": content.failed,
        "caveats": {todo: _by_group(found) for todo, found in caveats.items()},
        "details_of_caveats": _by_group(unimportant),
        "deviations": DEVIATIONS,
        "commands": commands(study),
        "facts": _facts(study),
        "configs": _configs(study),
    }
    figures = [*page["figures"], *(figure for d in page["details"] for figure in _figures(d))]
    page["glyphs"] = share(figures)
    return SimpleNamespace(**page)


def _figures(detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*([detail["map_figure"]] if detail["map_figure"] else []), *detail["figures"], *detail["more_figures"]]


def share(figures: Sequence[dict[str, Any]]) -> Markup:
    """Make the drawings of `shown_figure` safe to insert, and return the glyphs that they share."""
    glyphs, drawn = share_glyphs([figure["svg"] for figure in figures])
    for figure, svg in zip(figures, drawn, strict=True):
        figure["svg"] = Markup(svg)
    return Markup(glyphs)


def shown_figure(drawing: Drawing) -> dict[str, Any]:
    """Return what a template shows of a drawing."""
    return {"name": drawing.name, "title": drawing.title, "alt": drawing.alt, "svg": drawing.inline_svg()}


def _details(content: Content) -> Iterator[dict[str, Any]]:
    """Yield the sections of groups; plans as long as they fit."""
    left = PLAN_BYTES
    for detail in content.details:
        shown = _detail(detail, content)
        for path in detail.plans:
            encoded = base64.b64encode(path.read_bytes()).decode()
            if left >= len(encoded):
                left -= len(encoded)
                shown["downloads"].append((path.name, encoded))
            else:
                shown["elsewhere"].append(f"{path.parent.name}/{path.name}")
        yield shown


def _detail(detail: Detail, content: Content) -> dict[str, Any]:
    return {
        "label": detail.label,
        "anchor": detail.anchor,
        "table": detail.table,
        "next_round": detail.next_round,
        "to_label": detail.to_label,
        "shopping": detail.shopping,
        "what_if": detail.what_if,
        "choices": _choices(detail, content),
        "steps": Markup(whatif_json(detail.steps)),
        "prices": PRICES,
        "map": None if detail.map is None else _map(detail.map),
        "map_figure": None if detail.map_figure is None else shown_figure(detail.map_figure),
        "slices": detail.slices,
        "figures": [shown_figure(f) for f in detail.figures],
        "more_figures": [shown_figure(f) for f in detail.more_figures],
        "downloads": [],
        "elsewhere": [],
    }


def _map(view: MapView) -> dict[str, Any]:
    return {"notes": view.notes, "points": Markup(view.points_json()), "previews": Markup(view.previews)}


def _choices(detail: Detail, content: Content) -> dict[str, Any]:
    """What the sliders choose from, and where they start: at the plan that the decision is about, or in the middle."""
    steps = detail.steps
    proposed = next((a.proposed for a in content.answers if a.label == detail.label and a.proposed), None)
    largest = content.comparison.arms.fraction.max()
    return {
        "sources": list(dict.fromkeys(step.source for step in steps)),
        "planners": list(dict.fromkeys(step.planner for step in steps)),
        "mixes": list(dict.fromkeys(step.mix for step in steps if step.mix)),
        "priced": all(step.cost == step.added for step in steps),
        "planner": name_of(proposed) if proposed else "",
        "budget": next((step.budget for step in steps if math.isclose(step.fraction, largest, rel_tol=1e-6)), ""),
    }


def _by_group(caveats: Sequence[Caveat]) -> list[tuple[str, list[str]]]:
    """Texts of caveats by group, in the order in which they come."""
    found: dict[str, list[str]] = {}
    for caveat in caveats:
        found.setdefault(caveat.where, []).append(caveat.what)
    return list(found.items())


def _left_out(by_size: int, by_number: int) -> str:
    """Say how many groups have no section because the page would be too large, and how many because there are many."""
    by = [f"{by_size} because a page holds {PAGE_BYTES / 1e6:g} MB"] if by_size else []
    by += [f"{by_number} by details=…"] if by_number else []
    if not by:
        return ""
    return (
        f"Groups without a section of their own: {listing(by)}. scar-report where.dataset=… shows them; their figures are "
        "files beside this page."
    )


def _lead(study: Study) -> str:
    done = [job for job in study.jobs if job.done]
    seeds = sorted({int(job.columns["seed"]) for job in done if job.columns})
    labels = [group_label(group) for group in study.groups()]
    return f"{listing(labels, 4)}: {len(done)} of {len(study.jobs)} jobs finished, {len(seeds)} seed{'s' if len(seeds) != 1 else ''}."


def commands(study: Study) -> list[str]:
    """What was typed: one command per distinct set of overrides, seeds and strategies gathered."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for job in study.jobs:
        overrides = [str(o) for o in job.status.get("overrides", [])]
        swept = {o.split("=")[0]: o.split("=", 1)[1] for o in overrides if o.startswith(("seed=", "completion="))}
        rest = tuple(o for o in overrides if not o.startswith(("seed=", "completion=")))
        gathered = found.setdefault(rest, {})
        for name, value in swept.items():
            if value not in gathered.setdefault(name, []):
                gathered[name].append(value)
    lines = []
    for rest, gathered in found.items():
        swept_text = [f"{name}={','.join(sorted(values, key=_natural))}" for name, values in gathered.items()]
        many = "-m " if any(len(v) > 1 for v in gathered.values()) else ""
        lines.append(" ".join([f"scar {many}".strip(), *rest, *swept_text]))
    said = next(
        (str(o) for job in study.jobs for o in job.status.get("overrides", []) if str(o).startswith(OUTPUT)), ""
    )
    return [*lines, f"scar-report study={study.folders[0].name} {said}".rstrip()]


def _natural(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (-1, text)


def _facts(study: Study) -> list[tuple[str, str]]:
    done = [job for job in study.jobs if job.done]
    versions: dict[str, set[str]] = {}
    for job in done:
        for package, version in dict(job.status.get("versions", {})).items():
            versions.setdefault(package, set()).add(str(version))
    seeds = sorted({int(job.columns["seed"]) for job in done if job.columns})
    facts = [("Seeds", ", ".join(map(str, seeds))), ("Report made by", f"scar {__version__}")]
    facts += [(package, ", ".join(sorted(found))) for package, found in sorted(versions.items())]
    return [*facts, ("Needs by", study.driver), ("Rows", str(len(study.rows)))]


def _configs(study: Study) -> list[tuple[str, str]]:
    shown = []
    for group in study.groups()[:ANSWERED]:
        job = next((j for j in study.finished(group) if j.config), None)
        if job is not None:
            text = (job.folder / "config.yaml").read_text(encoding="utf-8")
            shown.append((f"{group_label(group)} ({job.folder.name})", text))
    return shown
