"""Pictures of generated scenes: 32 × 32 pixels, drawn with jitter, shading and noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scar.data.sources._scene_grammar import Scene

Picture = NDArray[np.uint8]

SIDE = 32
_FINE = 4
"""Pixels drawn per pixel and axis, for smooth edges."""
_COLOURS = {"red": (205, 45, 45), "green": (50, 160, 60), "blue": (55, 85, 200), "yellow": (225, 190, 40)}
_BACKGROUNDS = {"white": (238, 238, 235), "black": (22, 22, 26), "grey": (128, 130, 134), "brown": (112, 78, 52)}
_CENTRES = {
    "top_left": (10.5, 10.5),
    "top_right": (21.5, 10.5),
    "bottom_left": (10.5, 21.5),
    "bottom_right": (21.5, 21.5),
    "centre": (16.0, 16.0),
}
_RADII = {"small": (2.9, 3.5), "large": (4.3, 5.0)}
"""Least and largest radius of an object in pixels."""
_NOISE = 7.0
"""Standard deviation of the noise of a pixel, in levels of 0..255."""


@dataclass(frozen=True, eq=False)
class View:
    """What varies between pictures of one scene.

    Attributes:
        radius: of an object, in pixels.
        centre: of the group of objects, (x, y) in pixels.
        turn: angle of the group and of each object, in radians.
        colour: of the objects, RGB.
        ground: of the background, RGB.
        slope: change of the background per pixel to the right and downwards, in levels.
    """

    radius: float
    centre: tuple[float, float]
    turn: float
    colour: tuple[float, ...]
    ground: tuple[float, ...]
    slope: tuple[float, float]


def look_at(scene: Scene, rng: np.random.Generator) -> View:
    """Draw a view of a scene."""
    x, y = _CENTRES[scene.position]
    shift = rng.uniform(-1.2, 1.2, 2)
    return View(
        radius=float(rng.uniform(*_RADII[scene.size])),
        centre=(x + float(shift[0]), y + float(shift[1])),
        turn=float(rng.uniform(-0.35, 0.35)),
        colour=tuple(_COLOURS[scene.colour] + rng.normal(0, 14, 3)),
        ground=tuple(_BACKGROUNDS[scene.background] + rng.normal(0, 9, 3)),
        slope=(float(rng.normal(0, 0.5)), float(rng.normal(0, 0.5))),
    )


def look_again(view: View, rng: np.random.Generator) -> View:
    """Draw a view that is nearly the same: moved by less than a pixel, hardly turned, a little brighter or darker."""
    x, y = view.centre
    shift, brighter = rng.uniform(-0.4, 0.4, 2), float(rng.normal(0, 3))
    return replace(
        view,
        centre=(x + float(shift[0]), y + float(shift[1])),
        turn=view.turn + float(rng.uniform(-0.04, 0.04)),
        colour=tuple(level + brighter for level in view.colour),
        ground=tuple(level + brighter for level in view.ground),
    )


def draw(scene: Scene, view: View, rng: np.random.Generator) -> Picture:
    """Return the picture [32, 32, 3] of a scene in a view; the noise is drawn anew."""
    mask = Image.new("L", (SIDE * _FINE, SIDE * _FINE), 0)
    pen = ImageDraw.Draw(mask)
    for x, y in _places(scene.count, view):
        _draw_object(pen, scene.shape, x * _FINE, y * _FINE, view.radius * _FINE, view.turn)
    cover = np.asarray(mask, np.float32).reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3))[..., None] / 255
    steps = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    ramp = view.slope[0] * steps[None, :] + view.slope[1] * steps[:, None]
    ground = np.asarray(view.ground, np.float32) + ramp[..., None]
    levels = cover * np.asarray(view.colour, np.float32) + (1 - cover) * ground
    levels += rng.normal(0, _NOISE, levels.shape).astype(np.float32)
    return np.asarray(np.rint(np.clip(levels, 0, 255)), dtype=np.uint8)


def _places(count: int, view: View) -> list[tuple[float, float]]:
    """Return the centres of the objects: around the centre of the group, at equal angles."""
    if count == 1:
        return [view.centre]
    x, y = view.centre
    away = 1.12 * view.radius
    angles = view.turn + 2 * np.pi * np.arange(count) / count + (0 if count == 2 else np.pi / 6)
    return [(x + away * float(np.cos(angle)), y + away * float(np.sin(angle))) for angle in angles]


def _draw_object(pen: Any, shape: str, x: float, y: float, radius: float, turn: float) -> None:
    if shape in ("circle", "ring"):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        if shape == "ring":
            inner = 0.55 * radius
            pen.ellipse((x - inner, y - inner, x + inner, y + inner), fill=0)
        return
    if shape == "cross":
        for quarter in (0.0, np.pi / 2):
            bar = np.array([(-1, -0.32), (1, -0.32), (1, 0.32), (-1, 0.32)])
            pen.polygon(_corners(bar, x, y, radius, turn + quarter), fill=255)
        return
    pen.polygon(_corners(_OUTLINES[shape], x, y, radius, turn), fill=255)


def _corners(outline: NDArray[np.float64], x: float, y: float, radius: float, turn: float) -> list[tuple[float, float]]:
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    return [(x + radius * (cos * a - sin * b), y + radius * (sin * a + cos * b)) for a, b in outline.tolist()]


def _around(corners: int, radii: tuple[float, ...]) -> NDArray[np.float64]:
    """Return corners at equal angles from the top, at distances that repeat."""
    angles = 2 * np.pi * np.arange(corners) / corners - np.pi / 2
    reach = np.resize(np.asarray(radii), corners)
    return np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)


_OUTLINES = {
    "square": 0.9 * np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]),
    "triangle": _around(3, (1.15,)),
    "star": _around(10, (1.2, 0.48)),
}
"""Corners of each shape for a radius of 1."""
