"""Regimes: the circumstances in which completion is asked for, as pure functions on a split."""

from scar.regimes.base import Natural, Regime
from scar.regimes.long_tailed import LongTailed
from scar.regimes.missing_class import MissingClass
from scar.regimes.noisy_labels import NoisyLabels
from scar.regimes.shift import Shift

__all__ = ["LongTailed", "MissingClass", "Natural", "NoisyLabels", "Regime", "Shift"]
