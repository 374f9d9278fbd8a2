"""What `scar.characterize` returns: the answers as frames, plans and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scar.completion.allocation import Allocation, completion_caps
from scar.completion.planners import RandomPlanner, ScarPlanner
from scar.completion.problem import CompletionProblem, Planner, take_first
from scar.evaluation import Scores
from scar.foundation.estimates import Estimate
from scar.measures.observations import Observations
from scar.randomness import generator

if TYPE_CHECKING:
    import pandas as pd

    from scar.probes import ProbeSet

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Characterization:
    """The answers of `characterize`.

    Attributes:
        class_names: [K] names.
        counts: [K] samples of each class that the probes were trained on.
        observations: what the probes showed.
        estimates: by estimator.
        test_scores: of the probe trained on everything.
        probe: that probe, to `predict` with.
        driver: estimator whose needs `plan` answers.
        pool: classes of the pool, or None where there is none or it has no labels.
        pool_size: samples in the pool, or None where there is none.
        random_state: seed.
    """

    class_names: tuple[str, ...]
    counts: Ints
    observations: Observations
    estimates: dict[str, Estimate]
    test_scores: Scores
    probe: ProbeSet
    driver: str
    pool: Ints | None
    pool_size: int | None
    random_state: int

    @property
    def measures(self) -> pd.DataFrame:
        """Measures per factor, part and class (§3.2)."""
        import pandas as pd

        seen = self.observations
        parts = []
        for p in range(len(seen.factors)):
            columns = {m: getattr(seen, m)[p] for m in ("scale", "coverage", "authenticity", "richness")}
            about = {"factor": seen.factors[p], "part": seen.parts[p], "class_name": self.class_names}
            parts.append(pd.DataFrame({**about, "samples": seen.class_sizes[p], **columns}))
        return pd.concat(parts, ignore_index=True)

    @property
    def foundation(self) -> pd.DataFrame:
        """Foundation Data Size of the set per estimator, with interval and flags."""
        import pandas as pd

        records = [
            {
                "estimator": name,
                "foundation_size": each.foundation_size,
                "low": each.interval[0],
                "high": each.interval[1],
                "flags": "; ".join(each.flags),
            }
            for name, each in self.estimates.items()
        ]
        return pd.DataFrame.from_records(records, index="estimator")

    @property
    def needs(self) -> pd.DataFrame:
        """What each class has and how many samples of it would be enough, by the driver."""
        import pandas as pd

        each = self.estimates[self.driver]
        share = self.counts / self.counts.sum()
        return pd.DataFrame(
            {
                "have": self.counts,
                "enough": each.class_needs(self.counts),
                "low": each.step_intervals[:, 0] * share,
                "high": each.step_intervals[:, 1] * share,
                "flags": ["; ".join(flags) for flags in each.step_flags],
            },
            index=pd.Index(self.class_names, name="class_name"),
        )

    def plan(self, budget: int | None = None, planner: Planner | None = None) -> Plan:
        """Divide a budget over the classes.

        Args:
            budget: samples to add; None adds what the needs ask for, as far as the pool goes.
            planner: the strategy; `ScarPlanner()` by default.
        """
        if budget is not None and budget < 0:
            raise ValueError(f"budget={budget} must be at least 0, or None")
        reserve = (
            np.full(len(self.counts), np.iinfo(np.int32).max)  # nothing bounds what may be collected
            if self.pool is None
            else np.bincount(self.pool, minlength=len(self.counts))
        )
        needs = self.estimates[self.driver].class_needs(self.counts)
        problem = CompletionProblem(counts=self.counts, reserve=reserve, needs=needs, class_names=self.class_names)
        wanted = int(completion_caps(needs, self.counts, reserve).sum()) if budget is None else budget
        wanted = min(wanted, int(reserve.sum()), wanted if self.pool_size is None else self.pool_size)
        size = 0 if self.pool is None else len(self.pool)
        order = generator(self.random_state, "selection").permutation(size)
        classes = np.empty(0, np.int64) if self.pool is None else self.pool[order]
        strategy = planner or ScarPlanner()
        allocation = strategy.allocate(problem, wanted, classes)
        if self.pool is None and wanted and isinstance(strategy, RandomPlanner):
            raise ValueError("planner=RandomPlanner() draws from a labelled pool; give pool_embeddings and pool_labels")
        rows = None if self.pool is None else np.sort(take_first(order, classes, allocation.counts))
        return Plan(class_names=self.class_names, allocation=allocation, rows=rows)

    def __repr__(self) -> str:
        lines = [
            f"{self.counts.sum()} samples, {len(self.class_names)} classes; test accuracy {self.test_scores.accuracy:.3f}"
        ]
        for name, each in self.estimates.items():
            low, high = each.interval
            flags = f"  ({'; '.join(each.flags)})" if each.flags else ""
            lines.append(
                f"  Foundation Data Size, {name:<15}{each.foundation_size:>12,.0f}  [{low:,.0f}, {high:,.0f}]{flags}"
            )
        needs = self.needs
        missing = (needs.enough - needs.have).clip(lower=0).sort_values(ascending=False)
        top = [f"{name} +{count:,.0f}" for name, count in missing.head(5).items() if count >= 1]
        lines.append(f"  most needed by {self.driver}: {', '.join(top) or 'nothing, every need is met'}")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What to add: counts per class and, where the pool has labels, rows of the pool.

    Attributes:
        class_names: [K] names.
        allocation: counts [K] and flags.
        rows: positions in the pool, or None where the pool has no labels.
    """

    class_names: tuple[str, ...]
    allocation: Allocation
    rows: Ints | None

    @property
    def counts(self) -> pd.Series[int]:
        """Samples to add, by class name."""
        import pandas as pd

        return pd.Series(self.allocation.counts, index=pd.Index(self.class_names, name="class_name"), name="add")

    def __repr__(self) -> str:
        added = [f"{name} +{count}" for name, count in self.counts.items() if count]
        flags = f" ({'; '.join(self.allocation.flags)})" if self.allocation.flags else ""
        return f"add {int(self.allocation.counts.sum())}: {', '.join(added) or 'nothing'}{flags}"
