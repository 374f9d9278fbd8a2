"""Names as people have them, in everything that a report writes."""

import io
from xml.etree import ElementTree

import pandas as pd
import pytest
from rich.console import Console

from scar.common.console import escape, visible
from scar.reporting.figures.style import Drawing, new_figure, styled
from scar.reporting.formats.table import Table

NAMES = (
    r"C:\dir\b\g<0>",
    "$$ and $x",
    "猫",
    "قط",
    "</script><b>x",
    "a|b*_`#%&{}~^",
    "\x1b[31mred\x07",
    "=1+1",
    'q"uote',
)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_takes_every_name(name: str) -> None:
    with styled():
        figure = new_figure(3, 2)
        axes = figure.subplots()
        (line,) = axes.plot([0, 1], [0, 1], label=visible(name))
        axes.set_title(visible(name))
        axes.legend()
    drawing = Drawing(name="odd", title=name, alt=f"About {name}.", figure=figure)
    drawing.tip(line, name)
    svg = drawing.inline_svg()
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == f"About {visible(name)}."
    assert [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")] == [visible(name)]
    assert "</script>" not in svg
    assert drawing.render("png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_a_table_takes_every_name(name: str) -> None:
    frame = pd.DataFrame({"Class": [name], "n": [1]})
    table = Table(name="odd", caption=f"About {name}", cells=frame.astype(str), values=frame, notes=(f"See {name}.",))
    markdown = table.to_markdown()
    assert "\x1b" not in markdown
    assert "<b>" not in markdown
    assert "</script>" not in markdown
    assert markdown.splitlines()[2].replace("\\|", "").count("|") == markdown.splitlines()[4].replace("\\|", "").count(
        "|"
    )
    assert pd.read_csv(io.StringIO(table.to_csv())).shape == (1, 2)
    shown = io.StringIO()
    Console(file=shown, force_terminal=True, width=200, color_system=None).print(table.to_terminal())
    assert "\x1b[31m" not in shown.getvalue()
    assert "\x07" not in shown.getvalue()


def test_no_control_character_reaches_a_terminal() -> None:
    assert escape("a\x1b[31mb\x07\x9b\u202e\ud800c[red]") == "a\\x1b[31mb\\x07\\x9b\\u202e\\ud800c\\[red]"
    assert visible("line\nbreak\ttab café 猫") == "line\nbreak\ttab café 猫"
