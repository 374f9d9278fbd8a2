"""How figures look, and how they are written: PNG, PDF and SVG that do not change from run to run."""

from __future__ import annotations

import base64
import gc
import html
import logging
import re
import warnings
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import LayoutEngine, TightLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator
from PIL import Image

from scar.common.console import visible
from scar.reporting.text import count

log = logging.getLogger(__name__)

INK, MUTED, GRID = "#1f2328", "#66707b", "#d8dde3"
TOTAL, EXTENSION = "#e69f00", "#009e73"
FOUNDATION = ("#0072b2", "#56b4e9", "#d55e00", "#8a8f98", "#aa3377")
"""Okabe and Ito's colours and one of Tol's, told apart by people with any colour vision; one shade per estimator."""
STRATEGY = {"scar": "#0072b2", "random": "#d55e00", "class_average": "#009e73"}
OTHERS = ("#cc79a7", "#8a6d00", "#56b4e9", "#332288", "#882255", "#44aa99", "#999933", "#1f2328", "#e69f00")
"""Of strategies that the paper does not know; with markers of their own, since no nine hues are told apart by all."""
MARKERS = {"scar": "o", "random": "s", "class_average": "^"}
OTHER_MARKERS = ("D", "v", "P", "X", "<", ">", "p", "h", "*")
METADATA: dict[str, dict[str, Any]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""What Matplotlib would write into files of each format: dates and versions, which differ from run to run."""
LEVEL = 1
"""Of the compression of PNG; a higher one takes as long as drawing and saves a tenth of the bytes."""
_OTHER_SCRIPTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "Malgun Gothic", "Noto Sans Arabic",
    "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS", "Unifont",
)  # fmt: skip


def _families() -> list[str]:
    """Return the font of the figures, and those that are installed of letters that it lacks."""
    there = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in there)]


RC = {
    "text.parse_math": False,  # a dollar in the name of a class is a dollar
    "font.family": _families(), "font.size": 9, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
    "axes.titlesize": 10, "axes.titley": 1.0, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlecolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.7, "text.color": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "legend.frameon": False,
    "legend.fontsize": 8.5, "svg.fonttype": "path", "svg.hashsalt": "scar", "pdf.fonttype": 42,
    "figure.dpi": 100, "savefig.dpi": 150, "figure.autolayout": False, "figure.constrained_layout.use": False,
}  # fmt: skip


ON_DARK, ON_LIGHT = "#fefefe", "#1e2227"
"""Of letters on cells whose colour is the same in either theme of a page, as theirs must be."""
TICKS = 8
"""Of a logarithmic axis, at most."""
LETTERS = 28
"""Of the name of a class beside an axis; longer ones would leave no room for what is drawn."""
_GLYPH = re.compile(r'<path id="([^"]+)"(?: d="[^"]*")? transform="scale\(0\.015625\)"/>')
"""The outline of a letter."""
LINES = 200
"""Classes that get a thin line in a figure, at most."""


@dataclass(kw_only=True, eq=False)
class Drawing:
    """A figure with what those need who cannot see it.

    Attributes:
        name: file stem, e.g. ``"figure3a"``.
        title: for the page.
        alt: one or two sentences that say what the figure shows, numbers included.
        figure: the Matplotlib figure.
        data: what is drawn, written beside the figure as CSV.
        tips: gid of an artist → text shown when the pointer rests on it.
    """

    name: str
    title: str
    alt: str
    figure: Figure
    data: pd.DataFrame | None = None
    tips: dict[str, str] = field(default_factory=dict)
    _rendered: dict[str, bytes] = field(default_factory=dict)

    def tip(self, artist: Artist, text: str) -> None:
        """Give an artist a hover text."""
        gid = f"tip{len(self.tips)}"
        artist.set_gid(gid)
        self.tips[gid] = text

    def render(self, kind: str) -> bytes:
        """Bytes of the figure as ``"png"``, ``"pdf"`` or ``"svg"``; the same bytes for the same rows."""
        if kind not in METADATA:
            raise ValueError(f"kind={kind!r}: choose one of {', '.join(METADATA)}")
        if kind not in self._rendered:
            buffer = BytesIO()
            with mpl.rc_context(RC):
                settle(self.figure)
                more = {"pil_kwargs": {"compress_level": LEVEL}} if kind == "png" else {}
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    self.figure.savefig(buffer, format=kind, metadata=METADATA[kind], **more)
                _tell(caught)
            self._rendered[kind] = buffer.getvalue()
        return self._rendered[kind]

    def inline_svg(self) -> str:
        """SVG for a page: own identifiers, hover texts, colours of ink from the page's theme, no byte that shows nothing."""
        text = self.render("svg").decode()
        text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
        prefix = f"{self.name}-"
        text = _compact(text, prefix, self.tips)
        for colour, variable in ((INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid"), ("#ffffff", "--panel")):
            text = text.replace(f": {colour}", f": var({variable})")
        for gid, tip in self.tips.items():  # last, so that nothing in a name is taken for an identifier
            found = f'<g id="{prefix}{gid}">'
            text = text.replace(found, f"{found}<title>{html.escape(visible(tip))}</title>", 1)
        label = html.escape(visible(self.alt), quote=True)
        return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)

    def finish(self, kinds: Sequence[str]) -> None:
        """Write the figure in some formats, and let go of all else; a figure takes 2 MB, what is written 0.1."""
        for kind in kinds:
            self.render(kind)
        del self.figure

    def close(self) -> None:
        """Let go of the figure and of what was written."""
        self._rendered.clear()
        self.__dict__.pop("figure", None)


def finish(drawings: Sequence[Drawing], kinds: Sequence[str] | None) -> Sequence[Drawing]:
    """Write figures, if some formats are given, and give their memory back; return them."""
    if kinds is not None:
        for drawing in drawings:
            drawing.finish(kinds)
        gc.collect()  # figures are made of cycles
    return drawings


def share_glyphs(figures: Sequence[str]) -> tuple[str, list[str]]:
    """Take the outlines of letters out of the figures of one page.

    Args:
        figures: of `Drawing.inline_svg`.

    Returns:
        An SVG without size that holds each outline once, and the figures without them.
    """
    found = {match[1]: match[0] for text in figures for match in _GLYPH.finditer(text)}
    shared = f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{"".join(found.values())}</defs></svg>'
    return shared, [_GLYPH.sub("", text).replace("<defs></defs>", "") for text in figures]


def _compact(text: str, prefix: str, kept: Container[str]) -> str:
    """Return an SVG in half its bytes: without blanks and identifiers that nothing names, in hundredths of a point.

    Args:
        text: as Matplotlib writes it.
        prefix: of identifiers, but for those of letters, which all figures share.
        kept: identifiers that are named from elsewhere.
    """
    glyphs = {found[1] for found in _GLYPH.finditer(text)}
    named = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))

    def own(name: str) -> str:
        return name if name in glyphs else prefix + name

    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{own(m[1])}"' if m[1] in named or m[1] in kept else "", text)
    text = re.sub(r'xlink:href="#([^"]+)"', lambda m: f'href="#{own(m[1])}"', text)
    text = re.sub(r"url\(#([^)]+)\)", lambda m: f"url(#{own(m[1])})", text)
    for place in (r' (?:d|x|y)="[^"]*"', r"translate\([^)]*\)"):
        text = re.sub(place, lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]).replace("\n", ""), text)
    text = re.sub(r'(<use href="[^"]*") transform="translate\(([\d.]+) 0\)"/>', r'\1 x="\2"/>', text)
    text = re.sub(r"data:image/png;base64,([^\"]+)", lambda m: _few_colours(m[1]), text)
    return re.sub(r">\s+<", "><", text)


