"""The contract of an estimator of Foundation Data Size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self

from scar.common.types import Floats
from scar.foundation.settings import FoundationConfig
from scar.measures.observations import Observations

Flags = dict[str | int, list[str]]


@dataclass(eq=False, kw_only=True)
class FoundationEstimator(ABC):
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

    foundation_size_: float = field(init=False, repr=False)
    interval_: tuple[float, float] = field(init=False, repr=False)
    step_sizes_: Floats = field(init=False, repr=False)
    step_intervals_: Floats = field(init=False, repr=False)
    flags_: Flags = field(init=False, repr=False)
    growth_: dict[str, Floats] = field(init=False, repr=False)

    @classmethod
    @abstractmethod
    def configured(cls, config: FoundationConfig) -> Self:
        """Return the estimator with the settings of a configuration."""

    @abstractmethod
    def fit(self, observations: Observations) -> Self:
        """Estimate from one set of observations and return the estimator itself."""
