"""A page of tables, figures and judged claims in the look of the report, as one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from markupsafe import Markup

from scar.reporting.figures.style import Drawing
from scar.reporting.formats.page import asset, open_template, share, shown_figure
from scar.reporting.formats.table import Table


@dataclass(frozen=True, eq=False, kw_only=True)
class Section:
    """A part of a page, under a heading.

    Attributes:
        anchor: of the heading.
        title: of the heading.
        judged: claims, each with a verdict and its reason.
        sentences: in words, folded.
        figures: before the tables.
        tables: open.
        folded: tables that are shown on request.
    """

    anchor: str
    title: str
    judged: Sequence[tuple[str, str, str]] = ()
    sentences: Sequence[str] = ()
    figures: Sequence[Drawing] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()


def render_tables_page(
    sections: Sequence[Section],
    *,
    title: str,
    kicker: str,
    lead: str,
    commands: Sequence[str],
    facts: Sequence[tuple[str, str]],
) -> str:
    """Return the HTML of a page.

    Args:
        sections: in their order.
        title: heading of the page.
        kicker: what kind of page it is.
        lead: one sentence below the title.
        commands: that make the page again.
        facts: names and values at its end.
    """
    shown = [vars(each) | {"figures": [shown_figure(f) for f in each.figures]} for each in sections]
    page = SimpleNamespace(
        title=title,
        kicker=kicker,
        lead=lead,
        sections=shown,
        commands=commands,
        facts=facts,
        css=Markup(asset("report.css")),
        js=Markup(asset("report.js")),
        glyphs=share([figure for each in shown for figure in each["figures"]]),
    )
    return open_template("tables_template.html").render(page=page)
