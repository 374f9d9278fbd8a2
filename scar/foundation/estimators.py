"""The estimators by the names that ``foundation.estimators`` lists; a new one is entered here and in `settings`."""

from __future__ import annotations

from scar.foundation.estimator import FoundationEstimator
from scar.foundation.heldout import HeldoutEstimator
from scar.foundation.learning_curve import LearningCurveEstimator
from scar.foundation.paper_text import PaperEstimator
from scar.foundation.published import ReferenceEstimator
from scar.foundation.recommended import RecommendedEstimator
from scar.foundation.settings import FoundationConfig

BY_NAME: dict[str, type[FoundationEstimator]] = {
    "recommended": RecommendedEstimator,
    "reference": ReferenceEstimator,
    "paper": PaperEstimator,
    "heldout": HeldoutEstimator,
    "learning_curve": LearningCurveEstimator,
}


def make_estimators(config: FoundationConfig) -> dict[str, FoundationEstimator]:
    """Build the estimators that a configuration lists, by name."""
    return {name: BY_NAME[name].configured(config) for name in config.estimators}
