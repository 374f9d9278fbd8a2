"""Foundation Data Size: from measures and errors to how much data is enough.

The functions need NumPy alone. `fit_growth` and the estimators beside `ReferenceEstimator` are imported on
first use, because they need SciPy.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scar.foundation.base import FoundationEstimator
from scar.foundation.bound import concept_bound, reference_concept_sizes, step_foundation_size
from scar.foundation.config import FoundationConfig
from scar.foundation.set_level import elementary_symmetric, reference_set_foundation_size, set_foundation_size

if TYPE_CHECKING:
    from scar.foundation.growth import GrowthFit as GrowthFit
    from scar.foundation.growth import fit_growth as fit_growth
    from scar.foundation.heldout import HeldoutEstimator as HeldoutEstimator
    from scar.foundation.learning_curve import LearningCurveEstimator as LearningCurveEstimator
    from scar.foundation.paper import PaperEstimator as PaperEstimator
    from scar.foundation.reference import ReferenceEstimator as ReferenceEstimator

__all__ = [
    "FoundationConfig",
    "FoundationEstimator",
    "GrowthFit",
    "HeldoutEstimator",
    "LearningCurveEstimator",
    "PaperEstimator",
    "ReferenceEstimator",
    "concept_bound",
    "elementary_symmetric",
    "fit_growth",
    "make_estimators",
    "reference_concept_sizes",
    "reference_set_foundation_size",
    "set_foundation_size",
    "step_foundation_size",
]

_LAZY = {
    "GrowthFit": "growth",
    "fit_growth": "growth",
    "HeldoutEstimator": "heldout",
    "LearningCurveEstimator": "learning_curve",
    "PaperEstimator": "paper",
    "ReferenceEstimator": "reference",
}
_CLASSES = {
    "reference": "ReferenceEstimator",
    "paper": "PaperEstimator",
    "heldout": "HeldoutEstimator",
    "learning_curve": "LearningCurveEstimator",
}


def make_estimators(config: FoundationConfig) -> dict[str, FoundationEstimator]:
    """Build the estimators that a configuration lists, by name.

    Each takes the fields of the configuration that its constructor names.
    """
    estimators: dict[str, FoundationEstimator] = {}
    for name in config.estimators:
        estimator = __getattr__(_CLASSES[name])
        known = [field for field in inspect.signature(estimator).parameters if hasattr(config, field)]
        estimators[name] = estimator(**{field: getattr(config, field) for field in known})
    return estimators


def __getattr__(name: str) -> Any:
    """Import an estimator on first use."""
    if name in _LAZY:
        return getattr(import_module(f"scar.foundation.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'scar.foundation' has no attribute {name!r}")
