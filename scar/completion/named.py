"""Planners by name, for those who plan in Python."""

from __future__ import annotations

from scar.completion.oracle import OraclePlanner
from scar.completion.planners import (
    ClassAveragePlanner,
    ErrorProportionalPlanner,
    LongTailFirstPlanner,
    ProportionalPlanner,
    RandomPlanner,
    ScarPlanner,
    WaterFillingPlanner,
)
from scar.completion.problem import Planner
from scar.completion.slice_tuner import SliceTunerPlanner
from scar.named import find_named

PLANNERS: dict[str, Planner] = {
    planner.name: planner
    for planner in (
        ScarPlanner(),
        ScarPlanner(name="scar_even", unit="even"),
        RandomPlanner(),
        ClassAveragePlanner(),
        ProportionalPlanner(),
        WaterFillingPlanner(),
        LongTailFirstPlanner(),
        ErrorProportionalPlanner(),
        SliceTunerPlanner(),
        OraclePlanner(),
    )
}
"""With the settings of ``conf/completion/``."""


def find_planner(planner: Planner | str | None) -> Planner:
    """Return a planner by name, or the one given; `scar` if None.

    Raises:
        ValueError: there is none of that name.
    """
    return find_named(planner, PLANNERS, field="planner", default="scar")
