"""What `scar.characterize` returns: the answers as frames, plans and text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.budgets import BudgetsConfig
from scar.completion.by_name import find_planner, find_selection
from scar.completion.class_prospects import NOT_MENDED, class_prospects
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
from scar.evaluation.item_intervals import score_interval
from scar.evaluation.label_scores import LabelScores
from scar.evaluation.scores import LEADING, Scores, raw_and_decision
from scar.foundation.estimates import Estimate
from scar.foundation.settings import RECOMMENDED
from scar.measures.observations import Observations, probe_warnings
from scar.measures.steps import MEASURES
from scar.probes.probe_set import ProbeSet
from scar.reporting.decision import Decision, Facts, Interval, Purchase, decide
from scar.reporting.text import name_of, size, size_interval
from scar.sampling.class_sizes import ClassSizes
from scar.sampling.indicators import dataset_indicators

UNTRIED = "scar"
"""The planner of `Characterization.plan`, proposed where nothing is forecast."""
HOW_TO_LOOK = (
    "scar experiment=inspect dataset=embeddings_file dataset.root=FOLDER, with these embeddings and labels saved by numpy.save "
    "in FOLDER as embeddings.npy and labels.npy,"
)
"""What finds suspects and duplicates among samples that no command has read."""
TIED = 0.001
"""Forecast gains that differ by no more are taken for equal."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Characterization:
    """The answers of `characterize`.

    Attributes:
        class_names: [K] names.
        counts: [K] samples of each class that the probes were trained on; those that carry it where there may be several.
        samples: that the probes were trained on.
        observations: what the probes showed.
        estimates: by estimator.
        mix: [K] class frequencies where a classifier will be used.
        declared: whether they were given by class, so that `matched_accuracy` weights recalls by them.
        test_scores: of the probe trained on everything.
        probe: that probe, to `predict` with.
        driver: estimator whose needs `plan` answers.
        pool: [M] classes of the pool, or [M, K] zeros and ones, or None where there is none or it has no labels.
        pool_size: samples in the pool, or None where there is none.
        random_state: seed.
        forecasts: makes what forecasts: trains probes on compositions when it is first asked.
        pool_features: [M, D] embeddings of the pool, for selections that look at them.
        training_features: [n, D] embeddings that the probe was trained on.
        training_labels: [n] their classes, or [n, K] zeros and ones.
        test_labels: [n_test] classes of the test part, which intervals of scores rest on; [n_test, K] zeros and ones.
    """

    class_names: tuple[str, ...]
    counts: Ints
    samples: int
    mix: Floats
    observations: Observations
    estimates: dict[str, Estimate]
    test_scores: Scores | LabelScores
    probe: ProbeSet
    driver: str
    pool: Ints | None
    pool_size: int | None
    random_state: int
    forecasts: Callable[[], Forecaster | NoForecaster]
    pool_features: NDArray[np.float32] | None = None
    training_features: NDArray[np.float32] | None = None
    training_labels: Ints | None = None
    test_labels: Ints | None = None
    declared: bool = False

    @property
    def several(self) -> bool:
        """Whether a sample may carry several labels, or none: each is then a decision of its own."""
        return self.observations.several

    @property
    def labels(self) -> pd.DataFrame:
        """Test scores of each label where a sample may carry several; see `scar.evaluation.label_scores`.

        Raises:
            ValueError: the samples are of one class each.
        """
        if not isinstance(self.test_scores, LabelScores):
            raise ValueError("the samples are of one class each; test_scores holds their scores")
        index = pd.Index(self.class_names, name="label")
        return pd.DataFrame({"samples": self.counts, **self.test_scores.by_label}, index=index)

    @property
    def indicators(self) -> pd.Series:
        """Dataset-scale indicators of the samples that the probes were trained on: class sizes, skew, tails."""
        return pd.Series(dataset_indicators(ClassSizes(self.counts, self.samples)), name="value")

    @property
    def measures(self) -> pd.DataFrame:
        """Measures per factor, part and class (§3.2)."""
        seen = self.observations
        parts = []
        for p in range(len(seen.factors)):
            columns = {m: getattr(seen, m)[p] for m in MEASURES}
            about = {"factor": seen.factors[p], "part": seen.parts[p], "class_name": self.class_names}
            parts.append(pd.DataFrame({**about, "samples": seen.class_sizes[p], **columns}))
        return pd.concat(parts, ignore_index=True)

    @property
    def foundation(self) -> pd.DataFrame:
        """Foundation Data Size of the set per estimator, with interval and flags."""
        records = [
            (name, each.foundation_size, *each.interval, "; ".join(each.flags)) for name, each in self.estimates.items()
        ]
        columns = ["estimator", "foundation_size", "low", "high", "flags"]
        return pd.DataFrame.from_records(records, columns=columns, index="estimator")

    @property
    def prospect(self) -> pd.DataFrame:
        """What multiples of the data are expected to bring, at the same class mix; see `scar.foundation.prospect`.

        ``enough`` is the probability that the gap is within the tolerance; ``gap`` and ``accuracy`` are medians, with
        the ends of their intervals. Where a sample may carry several labels the latter is ``balanced_accuracy``. Empty where
        `recommended` is not among the estimators.
        """
        ahead = None if (each := self.estimates.get(RECOMMENDED)) is None else each.prospect
        columns = ["enough", *(f"{name}{end}" for name in ("gap", self._ahead) for end in ("", "_low", "_high"))]
        if ahead is None:
            return pd.DataFrame(columns=columns, index=pd.Index([], name="samples"))
        values = np.column_stack([ahead.probability, ahead.gap, ahead.accuracy])
        samples = np.rint(ahead.multiples * self.samples).astype(np.int64)
        return pd.DataFrame(values, columns=columns, index=pd.Index(samples, name="samples"))

    def chance_of_enough(self, samples: float) -> float:
        """Return the probability that a set of so many samples, mixed as this one, is enough.

        Raises:
            ValueError: `recommended` is not among the estimators or has no answer, or `samples` is not positive.
        """
        each = self.estimates.get(RECOMMENDED)
        if each is None or each.prospect is None:
            raise ValueError(
                f"foundation.estimators={list(self.estimates)}: {RECOMMENDED!r}, with a held-out part and two sizes or more, "
                "is what tells a probability"
            )
        return float(each.prospect.chance(samples))

    @property
    def needs(self) -> pd.DataFrame:
        """What each class has and how many samples of it would be enough at the present class mix, by the driver.

        ``enough`` is 0 where the need is met, and NaN where too little is known to tell (``cannot_tell``, ``few_samples``,
        ``undefined``); for such a class a plan takes the largest need that is defined.
        """
        each = self.estimates[self.driver]
        share = self.counts / self.samples
        return pd.DataFrame(
            {
                "have": self.counts,
                "enough": each.class_needs(self.counts, self.samples),
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

    @property
    def _ahead(self) -> str:
        """What the prospect forecasts beside the gap."""
        return "balanced_accuracy" if self.several else "accuracy"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the answers doubtful, and what to do about it; empty where nothing does."""
        return probe_warnings(self.observations)

    @property
    def decision(self) -> Decision:
        """Five sentences: how good, enough or not, what to buy now, what costs nothing, what to use.

        What a purchase brings is forecast only where a forecast was asked for before, because the first one trains probes.
        """
        each = self.estimates[RECOMMENDED if RECOMMENDED in self.estimates else self.driver]
        ahead = each.prospect
        tested = len(self.test_scores.predictions.raw)
        planner, purchase = self._proposal()
        return decide(
            Facts(
                what="the training part",
                samples=float(self.samples),
                classes=len(self.class_names),
                score=self._interval(LEADING),
                tested=tested,
                raw=self.test_scores.balanced_accuracy,
                estimator=RECOMMENDED if RECOMMENDED in self.estimates else self.driver,
                needed=Interval(value=each.foundation_size, low=each.interval[0], high=each.interval[1]),
                chance=math.nan if ahead is None else float(ahead.chance(float(self.samples))),
                ahead=None if ahead is None else (float(ahead.multiples[-1]), float(ahead.probability[-1])),
                purchase=purchase,
                how_to_look="" if self.several else HOW_TO_LOOK,
                several=self.several,
                planner=planner,
                unmended=self._unmended(),
                absent=[name for name, count in zip(self.class_names, self.counts, strict=True) if not count],
                untested=self._untested(),
                encoder="whichever made these embeddings, no other was given; characterize those of another to compare",
            )
        )

    def _unmended(self) -> list[tuple[str, float]]:
        if "_forecaster" not in self.__dict__:
            return []
        seen = self.class_prospects
        found = seen[seen.verdict == NOT_MENDED].doubled.sort_values()
        return [(str(name), float(recall)) for name, recall in found.items()]

    def _untested(self) -> list[str]:
        """Return the classes without test items."""
        if self.test_labels is None:
            return []
        tested = count_labels(self.test_labels, len(self.class_names))
        return [name for name, count in zip(self.class_names, tested, strict=True) if not count]

    @property
    def scores(self) -> pd.DataFrame:
        """Every accuracy on the test part with the 95 % interval that its items leave, and how many they are.

        By score of `scar.evaluation.scores.SCORES` that is a mean over items: ``value``, ``low`` and ``high`` as shares,
        ``tested``. Another split, or another draw of the training samples, is no part of the interval.
        """
        kinds = ("balanced_accuracy",) if self.several else ("accuracy", "balanced_accuracy")
        found = {name: self._interval(name) for kind in kinds for name in (f"matched_{kind}", kind)}
        columns = {end: [float(getattr(each, end)) for each in found.values()] for end in ("value", "low", "high")}
        tested = len(self.test_scores.predictions.raw)
        return pd.DataFrame({**columns, "tested": tested}, index=pd.Index(list(found), name="score"))

    def _interval(self, metric: str) -> Interval:
        """Return a score with the 95 % interval that the test items leave, for this split."""
        value = float(getattr(self.test_scores, metric))
        if self.test_labels is None:
            return Interval(value=value)
        (name, decision), truth = raw_and_decision(metric), self.test_labels
        decided = np.asarray(getattr(self.test_scores.predictions, decision), np.int64)
        mix = self.mix if self.declared and metric == "matched_accuracy" else None
        low, high = score_interval(decided, truth, name, mix=mix)
        return Interval(value=value, low=low, high=high)

    def _proposal(self) -> tuple[str, Purchase | str]:
        """Return which planner to use, with the reason, and its plan for what the needs ask for."""
        problem = self.problem()
        amount = int(problem.limits.cost(problem.samples_for(problem.wanted)))
        amount = amount if self.pool_size is None else min(amount, self.pool_size)
        planner, default = UNTRIED, f"{name_of(UNTRIED)}, by the need of each class"
        if self.several:
            default = f"{name_of(UNTRIED)}, by the need of each label; no study has compared planners on such data"
        if not amount:
            met = not (problem.needs != 0).any()
            why = "which every class meets by itself" if met else "because the pool holds nothing that they ask for"
            return default, f"Nothing by the needs, {why}; answer.plan(budget) spends a budget all the same."
        forecast, why = None, f"answer.recommend({amount}) trains the probes for it"
        reason = f"{default}; answer.recommend({amount}) compares by forecast"
        if self.several:
            why, reason = REFUSALS["several_labels"], default
        elif "_forecaster" in self.__dict__:
            first = self.recommend(amount).reset_index().iloc[0]
            why = REFUSALS.get(str(first.refused), "")
            if not why:
                planner, why = str(first.planner), ""
                forecast = Interval(value=float(first.gain), low=float(first.low), high=float(first.high))
                reason = f"{name_of(planner)}, whose plan is forecast to gain most, {forecast.as_points()}"
        counts = self.plan(amount, planner).counts
        added = [(str(name), float(number)) for name, number in counts.items()]
        asked = "what the needs ask for"
        return reason, Purchase(planner=planner, added=added, budget=asked, forecast=forecast, why_no_forecast=why)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<dt><b>{escape(question)}</b></dt><dd>{escape(said)}</dd>" for question, said in self.decision.items()
        )
        details = escape("\n".join(self._details()))
        return f"<dl>{rows}</dl><details><summary>More</summary><pre>{details}</pre></details>"

    def __repr__(self) -> str:
        return "\n".join([str(self.decision), "", *self._details()])

    def _details(self) -> list[str]:
        """Return what unfolds the decision, line by line."""
        scores, tested = self.test_scores, len(self.test_scores.predictions.raw)
        if isinstance(scores, LabelScores):
            said = (
                f"{len(self.class_names)} labels, {self.counts.sum() / self.samples:.2f} a sample; test balanced accuracy "
                f"{self._said('matched_balanced_accuracy')} on {tested} items, macro-F1 {scores.matched_macro_f1:.3f}, average precision "
                f"{scores.average_precision:.3f}"
            )
        else:
            said = (
                f"{len(self.class_names)} classes; test accuracy {self._said('matched_accuracy')}, "
                f"balanced {self._said('matched_balanced_accuracy')}, on {tested} items"
            )
        lines = [f"{self.samples} samples, {said}"]
        lines += [f"  warning: {text}" for text in self.warnings]
        first = RECOMMENDED if RECOMMENDED in self.estimates else self.driver
        each = self.estimates[first]
        low, high = each.interval
        flags = f"  ({'; '.join(each.flags)})" if each.flags else ""
        lines.append(
            f"  Foundation Data Size, {first}: {size(each.foundation_size)} {size_interval(low, high)}".rstrip() + flags
        )
        for samples, ahead in self.prospect.iterrows():
            lines.append(
                f"    with {samples:,} samples: enough with probability {ahead.enough:.2f}, {self._ahead.replace('_', ' ')} "
                f"{ahead[self._ahead]:.3f} [{ahead[f'{self._ahead}_low']:.3f}, {ahead[f'{self._ahead}_high']:.3f}]"
            )
        others = [f"{name} {size(each.foundation_size)}" for name, each in self.estimates.items() if name != first]
        lines += [f"  other estimates: {', '.join(others)}"] if others else []
        needs = self.needs
        missing = (needs.enough - needs.have).clip(lower=0).sort_values(ascending=False)
        top = [f"{name} (too little is known)" for name in needs.index[needs.enough.isna()]]
        top += [f"{name} +{count:,.0f}" for name, count in missing.items() if count >= 1]
        lines.append(f"  most needed by {self.driver}: {', '.join(top[:5]) or 'nothing, every need is met'}")
        return [*lines, *(f"  {note}" for note in self._notes(self.problem()))]

    def _said(self, metric: str) -> str:
        each = self._interval(metric)
        ends = "" if math.isnan(each.low) else f" [{each.low:.3f}, {each.high:.3f}]"
        return f"{each.value:.3f}{ends}"

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
