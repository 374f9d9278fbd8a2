"""The map of a group as its page holds it: points in few bytes, what they look like, and what has to be said of both."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.spreadsheets import read_frame
from scar.common.types import Bools
from scar.job.map_points import MAP, UNKNOWN, MapPoints
from scar.reporting.study_folder import Study
from scar.reporting.study_job import StudyJob
from scar.reporting.tables.inspection_table import FOUND
from scar.reporting.text import count, listing, name_of, script_json, share

PARTS = ("primary", "reserve", "held-out", "test")
"""Titles of `scar.sampling.layout.PARTS`."""
KINDS = {"suspected labels": ("label error",), "duplicates": ("duplicate", "near duplicate")}
"""What an inspection marks, and the findings that it gathers."""
POINT_BYTES = 2_000_000
"""Of points with their ids in a page, all of its maps together."""
PREVIEW_BYTES = 2_000_000
"""Of texts and thumbnails in a page, all of its maps together, at most."""
NO_CLASS = 65_535
_PREVIEWS = re.compile(r'(<script type="application/json" class="map-previews">).*?(</script>)', re.DOTALL)


@dataclass(kw_only=True, eq=False)
class MapView:
    """The map of one group.

    Attributes:
        points: of the job whose plan is shown.
        plans: strategy and budget → [n] which points it adds.
        found: of `KINDS` → positions of the points that an inspection of the same data found; empty where nobody looked.
        notes: below the map; each a sentence.
        previews: JSON of what the points look like, see `fill_previews`.
    """

    points: MapPoints
    plans: dict[str, Bools]
    found: dict[str, list[int]]
    notes: list[str]
    previews: str = field(default='{"texts": [], "pictures": {}, "words": {}}')

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.points.rows)

    def points_json(self) -> str:
        """Return the points as JSON that may stand in a script of a page: arrays in base64, places in 16 bits."""
        points = self.points
        names = points.about["names"]
        data = {
            "place": _packed(points.place, "<u2"),
            "classes": _packed(_indices(points.classes, len(names)), "<u2"),
            "decided": _packed(_indices(points.decided, len(names)), "<u2"),
            "parts": _packed(points.parts, "u1"),
            "outcome": _packed(points.outcome, "u1"),
            "slices": _packed(points.slices, "u1"),
            "empty": _packed(points.empty, "u1"),
            "plans": [{"name": name, "added": _packed(added, "u1")} for name, added in self.plans.items()],
            "found": self.found,
            "ids": points.ids,
            "names": names,
            "parts_named": PARTS,
            "slices_named": points.about["slices"],
        }
        return script_json(data)


def map_view(study: Study, group: Mapping[str, Any], *, seed: int, leader: str) -> MapView | None:
    """Return the map of one seed of a group; None where no job has drawn one.

    Args:
        study: that the group belongs to.
        group: values of the axes.
        seed: which seed.
        leader: strategy whose plan is shown first.
    """
    jobs = [job for job in study.finished(group) if job.columns["seed"] == seed and (job.folder / MAP).exists()]
    jobs.sort(key=lambda job: (job.columns["completion"] != leader, str(job.columns["completion"])))
    if not jobs:
        return None
    maps = [MapPoints.load(job.folder / MAP) for job in jobs]
    first, plans = maps[0], {}
    for each in maps:
        if np.array_equal(each.rows, first.rows) and each.about["fraction"] is not None:
            plans[f"{name_of(each.about['strategy'])}, {share(each.about['fraction'])}"] = each.planned
    found, told = _inspected(study, jobs[0], first)
    return MapView(points=first, plans=plans, found=found, notes=[*_notes(first, seed), *told])


def thin_points(views: Sequence[MapView], most: int = POINT_BYTES) -> None:
    """Let each map keep points of every part and class in proportion, so many that all fit into a page, and say how many.

    Args:
        views: of one page; those whose points are too many are changed.
        most: bytes of all maps together; each may use an equal share.
    """
    for view in views:
        points, n = view.points, view.n
        fit = int(n * most / len(views) / len(view.points_json().encode()))
        if fit >= n:
            continue
        alike = np.lexsort((points.classes, points.parts))
        rows = np.sort(alike[np.arange(fit) * n // fit])
        place = {int(row): position for position, row in enumerate(rows)}
        looks = points.previews
        arrays: dict[str, Any] = {
            name: value[rows] for name, value in vars(points).items() if isinstance(value, np.ndarray)
        }
        view.points = replace(
            points,
            **arrays,
            ids=[points.ids[row] for row in rows],
            previews=replace(
                looks,
                texts=[looks.texts[row] for row in rows] if looks.texts else [],
                pictures={place[row]: data for row, data in looks.pictures.items() if row in place},
            ),
        )
        view.plans = {name: added[rows] for name, added in view.plans.items()}
        view.found = {kind: [place[row] for row in own if row in place] for kind, own in view.found.items()}
        view.notes.append(
            f"{count(fit)} of {count(n)} points are in this page, of every part and class in proportion: "
            f"its {'maps hold' if len(views) > 1 else 'map holds'} {most / 1e6:g} MB of points; the picture has all."
        )


def fill_previews(views: Sequence[MapView], most: int = PREVIEW_BYTES) -> None:
    """Give each map its thumbnails, words and texts as long as they fit into a page, and say what was left out."""
    left = most = min(most, PREVIEW_BYTES)
    for view in views:
        looks, pictures, texts = view.points.previews, {}, []
        for place, data in looks.pictures.items():
            encoded = base64.b64encode(data).decode()
            if (left := left - len(encoded) - len(f'"{place}":"",')) < 0:
                break
            pictures[place] = encoded
        for text in looks.texts:
            if (left := left - len(script_json(text).encode()) - 1) < 0:
                break
            texts.append(text)
        left = max(left, 0)
        view.previews = script_json({"texts": texts, "pictures": pictures, "words": looks.words})
        if looks.pictures:
            full = f"; this page holds {most / 1e6:.1f} MB of them" if len(pictures) < len(looks.pictures) else ""
            view.notes.append(f"{count(len(pictures))} of the points have a thumbnail (map.pictures){full}.")
        if len(texts) < len(looks.texts):
            view.notes.append(
                f"{count(len(texts))} of the points have their text: this page holds {most / 1e6:.1f} MB of them."
            )
        if looks.texts:
            view.notes.append("Texts are in this file alone and never uploaded; map.texts=false leaves them out.")


def without_previews(page: str) -> str:
    """Return a page without texts, words and thumbnails of samples, as it may leave the machine."""
    return _PREVIEWS.sub(r'\1{"texts": [], "pictures": {}, "words": {}}\2', page)


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()


def _indices(classes: NDArray[np.int64], names: int) -> NDArray[np.int64]:
    """Return classes in 16 bits, with `NO_CLASS` for none and for those beyond."""
    return np.where((classes < 0) | (classes >= min(names, NO_CLASS)), NO_CLASS, classes)


def _inspected(study: Study, own: StudyJob, points: MapPoints) -> tuple[dict[str, list[int]], list[str]]:
    """Return the points that inspections of the same data found, and how many of all findings they are."""
    place = {name: position for position, name in enumerate(points.ids)}
    dataset = own.config.get("dataset", {}).get("name")
    found: dict[str, list[int]] = {}
    told = []
    for job in study.jobs:
        if not (job.done and (job.folder / FOUND).exists() and job.config.get("dataset", {}).get("name") == dataset):
            continue
        frame = read_frame(job.folder / FOUND)
        for title, kinds in KINDS.items():
            ids = _found_ids(frame, kinds)
            there = sorted(place[each] for each in ids if each in place)
            found[title] = sorted({*found.get(title, []), *there})
            told.append(f"{count(len(there))} of {count(len(ids))} {title} that were found are among the points.")
    return found, told


def _found_ids(frame: pd.DataFrame, kinds: Sequence[str]) -> set[str]:
    own = frame[frame.kind.isin(kinds)]
    both = [own.id, own.other_id] if "duplicate" in kinds else [own.id]
    return {str(each) for column in both for each in column.dropna()}


def _notes(points: MapPoints, seed: int) -> Iterator[str]:
    about, n = points.about, len(points.rows)
    method = (
        "t-SNE from the first two principal components"
        if about["method"] == "tsne"
        else "The first two principal components"
    )
    why = f" ({about['why_not']})" if about["why_not"] else ""
    yield f"{method}{why}, seed {seed}; distances between far groups mean nothing."
    sizes = dict(zip(PARTS, about["sizes"].values(), strict=True))
    if n < sum(sizes.values()):
        drawn = np.bincount(points.parts, minlength=len(PARTS))
        each = [f"{part} {count(drawn[index])} of {count(size)}" for index, (part, size) in enumerate(sizes.items())]
        yield f"A class-aware sub-sample is drawn, at most map.points: {listing(each)}."
    if about["reach"] is None:
        yield "The primary set is too small to say what it does not reach."
        return
    others = points.parts > 0
    yield (
        f"Out of reach: farther from the primary set than {share(about['reached'])} of its own samples are from each other, "
        f"{about['reach']:.1f} times the median; {share(round(points.empty[others].mean(), 3))} of the other points are, "
        f"{share(1 - about['reached'])} would be if they were drawn like it."
    )
    if (points.outcome != UNKNOWN).any():
        yield "Right and wrong: the probe of the primary set on test items, its decisions matched to the mix of use."
