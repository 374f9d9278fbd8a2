"""Foundation Data Size: from measures and errors to how much data is enough.

The functions need NumPy alone. `fit_growth` and the estimators beside `ReferenceEstimator` are imported on
first use, because they need SciPy.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scar.foundation.bound import concept_bound, reference_concept_sizes, step_foundation_size
from scar.foundation.config import FoundationConfig
from scar.foundation.set_level import elementary_symmetric, reference_set_foundation_size, set_foundation_size
from scar.measures.observations import Observations

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


class FoundationEstimator(Protocol):
    """What every estimator offers; the attributes that end in an underscore exist after `fit`.

    Attributes:
        foundation_size_: samples of the whole set that are enough; 0 where the need is met, NaN where
            undefined.
        interval_: of `foundation_size_`.
        step_sizes_: [K] whole-set samples, at the class mix of the observed set, that are enough for each
            step.
        step_intervals_: [K, 2].
        flags_: flags of the set under ``"set"``, flags of step j under the integer j (every step has an
            entry).
        growth_: the data of the fit, for plotting.
    """

    foundation_size_: float
    interval_: tuple[float, float]
    step_sizes_: NDArray[np.float64]
    step_intervals_: NDArray[np.float64]
    flags_: dict[str | int, list[str]]
    growth_: Any

    def fit(self, observations: Observations) -> FoundationEstimator:
        """Estimate from one set of observations and return the estimator itself."""
        ...

    def get_params(self) -> dict[str, Any]:
        """Return what the constructor was given."""
        ...


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
