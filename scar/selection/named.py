"""Selections by name, for those who plan in Python."""

from __future__ import annotations

from scar.named import find_named
from scar.selection.base import Selection
from scar.selection.facility_location import FacilityLocationSelection
from scar.selection.gradient import GradientSelection
from scar.selection.herding import HerdingSelection
from scar.selection.k_center import KCenterSelection
from scar.selection.large_distance import LargeDistanceSelection
from scar.selection.margin import MarginSelection
from scar.selection.random_order import RandomSelection
from scar.selection.semantic_dedup import SemanticDedupSelection

SELECTIONS: dict[str, Selection] = {
    selection.name: selection
    for selection in (
        RandomSelection(),
        KCenterSelection(),
        FacilityLocationSelection(),
        HerdingSelection(),
        MarginSelection(),
        SemanticDedupSelection(),
        LargeDistanceSelection(),
        GradientSelection(),
    )
}
"""With the settings of ``conf/selection/``."""


def find_selection(selection: Selection | str | None) -> Selection:
    """Return a selection by name, or the one given; `random` if None.

    Raises:
        ValueError: there is none of that name.
    """
    return find_named(selection, SELECTIONS, field="selection", default="random")
