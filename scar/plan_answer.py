"""The plan that `Characterization.plan` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scar.completion.allocation import Allocation

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What to add: counts per class and, where the pool has labels, rows of the pool.

    Attributes:
        class_names: [K] names.
        allocation: counts [K] and flags.
        rows: positions in the pool, or None where the pool has no labels.
        strategy: name of the planner.
        costs: [K] of one sample.
        scores: of the selection for each of the rows, NaN where it has none.
        expected: accuracy, balanced_accuracy, gain and balanced_gain that the learning curves expect, each with
            ``_low`` and ``_high``; empty where there are none.
    """

    class_names: tuple[str, ...]
    allocation: Allocation
    rows: Ints | None
    strategy: str
    costs: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    expected: dict[str, float]

    @property
    def counts(self) -> pd.Series:
        """Samples to add, by class name."""
        import pandas as pd

        return pd.Series(self.allocation.counts, index=pd.Index(self.class_names, name="class_name"), name="add")

    @property
    def cost(self) -> float:
        """What the plan costs."""
        return float(self.costs @ self.allocation.counts)

    def __repr__(self) -> str:
        added = [f"{name} +{count}" for name, count in self.counts.items() if count]
        flags = f" ({'; '.join(self.allocation.flags)})" if self.allocation.flags else ""
        gain = ""
        if self.expected and added:
            value, low, high = (100 * self.expected[f"gain{end}"] for end in ("", "_low", "_high"))
            gain = f"; expected accuracy {value:+.2f} points [{low:+.2f}, {high:+.2f}]"
        return f"add {int(self.allocation.counts.sum())}: {', '.join(added) or 'nothing'}{flags}{gain}"
