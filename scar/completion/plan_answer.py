"""The plan that `Characterization.plan` returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.allocation import Allocation
from scar.completion.flags import say_flag


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
        brought: [K] see `brings`.
        expect: forecasts what it brings; see `expected`.
        notes: sentences: of which classes too little is known, where estimate and plan disagree, why nothing is added.
    """

    class_names: tuple[str, ...]
    allocation: Allocation
    rows: Ints | None
    strategy: str
    costs: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    expect: Callable[[], pd.DataFrame]
    notes: tuple[str, ...] = ()
    brought: Ints | Floats | None = None

    @property
    def counts(self) -> pd.Series:
        """Samples to add, by class name; of several labels by the one that a sample is bought for, the rarest it carries."""
        return pd.Series(self.allocation.counts, index=pd.Index(self.class_names, name="class_name"), name="add")

    @property
    def brings(self) -> pd.Series:
        """Samples of each class that are added.

        Where they may carry several labels, those of the chosen rows of the pool, or what is to be expected of such samples.
        """
        brought = self.allocation.counts if self.brought is None else self.brought
        return pd.Series(brought, index=pd.Index(self.class_names, name="class_name"), name="brings")

    @cached_property
    def expected(self) -> pd.DataFrame:
        """What it would bring, with 90 % intervals; the first forecast of a dataset trains probes."""
        return self.expect()

    @property
    def cost(self) -> float:
        """What the plan costs."""
        return float(self.costs @ self.allocation.counts)

    def __repr__(self) -> str:
        added = [f"{name} +{count}" for name, count in self.counts.items() if count]
        said = [say_flag(flag, self.class_names) for flag in self.allocation.flags]
        flags = f" ({'; '.join(said)})" if said else ""
        if self.brought is not None and added:
            labels = ", ".join(f"{name} +{count:.0f}" for name, count in self.brings.items() if count)
            flags += f"; each under the rarest label it carries; they bring {labels}"
        line = f"add {int(self.allocation.counts.sum())}: {', '.join(added) or 'nothing'}{flags}"
        return "\n".join([line, *(f"  {note}" for note in self.notes)])
