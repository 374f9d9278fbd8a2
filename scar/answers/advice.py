"""What to do about what was found: plans, forecasts, and rounds of collection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.answers.findings import ProbeFindings
from scar.common.types import Floats, Ints
from scar.completion.budgets import BudgetsConfig
from scar.completion.by_name import find_planner, find_selection
from scar.completion.class_prospects import class_prospects
from scar.completion.co_label_table import NO_LABEL, CoLabels, stand_under
from scar.completion.co_labels import buy
from scar.completion.flags import say_disagreement
from scar.completion.forecast import FORECASTS, REFUSALS, Forecast, Forecaster, NoForecaster
from scar.completion.forecast_settings import SCORES
from scar.completion.plan import random_order, take_first
from scar.completion.plan_answer import Plan
from scar.completion.planner import Planner
from scar.completion.planners import RandomPlanner
from scar.completion.problem import UNBOUNDED, CompletionProblem, check_budget
from scar.completion.rounds import NextRound, PastRound, RoundsConfig, next_round
from scar.completion.selection.candidates import margins
from scar.completion.selection.gradient import with_gradients
from scar.completion.selection.random_order import RandomSelection
from scar.completion.selection.selection import Pool, Selection
from scar.completion.state import state_problem
from scar.data.stratify import count_labels

TIED = 0.001
"""Forecast gains that differ by no more are taken for equal."""


class Advice(ProbeFindings):
    """What `ProbeFindings` advise; attributes are theirs."""

    def problem(self, budgets: BudgetsConfig | None = None) -> CompletionProblem:
        """Return what a planner reads: counts, pool, needs, learning curves and limits."""
        reserve = (
            np.full(len(self.counts), UNBOUNDED)  # nothing bounds what may be collected
            if self.pool is None
            else count_labels(self.pool, len(self.counts))
        )
        together = None
        if self.several:
            assert self.training_labels is not None
            together = CoLabels.of(self.training_labels, self.pool, unbounded=UNBOUNDED)
        return state_problem(
            counts=self.counts,
            reserve=reserve,
            class_names=self.class_names,
            estimate=self.estimates[self.driver],
            observations=self.observations,
            budgets=budgets or BudgetsConfig(driver=self.driver),
            modalities=(budgets or BudgetsConfig()).modality_costs,
            deployment=self.mix,
            co_labels=together,
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

        Where a sample may carry several labels, a plan counts samples, by the label that each is bought for: the rarest
        that it carries (`scar.completion.co_labels`). What they bring of every label stands in `Plan.brings`.

        Args:
            budget: samples to add, or money as ``budgets.unit`` says; a number below 1 is a share of the samples of the
                pool; None adds what the needs ask for, as far as the pool goes.
            planner: the strategy or its name, e.g. ``"water_filling"``; ``"scar"`` by default. ``"tempered"`` chooses by
                forecasts, the probes of which are trained once they are asked for.
            selection: which samples of a class come first, or its name, e.g. ``"k_center"``; random by default.
            budgets: unit, prices, minimum and maximum per class; samples at a price of 1 by default.
        """
        problem, strategy = self.problem(budgets), find_planner(planner)
        if strategy.asks_forecasts and isinstance(self._forecaster, Forecaster):
            problem = replace(problem, forecaster=self._forecaster)
        budget = None if budget is None else self._amount(budget, problem.unit)
        amount = problem.limits.cost(problem.samples_for(problem.wanted)) if budget is None else budget
        if self.pool_size is not None and problem.unit == "samples":
            amount = min(amount, self.pool_size)
        if problem.unit == "samples":
            there = problem.reserve if problem.co_labels is None else problem.co_labels.room
            amount = int(min(amount, there.sum()))
        check_budget(problem, amount)
        if self.pool is None and amount and isinstance(strategy, RandomPlanner):
            raise ValueError(
                f"planner={strategy.name} draws from a labelled pool; give pool_embeddings and pool_labels"
            )
        order, classes = self._shuffled_pool()
        allocation = buy(strategy, problem, amount, classes)
        rule, rows, scores = find_selection(selection), None, None
        brings: Ints | Floats | None = None
        if self.several and not isinstance(rule, RandomSelection):
            raise ValueError(
                f"selection={rule.name} ranks samples of one class each, and these carry several; use random"
            )
        if self.pool is not None:
            rows, scores = self._choose(rule, order, classes, allocation.counts)
        if problem.co_labels is not None:
            brings = problem.co_labels.brings(allocation.counts)
            if rows is not None and self.pool is not None:
                brings = count_labels(self.pool[rows], len(self.counts))
        return Plan(
            class_names=self.class_names,
            allocation=allocation,
            rows=rows,
            strategy=strategy.name,
            costs=np.ones(len(self.counts)) if problem.costs is None else problem.costs,
            scores=scores,
            brought=brings,
            expect=lambda: self.expect(allocation.counts),
            notes=self._notes(problem, asked=budget is None and not amount),
        )

    def _shuffled_pool(self) -> tuple[Ints, Ints]:
        """Return the rows of the pool in the order in which samples of a class are taken, and their classes."""
        pool = np.empty(0, np.int64) if self.pool is None else self.pool
        if pool.ndim == 2:
            pool = stand_under(pool, self.counts)
        order = random_order(np.arange(len(pool)), self.random_state)
        order = order[pool[order] != NO_LABEL]
        return order, pool[order]

    def _amount(self, budget: Any, unit: str) -> float:
        """Return a budget as samples or money."""
        if isinstance(budget, bool) or not isinstance(budget, Real) or math.isnan(budget) or budget < 0:
            raise ValueError(f"budget={budget!r} must be a number of at least 0, or None for what the needs ask for")
        amount = float(budget)
        if unit != "samples" or amount == math.inf or amount.is_integer():
            return amount
        if amount > 1:
            raise ValueError(f"budget={budget} must be a whole number of samples, or a share of the pool below 1")
        if self.pool_size is None:
            raise ValueError(f"budget={budget} is a share of a pool, and there is none; give a number of samples")
        return round(amount * self.pool_size)

    def what_if(
        self,
        budgets_to_try: Sequence[float],
        planner: Planner | str | None = None,
        *,
        budgets: BudgetsConfig | None = None,
    ) -> pd.DataFrame:
        """Forecast a strategy over budgets, with 90 % intervals; NaN where ``refused`` says why.

        Args:
            budgets_to_try: samples or money.
            planner: as in `plan`.
            budgets: as in `plan`.
        """
        plans = [self.plan(budget, planner, budgets=budgets) for budget in budgets_to_try]
        index = pd.Index(list(budgets_to_try), name="budget")
        records = []
        for plan in plans:
            wide = {"": plan.expected.value, "_low": plan.expected.low, "_high": plan.expected.high}
            named = {f"{name}{end}": float(v) for end, column in wide.items() for name, v in column.items()}
            records.append({"cost": plan.cost, **named, "refused": plan.expected.refused.iloc[0]})
        return pd.DataFrame(records, index=index)

    def recommend(
        self,
        budget: float,
        planners: Sequence[Planner | str] = ("tempered", "scar", "class_average", "water_filling"),
        *,
        score: str = "matched_balanced_accuracy",
        budgets: BudgetsConfig | None = None,
    ) -> pd.DataFrame:
        """Compare planners by what their plans are forecast to bring; the first row is the one to use.

        The composition surface is asked, which sees the sizes of classes alone. Plans whose forecasts differ by less than
        a tenth of a point keep the order in which they are named: ``tempered``, the first, was worse than no other
        by matched scores in any pool of the study `pools`.

        Args:
            budget: samples or money, as in `plan`.
            planners: strategies or their names.
            score: by which they are compared, one of `scar.completion.forecast_settings.SCORES`.
            budgets: as in `plan`.

        Returns:
            By planner: ``gain``, ``low`` and ``high`` (90 %) of the score, cost, and why there is no forecast, if so.
        """
        if score not in SCORES:
            raise ValueError(f"score={score!r} is not forecast; use one of {', '.join(SCORES)}")
        if self.several:
            raise ValueError(f"planners are compared by forecasts: {REFUSALS['several_labels']}; compare their plans")
        records = []
        for each in planners:
            plan = self.plan(budget, each, budgets=budgets)
            row = plan.expected.loc[score.replace("accuracy", "gain")]
            records.append((plan.strategy, row.value, row.low, row.high, plan.cost, row.refused))
        frame = pd.DataFrame(records, columns=["planner", "gain", "low", "high", "cost", "refused"])
        tied = frame.gain >= frame.gain.max() - TIED
        rest = frame[~tied].sort_values("gain", ascending=False, kind="stable")
        return pd.concat([frame[tied], rest]).set_index("planner")

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

    def expect(self, add: Sequence[int] | Ints) -> pd.DataFrame:
        """Forecast what samples added to the training set would bring.

        The first call trains probes on compositions of the training set (`scar.completion.forecast`), which takes about
        twice as long as `characterize`.

        Args:
            add: [K] samples to add of each class, in the order of `class_names`.

        Returns:
            ``value``, ``low`` and ``high`` (90 %) of each score and gain, as shares; NaN where ``refused`` says why.

        Raises:
            ValueError: another number of classes, or a negative number of samples.
        """
        counts = np.asarray(add)
        if counts.shape != self.counts.shape or (counts < 0).any() or not np.issubdtype(counts.dtype, np.integer):
            raise ValueError(f"add={counts.tolist()} must be {len(self.counts)} whole numbers of at least 0")
        ahead: Forecast = self._forecaster.expect((self.counts + counts)[None])
        reasons = {name: str(ahead.refused[0]) for name in FORECASTS}
        if isinstance(self._forecaster, Forecaster) and not ahead.refused[0]:
            left_out = set(SCORES) - set(self._forecaster.scores)
            reasons |= {
                each: "not_calibrated" for name in left_out for each in (name, name.replace("accuracy", "gain"))
            }
        rows = [(*getattr(ahead, name)[0], reasons[name]) for name in FORECASTS]
        return pd.DataFrame(rows, index=list(FORECASTS), columns=["value", "low", "high", "refused"])

    def next_round(
        self,
        target: float,
        *,
        score: str = "matched_balanced_accuracy",
        planner: Planner | str | None = "tempered",
        horizon: int = 3,
        penalty: float | None = None,
        confidence: float = 0.9,
        budgets: BudgetsConfig | None = None,
        past: Sequence[PastRound] = (),
    ) -> NextRound:
        """Decide how much to buy now so that a score reaches a target within some rounds at the least expected cost.

        Args:
            target: of the score on the test part, a share.
            score: one of `scar.completion.forecast_settings.SCORES`.
            planner: divides every budget over the classes, as in `plan`.
            horizon: rounds that are left, this one included.
            penalty: what missing the target costs; None asks for `confidence` instead.
            confidence: probability to have reached the target by the last round, where there is no penalty.
            budgets: unit, prices, minimum and maximum per class; samples at a price of 1 by default.
            past: earlier rounds, of `NextRound.after`; forecasts are corrected by what they brought.

        Raises:
            ValueError: a setting that cannot be; the message names it.
        """
        settings = RoundsConfig(target=target, score=score, horizon=horizon, penalty=penalty, confidence=confidence)
        strategy, now = find_planner(planner), float(getattr(self.test_scores, score, np.nan))
        _, classes = self._shuffled_pool()
        return next_round(
            self._forecaster, self.problem(budgets), strategy, classes, score=now, settings=settings, past=past
        )

    @property
    def class_prospects(self) -> pd.DataFrame:
        """What twice the data would do for each class, once decisions are for equal classes; NaN where nothing is forecast.

        By class: ``recall`` now, ``doubled``, ``low`` and ``high`` (90 %) with twice as many of every class, and ``verdict``:
        ``"learnt"``, ``"not_mended"`` or ``""`` (`scar.completion.class_prospects`). The first call trains the probes of `expect`.
        """
        seen = class_prospects(self._forecaster, len(self.class_names))
        columns = dict(zip(("doubled", "low", "high"), seen.doubled.T, strict=True))
        index = pd.Index(self.class_names, name="class_name")
        return pd.DataFrame({"recall": seen.now, **columns, "verdict": seen.verdicts}, index=index)

    @cached_property
    def _forecaster(self) -> Forecaster | NoForecaster:
        return self.forecasts()

    def _notes(self, problem: CompletionProblem, *, asked: bool = False) -> tuple[str, ...]:
        """Return in sentences what a plan should not be read without.

        Args:
            problem: of the plan.
            asked: whether the needs were asked for a budget and gave none.
        """
        each, notes = self.estimates[self.driver], []
        heldout = self.observations.heldout_class_sizes
        few = []
        for j in np.flatnonzero(np.isnan(problem.needs)):
            held = "" if heldout is None else f", {heldout[j]} held out"
            few.append(f"{self.class_names[j]} ({self.counts[j]} samples{held})")
        if few:
            more = f" and {len(few) - 5} more" if len(few) > 5 else ""
            notes.append(
                f"Too little is known to tell a need of {', '.join(few[:5])}{more}; plans by need count such a class as "
                "the most needy."
            )
        lacking = float((problem.needs != 0).sum())
        said = say_disagreement(size=each.foundation_size, have=float(self.samples), lacking=lacking, name=self.driver)
        if asked and not said and not lacking:
            said = f"Every need is met by the {self.driver} estimate, so that it asks for no samples; give a budget to spend one."
        elif asked and not said:
            said = "The pool holds nothing that the needs ask for."
        return (*notes, said) if said else tuple(notes)
