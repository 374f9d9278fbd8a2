"""One collection: from a small training set and a pool to a target, by one way of deciding what to buy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Floats, Ints
from scar.completion.budgets import BudgetsConfig
from scar.completion.forecast import Forecaster, NoForecaster
from scar.completion.forecast_settings import ForecastConfig
from scar.completion.planner import Planner
from scar.completion.planners import RandomPlanner
from scar.completion.problem import CompletionProblem
from scar.completion.rounds import BUY, NextRound, PastRound, RoundsConfig, next_round
from scar.completion.slice_tuner import SliceTunerPlanner
from scar.completion.state import state_problem
from scar.completion.tempered import TemperedPlanner
from scar.foundation.settings import FoundationConfig
from scar.job.algorithm import characterize_set
from scar.job.flow import Flow
from scar.job.job import Job
from scar.job.stages import planning, probing
from scar.sampling.splits import Split
from scar.sampling.subsets import SubsetsConfig

SCORE = "matched_balanced_accuracy"
FILLING = TemperedPlanner(tau=0.25)
"""Divides a budget over the classes, for every way but those that are named after another planner."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What one seed of a dataset offers; what was computed for a training set is kept.

    Attributes:
        job: embeddings, labels and the first split.
        forecast: how forecasts are made.
    """

    job: Job
    forecast: ForecastConfig = field(default_factory=lambda: ForecastConfig(seeds="all"))
    _known: dict[tuple[str, bytes], Any] = field(default_factory=dict, repr=False)

    @property
    def start(self) -> Split:
        """The first split: the training set is its primary part, the pool its reserve."""
        return self.job.split

    @property
    def names(self) -> tuple[str, ...]:
        """[K] class names."""
        return self.job.inputs.steps.value.names

    def _once(self, what: str, split: Split, make: Callable[[], Any]) -> Any:
        key = what, split.primary.tobytes()
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def data(self, split: Split) -> tuple[Any, Any, Split]:
        """Return what stages read."""
        return self.job.inputs.embeddings.value, self.job.inputs.steps.value, split

    def mix(self, split: Split) -> Floats:
        """Return the deployment mix [K]: it does not depend on what is bought."""
        return probing.deployment_mix(
            replace(split, primary=self.start.primary), self.data(split)[1], deployment="natural"
        )

    def penalty(self, split: Split) -> float:
        """Return λ of a training set."""
        how: dict[str, Any] = {
            "probe": self.job.config.probe,
            "seed": self.job.config.seed,
            "trainer": self.job.config.trainer,
        }
        found: float = self._once(
            "penalty", split, lambda: probing.choose_penalty(split.primary, self.data(split), **how)
        )
        return found

    def score(self, split: Split) -> float:
        """Train on the primary part and return its `SCORE` on the test part."""

        def make() -> float:
            config, data, mix = self.job.config, self.data(split), self.mix(split)
            probe = probing.train(
                [split.primary], [config.seed], [self.penalty(split)], data, probe=config.probe, trainer=config.trainer
            )
            predictions = probing.predict(probe, split.primary, mix, data)
            return float(getattr(probing.compare(predictions, mix, split, declared=False), SCORE))

        found: float = self._once("score", split, make)
        return found

    def forecaster(self, split: Split) -> Forecaster | NoForecaster:
        """Train probes on compositions of the primary part."""

        def make() -> Forecaster | NoForecaster:
            config, data = self.job.config, self.data(split)
            drawn = planning.compose(split, forecast=self.forecast, seed=config.seed)
            how: dict[str, Any] = {"probe": config.probe, "seed": config.seed, "trainer": config.trainer}
            probes = planning.train_on_compositions(drawn, self.penalty(split), data, **how)
            return planning.prepare_forecasts(
                probes, drawn, self.mix(split), data, refusal="", declared=False, scores=(SCORE,)
            )

        found: Forecaster | NoForecaster = self._once("forecaster", split, make)
        return found

    def problem(self, split: Split, planner: Planner) -> CompletionProblem:
        """Return what a planner reads; learning curves only for one that needs them."""
        counts = split.class_sizes("primary", len(self.names))
        reserve = split.class_sizes("reserve", len(self.names))
        if not isinstance(planner, SliceTunerPlanner):
            return CompletionProblem(
                counts=counts, reserve=reserve, step_sizes=np.full(len(counts), np.nan), class_names=self.names,
                deployment=self.mix(split),
            )  # fmt: skip

        def make() -> CompletionProblem:
            config, flow = self.job.config, Flow()
            embeddings, steps, _ = self.data(split)
            seen = characterize_set(
                flow,
                (flow.given("embeddings", embeddings), flow.given("steps", steps), flow.given("split", split)),
                subject="primary",
                subsets=SubsetsConfig(name="quick", factors=(1, 2, 4, 8), max_parts=3),
                probe=config.probe,
                foundation=FoundationConfig(),
                seed=config.seed,
                trainer=config.trainer,
            )
            return state_problem(
                counts=counts, reserve=reserve, class_names=self.names, estimate=seen.foundation.value["heldout"],
                observations=seen.measures.value, budgets=BudgetsConfig(), deployment=self.mix(split),
            )  # fmt: skip

        found: CompletionProblem = self._once("problem", split, make)
        return found

    def order(self, split: Split) -> Ints:
        """Return the reserve in the random order in which samples of a class are taken, the same in every round."""
        rows: Ints = generator(self.job.config.seed, "rounds").permutation(self.start.reserve)
        return rows[np.isin(rows, split.reserve)]

    def bought(self, split: Split, counts: Ints) -> Split:
        """Return the split after some samples of each class have moved from the pool to the training set."""
        order = self.order(split)
        classes = split.labels[order]
        taken = np.concatenate([order[classes == k][: counts[k]] for k in range(len(counts))])
        return split.with_parts(
            primary=np.concatenate([split.primary, taken]), reserve=np.setdiff1d(split.reserve, taken)
        )


Way = Callable[[World, Split, RoundsConfig, list[PastRound]], NextRound | Ints]
"""Decides what to buy: a decision, or [K] samples of each class."""


def in_rounds(world: World, split: Split, settings: RoundsConfig, past: list[PastRound]) -> NextRound:
    """Learn, optimize, collect, by the composition surface."""
    problem = world.problem(split, FILLING)
    order = split.labels[world.order(split)]
    return next_round(
        world.forecaster(split), problem, FILLING, order, score=world.score(split), settings=settings, past=past
    )


def at_once(world: World, split: Split, settings: RoundsConfig, past: list[PastRound]) -> NextRound | Ints:
    """Buy all that is forecast to be needed in the first round, and nothing after it."""
    if split is not world.start:
        return np.zeros(len(world.names), np.int64)
    return in_rounds(world, split, replace(settings, horizon=1), [])


def doubling(planner: Planner) -> Way:
    """Return the way of doubling the training set in every round, divided by a planner."""

    def decide(world: World, split: Split, settings: RoundsConfig, past: list[PastRound]) -> Ints:
        budget = min(len(split.primary), len(split.reserve))
        order = split.labels[world.order(split)]
        return planner.allocate(world.problem(split, planner), budget, order).counts

    return decide


WAYS: Mapping[str, Way] = {
    "rounds": in_rounds,
    "one_shot": at_once,
    "double_random": doubling(RandomPlanner()),
    "double_tempered": doubling(FILLING),
    "double_slice_tuner": doubling(SliceTunerPlanner()),
}


def collect(world: World, way: Way, settings: RoundsConfig) -> list[dict[str, Any]]:
    """Buy until the target is reached, the rounds are over, or the way stops; returns a record per round."""
    split = world.start
    past: list[PastRound] = []
    records: list[dict[str, Any]] = []
    for number in range(settings.horizon):
        left = replace(settings, horizon=settings.horizon - number)
        before = world.score(split)
        decided = way(world, split, left, past)
        counts = decided.counts if isinstance(decided, NextRound) else decided
        record: dict[str, Any] = {"round": number + 1, "before": before, "bought": int(counts.sum())}
        if isinstance(decided, NextRound):
            record |= {"action": decided.action, "probability": decided.probability, "by_horizon": decided.by_horizon}
            record |= dict(zip(("gain", "gain_low", "gain_high"), decided.gain, strict=True))
        records.append(record)
        if not counts.sum():
            record["after"] = before
            break
        split = world.bought(split, counts)
        record["after"] = world.score(split)
        if isinstance(decided, NextRound) and decided.action == BUY:
            past.append(decided.after(record["after"] - before))
        if record["after"] >= settings.target:
            break
    return records
