"""One drawing of a figure for two files: SVG and pixels. Most of the time goes into finding out where everything lies."""

from __future__ import annotations

from io import BytesIO, StringIO
from typing import Any

from matplotlib.artist import Artist
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import BboxImage, imsave
from matplotlib.transforms import Affine2D, TransformedBbox, TransformedPath

POINTS = 72
"""Per inch; the unit of SVG."""


def is_of_lines_and_texts(figure: Figure) -> bool:
    """Tell whether a figure can be drawn by `draw_both`: it holds neither pictures nor artists that become pixels in an SVG."""

    def other(artist: Artist) -> bool:
        return bool(artist.get_rasterized()) or isinstance(artist, (BboxImage, QuadMesh))

    return not (figure.findobj(other) or figure.images or any(axes.images for axes in figure.axes))


def draw_both(figure: Figure, *, metadata: dict[str, Any], pil: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return a figure as SVG and as PNG.

    Texts stand where SVG needs them, so that single pixels differ from a PNG that is drawn by itself.

    Args:
        figure: with its final layout and the resolution of the PNG.
        metadata: by format.
        pil: how PNG is compressed.
    """
    dpi, (width, height), text = figure.dpi, figure.get_size_inches(), StringIO()
    vector = RendererSVG(width * POINTS, height * POINTS, text, image_dpi=dpi, metadata=metadata["svg"])
    assert isinstance(figure.canvas, FigureCanvasAgg)
    pixels = figure.canvas.get_renderer()  # that has measured the layout: no second array of the pixels
    pixels.clear()
    figure.set_dpi(POINTS)
    try:
        figure.draw(_Both(vector, pixels, dpi / POINTS))
    finally:
        figure.set_dpi(dpi)
    vector.finalize()
    buffer = BytesIO()
    look: dict[str, Any] = {"metadata": metadata["png"], "pil_kwargs": pil}
    imsave(buffer, pixels.buffer_rgba(), format="png", origin="upper", dpi=dpi, **look)
    return text.getvalue().encode(), buffer.getvalue()


class _Both(RendererBase):
    """Passes everything on to two renderers, the second of which has `scale` pixels per point."""

    def __init__(self, vector: RendererSVG, pixels: RendererAgg, scale: float) -> None:
        super().__init__()
        self.vector, self.pixels, self.scale = vector, pixels, scale
        self.larger = Affine2D().scale(scale)

    def get_canvas_width_height(self) -> tuple[float, float]:
        width, height = self.vector.get_canvas_width_height()
        return float(width), float(height)

    def flipy(self) -> bool:
        return bool(self.vector.flipy())

    def points_to_pixels(self, points: Any) -> Any:
        return points

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        width, height, descent = self.vector.get_text_width_height_descent(s, prop, ismath)
        return width, height, descent

    def open_group(self, s: str, gid: str | None = None) -> None:
        self.vector.open_group(s, gid=gid)

    def close_group(self, s: str) -> None:
        self.vector.close_group(s)

    def draw_path(self, gc: GraphicsContextBase, path: Any, transform: Any, rgbFace: Any = None) -> None:
        self.vector.draw_path(gc, path, transform, rgbFace)
        self.pixels.draw_path(self._larger(gc), path, transform + self.larger, rgbFace)

    def draw_markers(
        self, gc: GraphicsContextBase, marker_path: Any, marker_trans: Any, path: Any, trans: Any, rgbFace: Any = None
    ) -> None:
        self.vector.draw_markers(gc, marker_path, marker_trans, path, trans, rgbFace)
        own = marker_trans + self.larger, path, trans + self.larger, rgbFace
        self.pixels.draw_markers(self._larger(gc), marker_path, *own)

    def draw_path_collection(
        self, gc: Any, master_transform: Any, paths: Any, all_transforms: Any, offsets: Any, offset_trans: Any, *args: Any, **more: Any
    ) -> None:  # fmt: skip
        self.vector.draw_path_collection(
            gc, master_transform, paths, all_transforms, offsets, offset_trans, *args, **more
        )
        own = (master_transform + self.larger).frozen(), paths, all_transforms, offsets, offset_trans + self.larger
        self.pixels.draw_path_collection(self._larger(gc), *own, *args, **more)

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:  # fmt: skip
        self.vector.draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        self.pixels.draw_text(self._larger(gc), x * self.scale, y * self.scale, s, prop, angle, ismath, mtext)

    def draw_image(self, *args: Any, **more: Any) -> None:
        raise NotImplementedError("pictures are drawn for each format by itself")

    def _larger(self, gc: GraphicsContextBase) -> GraphicsContextBase:
        """Return a context with its clips in pixels; widths and dashes of lines stay in points."""
        own = self.pixels.new_gc()
        own.copy_properties(gc)
        if (box := gc.get_clip_rectangle()) is not None:
            own.set_clip_rectangle(TransformedBbox(box, self.larger))
        path, transform = gc.get_clip_path()
        if path is not None:
            own.set_clip_path(TransformedPath(path, transform + self.larger))
        return own