def _few_colours(encoded: str) -> str:
    """Return a picture of a figure with a palette as a data URI."""
    buffer = BytesIO()
    with Image.open(BytesIO(base64.b64decode(encoded))) as picture:
        few = picture.convert("RGBA").quantize(256, method=Image.Quantize.FASTOCTREE)
    few.save(buffer, format="png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside this context to get our look; needs no display."""
    with mpl.rc_context(RC):
        yield


def new_figure(width: float, height: float, *, layout: LayoutEngine | None = None) -> Figure:
    """A figure [inches] that no global state remembers; its default layout measures the panels once, constrained layout twice."""
    figure = Figure(figsize=(width, height), layout=layout or TightLayoutEngine(pad=0.4, w_pad=1.2, rect=None))
    FigureCanvasAgg(figure)  # measures texts without a display
    return figure


def settle(figure: Figure) -> None:
    """Lay a figure out for good: with a layout engine, every writing would lay it out again. Call it inside `styled`."""
    engine = figure.get_layout_engine()
    if engine is not None:
        once = isinstance(engine, TightLayoutEngine)
        for axes in figure.axes:
            for artist in (*axes.spines.values(), *axes.lines, *axes.patches, *axes.collections):
                artist.set_in_layout(False)  # nothing of them lies outside the panel
            for axis in (axes.xaxis, axes.yaxis):
                if once:  # a panel of another size would have other ticks, whose labels nobody measured
                    axis.set_major_locator(FixedLocator(axis.get_majorticklocs()))
                if not axis.get_label_text():
                    axis.set_label_coords(0, 0)  # or every drawing measures all ticks once more to place an empty label
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            engine.execute(figure)
        _tell(caught)
        figure.set_layout_engine(None)
        if once:
            _make_room(figure)


def _make_room(figure: Figure) -> None:
    """Move the panels away from the legends of the figure, which tight layout does not see."""
    beside = 16 if figure.get_suptitle() else 0  # points of the title of the figure, which has its place
    for legend in figure.legends:
        box, height, places = legend.get_window_extent(), figure.bbox.height, figure.subplotpars
        room = box.height + 4 * figure.dpi / 72
        if box.y0 > height / 2:
            figure.subplots_adjust(top=places.top - max(room - beside * figure.dpi / 72, 0) / height)
        else:
            figure.subplots_adjust(bottom=places.bottom + room / height)


def _tell(caught: Sequence[warnings.WarningMessage]) -> None:
    """Pass warnings on; of letters that no font has, say once what to install."""
    for each in caught:
        if not str(each.message).startswith("Glyph "):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if any(str(each.message).startswith("Glyph ") for each in caught):
        _tell_fonts()


@cache
def _tell_fonts() -> None:
    log.warning(
        "no installed font has all letters of the names in the figures; install one, such as fonts-noto-cjk, and delete the "
        "font cache of Matplotlib"
    )


def only_grid(axes: Axes, axis: str) -> None:
    """Keep grid lines across one axis, and no tick marks along the other."""
    axes.grid(visible=False)
    axes.grid(visible=True, axis=axis)
    axes.tick_params(axis="y" if axis == "x" else "x", length=0)


def thin_lines(frame: pd.DataFrame, by: str, *, sort: bool = True) -> list[pd.DataFrame]:
    """Return the rows of each class by the column `by`; of more than `LINES`, those evenly spaced by their last value."""
    last = frame.groupby(by, sort=False).value.last().sort_values(kind="stable")
    if len(last) > LINES:
        frame = frame[frame[by].isin(last.index[np.linspace(0, len(last) - 1, LINES).round().astype(int)])]
    return [own for _, own in frame.groupby(by, sort=sort)]


def line_title(title: str, classes: int) -> str:
    """Return a title that says how many of the classes have a line, where not all do."""
    return title if classes <= LINES else f"{title} ({LINES} of {classes} classes)"


def log2_axis(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at powers of two; few, for every tick takes time."""
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value) if value >= 1 else f"{value:g}"))


def few_ticks(axes: Axes) -> None:
    """Keep a handful of ticks on both axes of a small panel."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def shortened(names: Sequence[str]) -> list[str]:
    """Names as they stand beside an axis: of long ones the beginning."""
    return [name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…" for name in names]


def marker_of(strategy: str, position: int = 0) -> str:
    """Marker of a strategy; strategies the paper does not know get further ones by position."""
    return MARKERS.get(strategy, OTHER_MARKERS[position % len(OTHER_MARKERS)])


def colour_of(strategy: str, position: int = 0) -> str:
    """Colour of a strategy; strategies the paper does not know get further ones by position."""
    return STRATEGY.get(strategy, OTHERS[position % len(OTHERS)])
