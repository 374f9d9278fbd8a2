"""Planners and selections by name, with the settings of ``conf/``, for those who plan in Python."""

from __future__ import annotations

from collections.abc import Mapping

from scar.completion.oracle import OraclePlanner
from scar.completion.planner import PairPlanner, Planner
from scar.completion.planners import (
    ClassAveragePlanner,
    ErrorProportionalPlanner,
    LongTailFirstPlanner,
    ProportionalPlanner,
    RandomPlanner,
    ScarPlanner,
    WaterFillingPlanner,
)
from scar.completion.selection.facility_location import FacilityLocationSelection
from scar.completion.selection.gradient import GradientSelection
from scar.completion.selection.herding import HerdingSelection
from scar.completion.selection.k_center import KCenterSelection
from scar.completion.selection.large_distance import LargeDistanceSelection
from scar.completion.selection.margin import MarginSelection
from scar.completion.selection.random_order import RandomSelection
from scar.completion.selection.selection import Selection
from scar.completion.selection.semantic_dedup import SemanticDedupSelection
from scar.completion.slice_tuner import SliceTunerPlanner
from scar.completion.tempered import TemperedPlanner

_PLANNERS: tuple[Planner, ...] = (
    ScarPlanner(),
    ScarPlanner(name="scar_class_mix", unit="class_mix"),
    ScarPlanner(name="scar_even", unit="even"),
    TemperedPlanner(),
    RandomPlanner(),
    ClassAveragePlanner(),
    ProportionalPlanner(),
    WaterFillingPlanner(),
    LongTailFirstPlanner(),
    ErrorProportionalPlanner(),
    SliceTunerPlanner(),
    OraclePlanner(),
)
_SELECTIONS: tuple[Selection, ...] = (
    RandomSelection(),
    KCenterSelection(),
    FacilityLocationSelection(),
    HerdingSelection(),
    MarginSelection(),
    SemanticDedupSelection(),
    LargeDistanceSelection(),
    GradientSelection(),
)
PLANNERS = {planner.name: planner for planner in _PLANNERS}
SELECTIONS = {selection.name: selection for selection in _SELECTIONS}


def find_planner(planner: Planner | PairPlanner | str | None) -> Planner:
    """Return a planner by name, or the one given; `scar` if None.

    Raises:
        ValueError: there is none of that name, or it plans for pairs.
    """
    if isinstance(planner, PairPlanner):
        raise ValueError(f"completion={planner.name} plans for both modalities of pairs; use labels=cross_modal")
    if isinstance(planner, Planner):
        return planner
    _refuse_unknown(name := planner or "scar", PLANNERS, "planner")
    return PLANNERS[name]


def find_selection(selection: Selection | str | None) -> Selection:
    """Return a selection by name, or the one given; `random` if None.

    Raises:
        ValueError: there is none of that name.
    """
    if isinstance(selection, Selection):
        return selection
    _refuse_unknown(name := selection or "random", SELECTIONS, "selection")
    return SELECTIONS[name]


def _refuse_unknown(name: str, known: Mapping[str, object], field: str) -> None:
    if name not in known:
        raise ValueError(f"{field}={name!r} is unknown; use one of {', '.join(known)}")
