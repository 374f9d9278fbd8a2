"""What to add: the problem that a planner is given, its plans, and what they promise."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.completion.curves import fit_curves
from scar.completion.joint import Direction, plan_jointly
from scar.completion.outlook import Outlook, look_ahead, to_collect
from scar.completion.plan import CompletionPlan, plan_completion, random_order
from scar.completion.pool import UnlabelledPool, UnlabelledView
from scar.completion.problem import CompletionProblem, resolve_budgets
from scar.completion.state import state_problem
from scar.pipeline.probing import Probing
from scar.selection.base import Pool
from scar.selection.gradient import with_gradients
from scar.selection.pool import make_pool

Ints = NDArray[np.int64]


class Planning(Probing):
    """The stages of §4: completion."""

    @cached_property
    def problem(self) -> CompletionProblem:
        """Counts, reserve, needs and limits by class, as the driver sees them."""
        return self._state("primary")

    def _state(self, subject: str) -> CompletionProblem:
        config, split = self.config, self.split
        truth = None
        if getattr(config.completion, "sees_reserve", False):
            truth = fit_curves(self.observations("total"), split.class_sizes("total", self.num_classes))
        return state_problem(
            counts=split.class_sizes(subject, self.num_classes),
            reserve=np.bincount(self.planned_labels[split.reserve], minlength=self.num_classes),
            class_names=self.steps.names,
            estimate=self.foundation(subject)[config.budgets.driver],
            observations=self.observations(subject),
            budgets=config.budgets,
            modalities=config.modalities,
            truth=truth,
            votes=self._votes(subject),
        )

    def _votes(self, subject: str) -> NDArray[np.float64] | None:
        """Return the needs [E, K] as each encoder of a consensus sees them, this job's own first."""
        if not self.siblings:
            return None
        counts, driver = self.split.class_sizes(subject, self.num_classes), self.config.budgets.driver
        estimates = [job.foundation(subject)[driver] for job in (self, *self.siblings)]
        return np.stack([each.class_needs(counts) for each in estimates])

    @cached_property
    def plans(self) -> list[CompletionPlan]:
        """The plans of the strategy, one per budget."""

        def make(folder: Path) -> None:
            for index, plan in enumerate(self._joint_plans() if self.plans_jointly else self._plans()):
                plan.save(folder / f"plan-{index:03d}.npz")

        def read(folder: Path) -> list[CompletionPlan]:
            return [CompletionPlan.load(path) for path in sorted(folder.glob("plan-*.npz"))]

        return self.store.load(self.plan_key, make, read)

    def _plans(self) -> list[CompletionPlan]:
        config, problem = self.config, self.problem
        return plan_completion(
            config.completion,
            problem,
            resolve_budgets(config.budgets.fractions, problem),
            reserve=self.split.reserve,
            labels=self.planned_labels,
            seed=config.seed,
            selection=config.selection,
            pool=self._pool(),
        )

    def _joint_plans(self) -> list[CompletionPlan]:
        """The plans that serve this direction and the other one; the rows are the same in both."""
        jobs = {job.config.probed: job for job in (self, self.twin)}
        return plan_jointly(
            self.config.completion,
            {modality: Direction.of(job.problem, job.split, job.planned_labels) for modality, job in jobs.items()},
            probed=self.config.probed,
            fractions=self.config.budgets.fractions,
            seed=self.config.seed,
        )

    @cached_property
    def outlook(self) -> Outlook | None:
        """What the strategy promises over budgets, and its shopping list."""
        if self.outlook_key is None:
            return None

        def make(folder: Path) -> None:
            config, split = self.config, self.split
            known = "total" if self.unlabelled is None else "primary"
            outlook = look_ahead(
                config.completion,
                self.problem,
                to_collect(self._state(known)),
                order=self.planned_labels[random_order(split.reserve, config.seed)],
                fractions=sorted({*config.budgets.what_if, *config.budgets.fractions}),
                collect=config.budgets.collect,
                level=config.foundation.level,
            )
            outlook.save(folder / "outlook.npz")

        return self.store.load(self.outlook_key, make, lambda folder: Outlook.load(folder / "outlook.npz"))

    @cached_property
    def unlabelled(self) -> UnlabelledView | None:
        """The reserve as the probe of the primary set sees it, where its labels are hidden."""
        pool, key = self.config.pool, self.observations_key("primary")
        if not isinstance(pool, UnlabelledPool):
            return None
        from scar.probes import ProbeSet

        self.observations("primary")
        probes = ProbeSet.load(self.store.path(key))
        return UnlabelledView.of(pool, probes, self.embeddings.array(), self.split, seed=self.config.seed)

    @property
    def planned_labels(self) -> Ints:
        """[N] the classes that planning may see: those of an unlabelled reserve are predicted."""
        labels = self.split.labels
        return labels if self.unlabelled is None else self.unlabelled.labels(labels)

    def _pool(self) -> Pool | None:
        """What the selection looks at; its probe is the one of the whole primary set."""
        selection, split = self.config.selection, self.split
        if not (selection.needs_features or selection.needs_margins):
            return None
        from scar.probes import ProbeSet

        rows = random_order(split.reserve, self.config.seed)
        probe = ProbeSet.load(self.store.path(self.observations_key("primary")))
        pool = make_pool(
            selection,
            self.embeddings.array(),
            rows=rows,
            classes=self.planned_labels[rows],
            anchors=split.primary,
            anchor_classes=split.labels[split.primary],
            probe=probe,
        )
        return None if pool is None else with_gradients(selection, pool, probe)
