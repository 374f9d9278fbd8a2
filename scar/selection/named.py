"""Selections by name, for those who plan in Python."""

from __future__ import annotations

from scar.selection.base import Selection
from scar.selection.facility_location import FacilityLocationSelection
from scar.selection.herding import HerdingSelection
from scar.selection.k_center import KCenterSelection
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
    )
}
"""With the settings of ``conf/selection/``."""


def find_selection(selection: Selection | str | None) -> Selection:
    """Return a selection by name, or the one given; `random` if None.

    Raises:
        ValueError: there is none of that name.
    """
    if selection is None or isinstance(selection, str):
        name = selection or "random"
        if name not in SELECTIONS:
            raise ValueError(f"selection={name!r} is unknown; use one of {', '.join(SELECTIONS)}")
        return SELECTIONS[name]
    return selection
