"""The datasets that the indicator study derives from one, each a size per cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.studies.indicators import profiles
from scar.studies.indicators.cells import OTHER, OWN, SECOND, SYNTHETIC, Cells
from scar.studies.indicators.indicator_settings import MOST_CLASSES, IndicatorStudy

CLASS_SIZES, LABEL_SETS, BLENDS = "class sizes", "label sets", "blends"
"""Families: one label set with different class sizes; different label sets tested on one; two sources of one label set."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Derived:
    """One derived dataset.

    Attributes:
        name: unique within the study; the same for every seed.
        family: see above.
        kind: what was done, e.g. ``"skew"``.
        source: of what was added or blended in; empty where there is one source.
        matched: whether its budget is the one that all matched datasets of its family and base share.
        sizes: [G] samples of each cell.
        targets: [T] classes that it is tested on; the logits of others are masked.
    """

    name: str
    family: str
    kind: str
    source: str = ""
    matched: bool = False
    sizes: Ints
    targets: Ints


def target_classes(cells: Cells, study: IndicatorStudy) -> Ints:
    """Return the label set of the class-size family: classes with enough samples, at most `MOST_CLASSES`."""
    own = cells.of(OWN)
    enough = own[cells.available[own] >= study.min_pool]
    largest = enough[np.argsort(-cells.available[enough], kind="stable")][:MOST_CLASSES]
    return np.sort(cells.classes[largest])


def derive(cells: Cells, study: IndicatorStudy, *, seed: int) -> list[Derived]:
    """Return every derived dataset of a seed."""
    return [
        *class_size_family(cells, study, seed=seed),
        *label_set_family(cells, study, seed=seed),
        *blend_family(cells, study),
    ]


def class_size_family(cells: Cells, study: IndicatorStudy, *, seed: int) -> Iterator[Derived]:
    """One label set: skew, tails, both, vertical scaling, head truncation, tail rebalancing from the reserve."""
    targets = target_classes(cells, study)
    places = _places(cells, OWN, targets)
    order = generator(seed, "class order").permutation(len(targets))
    for name, kind, profile in size_profiles(len(targets), study):
        dealt = profiles.assign_classes(profile, cells.available[places], order)
        yield Derived(
            name=name,
            family=CLASS_SIZES,
            kind=kind,
            matched=int(profile.sum()) == study.budget * len(targets),
            sizes=_spread(cells, places, dealt),
            targets=targets,
        )


def size_profiles(classes: int, study: IndicatorStudy) -> Iterator[tuple[str, str, Ints]]:
    """Yield name, kind and sizes [classes] of every profile of the class-size family."""
    total, heads = study.budget * classes, -(-classes // 20)
    for size in sorted({*study.balanced, study.budget}):
        yield f"balanced {size}", "balanced", np.full(classes, size, np.int64)
    for floor in study.floors:
        yield f"head over {floor}", "skew", profiles.skewed(total, classes, heads=heads, floor=floor)
    for share in study.tail_shares:
        for size in study.tail_sizes:
            yield f"{share:.0%} at {size}", "tail", profiles.tailed(total, classes, share=share, size=size)
    steep = profiles.skewed(total, classes, heads=heads, floor=min(study.floors))
    for size in study.tail_sizes:
        both = profiles.skewed_and_tailed(total, classes, heads=heads, head=int(steep[0]), share=0.4, size=size)
        yield f"head, 40% at {size}", "skew and tail", both
    for ratio in study.ratios:
        yield f"exponential {ratio:g}", "exponential", profiles.exponential(total, classes, ratio=ratio)
    for exponent in study.exponents:
        yield f"zipf {exponent:g}", "zipf", profiles.zipf(total, classes, exponent=exponent)
    for size in study.heads:
        grown = np.full(classes, min(study.floors), np.int64)
        grown[:heads] = size
        yield f"head {size}", "head growth", grown
    natural = profiles.zipf(total, classes, exponent=study.exponents[-1])
    for cap in study.caps:
        yield f"zipf cut at {cap}", "truncation", profiles.truncate_head(natural, cap)
    steepest = profiles.exponential(total, classes, ratio=study.ratios[-1])
    for minimum in study.raises:
        yield f"raised to {minimum}", "rebalancing", profiles.rebalance_tail(steepest, minimum)
    spare, most = study.raises[0], study.raises[-1]
    spared = profiles.rebalance_tail(steepest, most, spare=spare)
    yield f"raised to {most}, smallest spared", "rebalancing", spared


def label_set_family(cells: Cells, study: IndicatorStudy, *, seed: int) -> Iterator[Derived]:
    """Vertical against horizontal scaling at equal budgets, tested on T classes drawn from the seed."""
    rng = generator(seed, "target classes")
    candidates = target_classes(cells, study)
    targets = np.sort(rng.permutation(candidates)[: study.target_classes])
    places = _places(cells, OWN, targets)
    chances = {source: rng.permutation(cells.of(source)) for source in (OWN, OTHER, SYNTHETIC)}
    chances[OWN] = chances[OWN][~np.isin(chances[OWN], places)]
    about: dict[str, Any] = {"family": LABEL_SETS, "targets": targets}
    for size in study.base_sizes:
        base = _spread(cells, places, np.full(len(places), size, np.int64))
        yield Derived(name=f"base {size}", kind="base", sizes=base, **about)
        for multiple in study.multiples:
            yield Derived(
                name=f"base {size}, V x{multiple}", kind="vertical", matched=True, sizes=base * multiple, **about
            )
            for source, cell_order in chances.items():
                able = cell_order[cells.available[cell_order] >= size]
                needed = (multiple - 1) * len(targets)
                if len(able) < needed:
                    continue  # not enough classes; the table shows the cell as missing
                sizes = base.copy()
                sizes[able[:needed]] = size
                name = f"base {size}, H x{multiple}, {source}"
                yield Derived(name=name, kind="horizontal", source=source, matched=True, sizes=sizes, **about)


def blend_family(cells: Cells, study: IndicatorStudy) -> Iterator[Derived]:
    """Two sources of one label set, blended by ratio at one budget."""
    second = cells.of(SECOND)
    targets = np.intersect1d(target_classes(cells, study), cells.classes[second])
    enough = [c for c in targets if cells.available[_places(cells, SECOND, np.array([c]))[0]] >= study.blend_size]
    targets = np.array(enough, np.int64)
    if len(targets) < 2:
        return
    own, other = _places(cells, OWN, targets), _places(cells, SECOND, targets)
    for ratio in study.ratios_of_blend:
        first, rest = profiles.blend(study.blend_size * len(targets), len(targets), ratio=1 - ratio)
        sizes = _spread(cells, own, first) + _spread(cells, other, rest)
        name = f"blend {ratio:.0%}"
        yield Derived(name=name, family=BLENDS, kind="blend", source=SECOND, matched=True, sizes=sizes, targets=targets)


def _places(cells: Cells, source: str, classes: Ints) -> Ints:
    """Return the cell of each class in a source."""
    return np.array([np.flatnonzero((cells.sources == source) & (cells.classes == c))[0] for c in classes], np.int64)


def _spread(cells: Cells, places: Ints, sizes: Ints) -> Ints:
    """Return sizes [G] over all cells."""
    spread = np.zeros(len(cells.pools), np.int64)
    spread[places] = sizes
    return spread
