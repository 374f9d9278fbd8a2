"""What to add: the problem, plans, forecasts, and the next round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.randomness import derive_seed
from scar.common.types import Floats, Ints
from scar.completion.budgets import BudgetsConfig
from scar.completion.class_curves import fit_curves
from scar.completion.co_label_table import NO_LABEL, CoLabels, stand_under
from scar.completion.compositions import Compositions, draw_compositions
from scar.completion.forecast import Forecaster, NoForecaster
from scar.completion.forecast_settings import ForecastConfig
from scar.completion.joint import Direction, plan_jointly
from scar.completion.outlook import Outlook, look_ahead, to_collect
from scar.completion.plan import CompletionPlan, plan_completion, random_order
from scar.completion.planner import PairPlanner, Planner
from scar.completion.pools import UnlabelledPool, UnlabelledView
from scar.completion.problem import UNBOUNDED, CompletionProblem, resolve_budgets
from scar.completion.rounds import NextRound, RoundsConfig, next_round
from scar.completion.selection.candidates import make_pool
from scar.completion.selection.gradient import with_gradients
from scar.completion.selection.selection import Pool, Selection
from scar.completion.state import state_problem
from scar.data.catalogue import Catalogue
from scar.data.stratify import count_labels
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.evaluation.label_scores import LabelScores
from scar.evaluation.scores import Scores
from scar.foundation.estimates import Estimate
from scar.job.flow import Format, Stage
from scar.job.stages.probing import Data, train
from scar.measures.observations import Observations
from scar.probes.probe_set import ProbeSet
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.sampling.splits import Split
from scar.sampling.step_functions import Steps

CONVERGED = 0.9
"""Share of the probes on compositions that have to be at their optimum for a forecast."""


def look_through_probe(
    probes: ProbeSet, embeddings: EmbeddingSet, split: Split, *, pool: UnlabelledPool, seed: int
) -> UnlabelledView:
    """See the reserve as the probe of the whole primary set does, its labels hidden."""
    return UnlabelledView.of(pool, probes, embeddings.array(), split, seed=seed)


def planned_labels(split: Split, view: UnlabelledView | None) -> Ints:
    """Return [N] the classes that planning may see: those of a reserve without labels are predicted.

    Where a sample may carry several labels it is the one that it stands under (`scar.completion.co_labels`).
    """
    if split.labels.ndim == 2:
        return stand_under(split.labels, count_labels(split.labels[split.primary], split.labels.shape[1]))
    return split.labels if view is None else view.labels(split.labels)


def state(
    estimates: Mapping[str, Estimate],
    observations: Observations,
    total: Observations | None,
    votes: Sequence[Mapping[str, Estimate]],
    steps: Steps,
    split: Split,
    planned: Ints,
    pools: Ints | None,
    deployment: Floats,
    forecaster: Forecaster | NoForecaster | None,
    *,
    subject: str,
    modalities: Sequence[str],
    budgets: BudgetsConfig,
) -> CompletionProblem:
    """State what a planner is given: counts, reserve, needs and limits by class.

    Args:
        estimates: of the training set, by estimator.
        observations: of the training set.
        total: of everything, for a planner that sees the reserve; None for all others.
        votes: the estimates of further encoders, for a consensus; empty for all others.
        steps: K of them.
        split: of the samples.
        planned: [N] the classes that planning may see.
        pools: [M, K] class sizes of the pools that are compared; None where a budget is a share of the own reserve.
        deployment: [K] class mix where a classifier will be used.
        forecaster: for a planner that chooses by forecasts; None for all others.
        subject: the training set, ``"primary"`` or ``"total"``.
        modalities: that a sample of the dataset has.
        budgets: driver, prices and limits.
    """
    size, driver = len(steps.names), budgets.driver
    counts, together = split.class_sizes(subject, size), None
    reserve = np.bincount(planned[split.reserve][planned[split.reserve] != NO_LABEL], minlength=size)
    if steps.several:
        reserve = split.class_sizes("reserve", size)
        rows: Ints = getattr(split, subject)
        together = CoLabels.of(split.labels[rows], split.labels[split.reserve], unbounded=UNBOUNDED)
    sizes = [each[driver].step_sizes for each in (estimates, *votes)]
    return state_problem(
        counts=counts,
        reserve=reserve,
        class_names=steps.names,
        estimate=estimates[driver],
        observations=observations,
        budgets=budgets,
        modalities=modalities,
        truth=None if total is None else fit_curves(total, split.class_sizes("total", size)),
        votes=np.stack(sizes) if votes else None,
        pools=pools,
        deployment=deployment,
        forecaster=forecaster if isinstance(forecaster, Forecaster) else None,
        co_labels=together,
    )


def fix_budgets(problem: CompletionProblem, *, fractions: Sequence[float]) -> dict[float, float]:
    """Return what each share of the reserve may cost, the same for every strategy."""
    return resolve_budgets(fractions, problem)


def offer(
    probes: ProbeSet, embeddings: EmbeddingSet, split: Split, planned: Ints, *, selection: Selection, seed: int
) -> Pool | None:
    """Show a selection the reserve as the probe of the whole primary set sees it."""
    rows = random_order(split.reserve, seed)
    pool = make_pool(
        selection,
        embeddings.array(),
        rows=rows,
        classes=planned[rows],
        anchors=split.primary,
        anchor_classes=split.labels[split.primary],
        probe=probes,
    )
    return None if pool is None else with_gradients(selection, pool, probes)


def plan(
    problem: CompletionProblem,
    budgets: Mapping[float, float],
    split: Split,
    planned: Ints,
    pool: Pool | None,
    *,
    planner: Planner,
    selection: Selection,
    seed: int,
) -> list[CompletionPlan]:
    """Plan what to add, for every budget (§4.2)."""
    chosen: dict[str, Any] = {"reserve": split.reserve, "labels": planned, "selection": selection, "pool": pool}
    return plan_completion(planner, problem, dict(budgets), seed=seed, **chosen)


def plan_pairs(
    problems: Mapping[str, CompletionProblem],
    splits: Mapping[str, Split],
    planned: Mapping[str, Ints],
    *,
    planner: PairPlanner,
    probed: str,
    fractions: Sequence[float],
    seed: int,
) -> list[CompletionPlan]:
    """Plan which pairs to add for both directions at once; the rows are the same in both (§4.3)."""
    directions = {each: Direction.of(problems[each], splits[each], planned[each]) for each in problems}
    return plan_jointly(planner, directions, probed=probed, fractions=fractions, seed=seed)


def save_plans(plans: Sequence[CompletionPlan], folder: Path) -> None:
    """Write one file per budget."""
    for index, each in enumerate(plans):
        each.save(folder / f"plan-{index:03d}.npz")


def load_plans(folder: Path) -> list[CompletionPlan]:
    """Read what `save_plans` wrote."""
    return [CompletionPlan.load(path) for path in sorted(folder.glob("plan-*.npz"))]


def compose(split: Split, *, forecast: ForecastConfig, seed: int) -> list[Ints]:
    """Draw small training sets of many class mixes from the primary set; none where probes on them would cost too much."""
    classes = len(np.unique(split.labels[split.primary]))
    if min(len(split.primary), forecast.largest) * classes > forecast.most:
        return []
    how = {"count": forecast.compositions, "largest": forecast.largest}
    return draw_compositions(split.primary, split.labels, seed=seed, **how)


def train_on_compositions(
    drawn: Sequence[Ints], penalty: float | None, data: Data, *, probe: ProbeConfig, seed: int, trainer: TrainerConfig
) -> ProbeSet:
    """Train one probe per composition, at the penalty of what is added to the primary set."""
    if not drawn:
        return ProbeSet.none()
    seeds = [derive_seed(seed, "composition", index) for index in range(len(drawn))]
    return train(drawn, seeds, [penalty] * len(drawn), data, probe=probe, trainer=trainer)


def prepare_forecasts(
    probes: ProbeSet | None,
    drawn: Sequence[Ints] | None,
    deployment: Floats,
    data: Data,
    *,
    refusal: str,
    declared: bool,
    scores: Sequence[str],
) -> Forecaster | NoForecaster:
    """Ask the probes on compositions what they get right; without them, say why nothing is forecast."""
    if probes is None or drawn is None:
        return NoForecaster(reason=refusal)
    if not drawn:
        return NoForecaster(reason="too_costly")
    if probes.converged.mean() < CONVERGED:
        return NoForecaster(reason="not_at_optimum")
    embeddings, steps, split = data
    where: dict[str, Any] = {"rows": split.primary, "heldout": split.heldout, "num_classes": len(steps.names)}
    return Forecaster(
        compositions=Compositions.of(probes, drawn, embeddings.array(), split.labels, **where),
        deployment=deployment,
        declared=declared,
        tested=split.class_sizes("test", len(steps.names)),
        scores=tuple(scores),
    )


def forecast(
    problem: CompletionProblem,
    known: CompletionProblem,
    split: Split,
    planned: Ints,
    forecaster: Forecaster | NoForecaster,
    *,
    planner: Planner,
    fractions: Sequence[float],
    collect: float | None,
    seed: int,
) -> Outlook:
    """Forecast what the strategy brings over budgets, and write its shopping list.

    Args:
        problem: from the primary set and the reserve.
        known: from everything whose labels are known, to which data are still to be collected.
        split: of the samples.
        planned: [N] the classes that planning may see.
        forecaster: from compositions of the primary set.
        planner: the strategy.
        fractions: budgets as shares of the reserve.
        collect: what the shopping list may cost; None for what the needs ask for.
        seed: of the job.
    """
    order = planned[random_order(split.reserve, seed)]
    order = order[order != NO_LABEL]
    everything = to_collect(known)
    return look_ahead(planner, problem, everything, forecaster, order=order, fractions=fractions, collect=collect)


def decide_round(
    problem: CompletionProblem,
    split: Split,
    planned: Ints,
    forecaster: Forecaster | NoForecaster,
    scores: Scores | LabelScores,
    *,
    planner: Planner,
    rounds: RoundsConfig,
    seed: int,
) -> NextRound:
    """Decide what the strategy should buy in the next round, from the score that the primary set reaches now."""
    order = planned[random_order(split.reserve, seed)]
    now, past = float(getattr(scores, rounds.score, np.nan)), rounds.past_rounds
    return next_round(forecaster, problem, planner, order[order != NO_LABEL], score=now, settings=rounds, past=past)


def open_pool(split: Split, catalogue: Catalogue) -> Split:
    """Return what everything with labels may be planned from: the samples that have none as the reserve."""
    return split.with_parts(primary=split.total, reserve=catalogue.rows("pool"))


LABELLING: Stage[Split] = Stage("labelling", open_pool)
VIEW: Stage[UnlabelledView] = Stage("view", look_through_probe)
PLANNED_LABELS: Stage[Ints] = Stage("planned_labels", planned_labels)
PROBLEM: Stage[CompletionProblem] = Stage("problem", state)
BUDGETS: Stage[dict[float, float]] = Stage("budgets", fix_budgets)
POOL: Stage[Pool | None] = Stage("pool", offer)
PLANS = Stage("plan", plan, Format.functions(save_plans, load_plans))
PAIR_PLANS = Stage("plan", plan_pairs, Format.functions(save_plans, load_plans))
COMPOSITIONS: Stage[list[Ints]] = Stage("compositions", compose)
COMPOSITION_PROBES = Stage("composition_probes", train_on_compositions, Format.folder(ProbeSet), kept=False)
FORECASTER: Stage[Forecaster | NoForecaster] = Stage("forecaster", prepare_forecasts)
NEXT_ROUND: Stage[NextRound] = Stage("next_round", decide_round)
OUTLOOK = Stage("outlook", forecast, Format.file(Outlook, "outlook.npz"))
