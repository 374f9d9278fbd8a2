"""Scale, Coverage, Authenticity and Richness (§3.2, §4.3); torch is imported on first use only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scar.measures.dataset import DatasetMeasures, dataset_measures
from scar.measures.debias import coverage_deficit
from scar.measures.observations import Observations
from scar.measures.steps import StepMeasures, StepStatistics, scar_measures

if TYPE_CHECKING:
    from scar.measures.metrics import StepAuthenticity as StepAuthenticity
    from scar.measures.metrics import StepCoverage as StepCoverage
    from scar.measures.metrics import StepRichness as StepRichness
    from scar.measures.metrics import StepScale as StepScale

_METRICS = ("StepAuthenticity", "StepCoverage", "StepRichness", "StepScale")

__all__ = [
    "DatasetMeasures",
    "Observations",
    "StepAuthenticity",
    "StepCoverage",
    "StepMeasures",
    "StepRichness",
    "StepScale",
    "StepStatistics",
    "coverage_deficit",
    "dataset_measures",
    "scar_measures",
]


def __getattr__(name: str) -> Any:
    """Import a torchmetrics class, and torch with it, on first use."""
    if name in _METRICS:
        return getattr(import_module("scar.measures.metrics"), name)
    raise AttributeError(f"module 'scar.measures' has no attribute {name!r}")
