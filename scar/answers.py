"""What `scar.characterize` returns: the answers as frames, plans and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scar.completion.budgets import BudgetsConfig
from scar.completion.curves import forecast
from scar.completion.named import find_planner
from scar.completion.plan import random_order, take_first
from scar.completion.planners import RandomPlanner
from scar.completion.problem import UNBOUNDED, CompletionProblem, Planner, check_budget
from scar.completion.state import state_problem
from scar.evaluation import Scores
from scar.foundation.estimates import Estimate
from scar.indicators import ClassSizes, dataset_indicators
from scar.measures.observations import Observations
from scar.plan_answer import Plan
from scar.selection.base import Pool, Selection
from scar.selection.gradient import with_gradients
from scar.selection.named import find_selection
from scar.selection.pool import margins

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
        pool_features: [M, D] embeddings of the pool, for selections that look at them.
        training_features: [n, D] embeddings that the probe was trained on.
        training_labels: [n] their classes.
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
    pool_features: NDArray[np.float32] | None = None
    training_features: NDArray[np.float32] | None = None
    training_labels: Ints | None = None

    @property
    def indicators(self) -> pd.Series:
        """Dataset-scale indicators of the samples that the probes were trained on: class sizes, skew, tails."""
        import pandas as pd

        return pd.Series(dataset_indicators(ClassSizes(self.counts, int(self.counts.sum()))), name="value")

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

    def problem(self, budgets: BudgetsConfig | None = None) -> CompletionProblem:
        """Return what a planner reads: counts, pool, needs, learning curves and limits."""
        reserve = (
            np.full(len(self.counts), UNBOUNDED)  # nothing bounds what may be collected
            if self.pool is None
            else np.bincount(self.pool, minlength=len(self.counts))
        )
        return state_problem(
            counts=self.counts,
            reserve=reserve,
            class_names=self.class_names,
            estimate=self.estimates[self.driver],
            observations=self.observations,
            budgets=budgets or BudgetsConfig(driver=self.driver),
            modalities=(budgets or BudgetsConfig()).modality_costs,
        )

    def plan(
        self,
        budget: float | None = None,
        planner: Planner | str | None = None,
        *,
        selection: Selection | str | None = None,
        budgets: BudgetsConfig | None = None,
    ) -> Plan:
        """Divide a budget over the classes and, where the pool has labels, choose the samples.

        Args:
            budget: samples to add, or money as ``budgets.unit`` says; None adds what the needs ask for, as far as the
                pool goes.
            planner: the strategy or its name, e.g. ``"water_filling"``; ``"scar"`` by default.
            selection: which samples of a class come first, or its name, e.g. ``"k_center"``; random by default.
            budgets: unit, prices, minimum and maximum per class; samples at a price of 1 by default.
        """
        if budget is not None and budget < 0:
            raise ValueError(f"budget={budget} must be at least 0, or None")
        problem, strategy = self.problem(budgets), find_planner(planner)
        amount = problem.limits.cost(problem.wanted) if budget is None else budget
        if self.pool_size is not None and problem.unit == "samples":
            amount = min(amount, self.pool_size)
        if problem.unit == "samples":
            amount = int(min(amount, problem.reserve.sum()))
        check_budget(problem, amount)
        if self.pool is None and amount and isinstance(strategy, RandomPlanner):
            raise ValueError(
                f"planner={strategy.name} draws from a labelled pool; give pool_embeddings and pool_labels"
            )
        size = 0 if self.pool is None else len(self.pool)
        order = random_order(np.arange(size), self.random_state)
        classes = np.empty(0, np.int64) if self.pool is None else self.pool[order]
        allocation = strategy.allocate(problem, amount, classes)
        rows = scores = None
        if self.pool is not None:
            rows, scores = self._choose(find_selection(selection), order, classes, allocation.counts)
        return Plan(
            class_names=self.class_names,
            allocation=allocation,
            rows=rows,
            strategy=strategy.name,
            costs=np.ones(len(self.counts)) if problem.costs is None else problem.costs,
            scores=scores,
            expected=self._expect(problem, allocation.counts),
        )

    def what_if(
        self,
        budgets_to_try: Sequence[float],
        planner: Planner | str | None = None,
        *,
        budgets: BudgetsConfig | None = None,
    ) -> pd.DataFrame:
        """Forecast a strategy over budgets, with intervals; NaN without learning curves.

        Args:
            budgets_to_try: samples or money.
            planner: as in `plan`.
            budgets: as in `plan`.
        """
        import pandas as pd

        plans = [self.plan(budget, planner, budgets=budgets) for budget in budgets_to_try]
        index = pd.Index(list(budgets_to_try), name="budget")
        return pd.DataFrame([{"cost": plan.cost, **plan.expected} for plan in plans], index=index)

    def _choose(
        self, selection: Selection, order: Ints, classes: Ints, counts: Ints
    ) -> tuple[Ints, NDArray[np.float64]]:
        """Return rows of the pool, sorted, and what the selection saw in them."""
        pool = Pool(features=None, classes=classes)
        if selection.needs_features or selection.needs_margins:
            assert self.pool_features is not None
            features = self.pool_features[order]
            pool = Pool(
                features=features,
                classes=classes,
                anchors=self.training_features,
                anchor_classes=self.training_labels,
                margins=margins(self.probe, features, np.arange(len(features))),
            )
        ranking = selection.rank(with_gradients(selection, pool, self.probe), counts)
        places = take_first(ranking.order, classes[ranking.order], counts)
        places = places[np.argsort(order[places])]
        return order[places], ranking.scores[places]

    def _expect(self, problem: CompletionProblem, added: Ints) -> dict[str, float]:
        if problem.curves is None:
            return {}
        level = self.estimates[self.driver].level
        ahead = forecast(problem.curves, (problem.counts + added)[None], now=problem.counts, level=level)
        ends = ("", "_low", "_high")
        return {
            name + end: float(v) for name, each in vars(ahead).items() for end, v in zip(ends, each[0], strict=True)
        }

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
