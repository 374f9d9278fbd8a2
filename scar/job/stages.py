"""The stages of Algorithm 1, each a plain function from upstream values and settings to one value.

`scar.job.algorithm` calls them in order. What a function reaches, and nothing else, is the code of its stage: it belongs
to the key of everything that the stage makes. Functions import torch and what brings it along when they run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.progress import probe_bar
from scar.common.randomness import derive_seed
from scar.common.ranks import everywhere
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
from scar.data.catalogue import Catalogue, load_catalogue, save_catalogue
from scar.data.duplicates import content_hashes, exact_duplicates
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import count_labels
from scar.data.undecoded import undecoded
from scar.data.unreadable import Unreadable, drop_unreadable, save_unreadable
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import KeptSamples
from scar.encoders.encoder import Encoder
from scar.encoders.text_lengths import Truncation, count_truncated
from scar.evaluation.deployment import class_mix, label_shares
from scar.evaluation.label_scores import LabelPredictions, LabelScores, decide_each, score_labels
from scar.evaluation.scores import Predictions, Scores, decisions, score_decisions
from scar.foundation.estimates import Estimate, estimate, load_estimates, save_estimates
from scar.job.flow import Format, Stage
from scar.job.map_points import Previews
from scar.job.previews import show_samples
from scar.measures.from_probes import observe
from scar.measures.observations import Observations
from scar.pairs.alignment import Alignment, align, has_joint_space
from scar.pairs.supervision import Supervision, supervise
from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig, penalty_of_subset
from scar.sampling.layout import MapLayout, lay_out
from scar.sampling.pool_mix import Stock
from scar.sampling.regimes.regime import Regime
from scar.sampling.splits import Split, SplitConfig, draw_split
from scar.sampling.step_functions import CrossModalLabels, Steps, given_steps
from scar.sampling.subsets import Subset, SubsetsConfig, draw_subsets

Data = tuple[EmbeddingSet, Steps, Split]
"""What probes are trained on: embeddings, step functions, and the parts, of which none is read that depends on the pool."""
PENALTY_FILE = "penalty.json"
CONVERGED = 0.9
"""Share of the probes on compositions that have to be at their optimum for a forecast."""


# ── dataset ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Read:
    """What reading a source showed."""

    samples: Samples
    contents: Mapping[str, Any]
    notes: tuple[str, ...]
    unreadable: Sequence[Unreadable] | None


def read_dataset(*, source: Source, data_dir: Path) -> _Read:
    """Read ids, labels, class names, splits and groups of a source, and the hashes of its payloads."""
    samples, unreadable = source.load(data_dir), None
    if (samples.labels is not None and samples.labels.ndim == 2) != source.several_labels:
        raise ValueError(
            f"dataset={source.name} says several_labels={source.several_labels}, but its labels are not so; a class for each "
            "sample is [N], several labels are zeros and ones [N, K]"
        )
    if source.on_error == "skip":
        samples, unreadable = drop_unreadable(samples, name=source.name, max_share=source.max_unreadable)
    contents = content_hashes(undecoded(samples))
    duplicates = exact_duplicates(samples, hashes=contents)
    return _Read(samples, contents, (str(duplicates),) if duplicates.groups else (), unreadable)


def save_dataset(read: _Read, folder: Path) -> None:
    """Write the catalogue, and what could not be read where that was to be skipped."""
    skipped = () if read.unreadable is None else save_unreadable(folder, read.unreadable)
    save_catalogue(folder, read.samples, (*skipped, *read.notes), read.contents)


DATASET = Stage("dataset", read_dataset, Format.functions(save_dataset, load_catalogue))


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def cluster_pairs(
    catalogue: Catalogue,
    towers: Mapping[str, EmbeddingSet],
    *,
    labels: CrossModalLabels,
    source: Source,
    data_dir: Path,
) -> Supervision:
    """Cluster both modalities of pairs: the clusters of one are the step functions of the other (§4.3)."""
    kept = KeptSamples(source, data_dir, catalogue.ids)
    texts = kept().payloads.get("text") if labels.words else None
    return supervise(towers, ids=catalogue.ids, train=catalogue.rows("train"), config=labels, texts=texts)


def align_pairs(
    catalogue: Catalogue, towers: Mapping[str, EmbeddingSet], supervision: Supervision, *, encoder: Encoder
) -> Alignment:
    """Measure how well the two modalities of pairs agree."""
    joint = has_joint_space(encoder, towers)
    return align(towers, supervision, train=catalogue.rows("train"), test=catalogue.rows("test"), joint=joint)


def name_steps(catalogue: Catalogue, supervision: Supervision | None, *, probed: str) -> Steps:
    """Return the step functions that the probes learn: given labels, or clusters of the other modality."""
    return given_steps(catalogue) if supervision is None else supervision.labels_for(probed)


def measure_texts(catalogue: Catalogue, *, encoder: Encoder, source: Source, data_dir: Path) -> Truncation:
    """Count the texts that are longer than the encoder reads."""
    payload = KeptSamples(source, data_dir, catalogue.ids)().payloads["text"]
    return count_truncated(encoder, payload)


TRUNCATION = Stage("truncation", measure_texts, Format.file(Truncation, "truncation.json"))
SUPERVISION = Stage("labels", cluster_pairs, Format.folder(Supervision))
ALIGNMENT = Stage("alignment", align_pairs, Format.file(Alignment, "alignment.json"))
STEPS: Stage[Steps] = Stage("steps", name_steps)


# ── split and subsets ────────────────────────────────────────────────────────────────────────────────────────────────


def take_stock(
    catalogue: Catalogue,
    steps: Steps,
    supervision: Supervision | None,
    embeddings: EmbeddingSet | None,
    *,
    split: SplitConfig,
    regime: Regime,
    seed: int,
) -> Stock:
    """Return the parts under the regime, before a pool is drawn from what is unused."""
    train, groups = catalogue.rows("train"), catalogue.group(split.group) if split.group else None
    drawn = draw_split(
        steps.labels,
        train=train,
        test=catalogue.rows("test"),
        config=split,
        seed=seed,
        groups=groups,
        strata=None if supervision is None else supervision.cells,
    )
    features = None if embeddings is None else embeddings.array()
    return Stock(
        split=regime.apply(drawn, num_classes=len(steps.names), seed=seed, features=features),
        regime=regime,
        training=count_labels(steps.labels[train], len(steps.names)),
        names=steps.names,
        seed=seed,
        groups=groups,
    )


def divide(stock: Stock, *, mix: str) -> Split:
    """Divide the samples into the parts that each later stage may see, with a pool of some mix."""
    return stock.draw(mix)


def without_pool(stock: Stock) -> Split:
    """Return the parts without a reserve: what probes are trained and tested with, whatever pool can be had."""
    return stock.split.with_parts(reserve=np.empty(0, np.int64))


def compare_pools(stock: Stock, *, mixes: Sequence[str]) -> Ints:
    """Return [M, K] the class sizes of the pools that are compared; a mix that there cannot be does not count."""
    return stock.class_sizes(mixes)


def draw(split: Split, *, subject: str, subsets: SubsetsConfig, seed: int) -> list[Subset]:
    """Down-sample a training set."""
    return draw_subsets(getattr(split, subject), split.labels, subsets, seed=seed)


STOCK: Stage[Stock] = Stage("stock", take_stock)
SPLIT = Stage("split", divide, Format.file(Split, "split.npz"))
WITHOUT_POOL: Stage[Split] = Stage("without_pool", without_pool)
COMPARED_POOLS: Stage[Ints] = Stage("compared_pools", compare_pools)
SUBSETS: Stage[list[Subset]] = Stage("subsets", draw)


# ── probes, measures, Foundation Data Size ───────────────────────────────────────────────────────────────────────────


def train(
    rows: Sequence[Ints],
    seeds: Sequence[int],
    penalties: Sequence[float | None],
    data: Data,
    *,
    probe: ProbeConfig,
    trainer: TrainerConfig,
) -> ProbeSet:
    """Train one probe per training set in one bank, on every process of the job where there are several."""
    from scar.probes.train import train_probes

    embeddings, steps, split = data
    each = zip(rows, seeds, penalties, strict=True)
    bank = [ProbeTask(train=r, validation=split.validation, seed=s, penalty=p) for r, s, p in each]
    settings: dict[str, Any] = {"num_classes": len(steps.names), "config": probe, "trainer": trainer}
    if trainer.strategy == "ddp":
        return everywhere(train_probes, embeddings.array(), split.labels, bank, **settings)
    with probe_bar(len(bank)) as tell:
        return train_probes(embeddings.array(), split.labels, bank, **settings, progress=tell)


def choose_penalty(rows: Ints, data: Data, *, probe: ProbeConfig, seed: int, trainer: TrainerConfig) -> float:
    """Choose the penalty of a training set on the whole of it."""
    seeds = [derive_seed(seed, "penalty")]
    return float(train([rows], seeds, [None], data, probe=probe.for_choice, trainer=trainer).penalty[0])


def save_penalty(penalty: float, folder: Path) -> None:
    """Write λ."""
    (folder / PENALTY_FILE).write_text(json.dumps({"penalty": penalty}), encoding="utf-8")


def load_penalty(folder: Path) -> float:
    """Read λ."""
    return float(json.loads((folder / PENALTY_FILE).read_text(encoding="utf-8"))["penalty"])


def train_on_subsets(
    subsets: Sequence[Subset],
    penalty: float | None,
    data: Data,
    *,
    probe: ProbeConfig,
    seed: int,
    trainer: TrainerConfig,
) -> ProbeSet:
    """Train one probe per subset; the first is that of the whole training set."""
    seeds = [derive_seed(seed, "probe", each.factor, each.part) for each in subsets]
    rows = [each.rows for each in subsets]
    penalties: list[float | None] = [None] * len(rows)
    if penalty is not None:
        penalties = [penalty_of_subset(penalty, whole=len(rows[0]), size=len(each)) for each in rows]
    return train(rows, seeds, penalties, data, probe=probe, trainer=trainer)


def measure(
    probes: ProbeSet, subsets: Sequence[Subset], data: Data, *, decision: str, bins: int, min_count: int
) -> Observations:
    """Measure every probe on its subset and on the held-out part (§3.2)."""
    embeddings, steps, split = data
    how = {"num_classes": len(steps.names), "bins": bins, "min_count": min_count}
    return observe(probes, subsets, embeddings.array(), split.labels, heldout=split.heldout, decision=decision, **how)


PENALTY = Stage("penalty", choose_penalty, Format.functions(save_penalty, load_penalty))
PROBES = Stage("probes", train_on_subsets, Format.folder(ProbeSet), kept=False)
MEASURES = Stage("measures", measure, Format.file(Observations, "observations.npz"))
FOUNDATION = Stage("foundation", estimate, Format.functions(save_estimates, load_estimates))


# ── completion ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── retraining and scores ────────────────────────────────────────────────────────────────────────────────────────────


def training_rows(
    split: Split, plans: Sequence[CompletionPlan] | None, *, subject: str, fraction: float | None
) -> Ints:
    """Return the rows that an arm trains on: a training set, or primary and what a plan adds."""
    if plans is None:
        rows: Ints = getattr(split, subject)
        return rows
    (chosen,) = (each for each in plans if each.fraction == fraction)
    return np.sort(np.concatenate([split.primary, chosen.rows]))


def retrain(
    rows: Sequence[Ints], penalty: float | None, data: Data, *, probe: ProbeConfig, seed: int, trainer: TrainerConfig
) -> ProbeSet:
    """Train a probe on the rows of every arm of a plan, or of a training set (§5.2)."""
    (made,) = retrain_together([rows], [penalty], data, probe=probe, seed=seed, trainer=trainer)
    return made


def retrain_together(
    rows: Sequence[Sequence[Ints]],
    penalties: Sequence[float | None],
    data: Data,
    *,
    probe: ProbeConfig,
    seed: int,
    trainer: TrainerConfig,
) -> list[ProbeSet]:
    """Do for several plans what `retrain` does for one, in one bank; the results are the same."""
    arms = [each for own in rows for each in own]
    each_penalty = [penalty for own, penalty in zip(rows, penalties, strict=True) for _ in own]
    seeds = [derive_seed(seed, "evaluation")] * len(arms)
    bank = train(arms, seeds, each_penalty, data, probe=probe, trainer=trainer)
    ends = np.cumsum([len(own) for own in rows])
    return [bank.select(range(end - len(own), end)) for own, end in zip(rows, ends, strict=True)]


def pick_arm(probes: ProbeSet, *, index: int) -> ProbeSet:
    """Return the probe of one arm."""
    return probes.select([index])


def deployment_mix(split: Split, steps: Steps, *, deployment: str | Mapping[str, float]) -> Floats:
    """Return the class mix [K] that decisions are matched to; the test part plays no part in it.

    Where a sample may carry several labels it is the share of the samples that carry each.
    """
    known = np.concatenate([split.validation, split.heldout])
    counts = count_labels(split.labels[known], len(steps.names))
    if steps.several:
        shares = split.class_sizes("primary", len(steps.names)) / len(split.primary)
        return label_shares(deployment, names=steps.names, counts=counts, total=len(known), trained=shares)
    test = np.bincount(split.labels[split.test], minlength=len(steps.names))
    primary = split.class_sizes("primary", len(steps.names))
    return class_mix(deployment, names=steps.names, counts=counts, trained=primary, tested=test > 0)


def predict(probe: ProbeSet, rows: Ints, mix: Floats, data: Data) -> Predictions | LabelPredictions:
    """Decide for the test part: raw, and matched to the deployment mix and to equal classes."""
    embeddings, steps, split = data
    trained = count_labels(split.labels[rows], len(mix))
    logits = probe.logits(0, embeddings.array()[split.test])
    if steps.several:
        return decide_each(logits, trained=trained, total=len(rows), shares=mix, converged=bool(probe.converged[0]))
    return decisions(logits, trained=trained, mix=mix, converged=bool(probe.converged[0]))


def compare(
    predictions: Predictions | LabelPredictions, mix: Floats, split: Split, *, declared: bool
) -> Scores | LabelScores:
    """Score what an arm decides for the test part."""
    if isinstance(predictions, LabelPredictions):
        return score_labels(predictions, split.labels[split.test])
    return score_decisions(predictions, split.labels[split.test], mix=mix if declared else None)


ROWS: Stage[Ints] = Stage("rows", training_rows)
ARMS = Stage("arms", retrain, Format.folder(ProbeSet), kept=False)
ARM: Stage[ProbeSet] = Stage("arm", pick_arm, kept=False)
DEPLOYMENT: Stage[Floats] = Stage("deployment", deployment_mix)
PREDICTIONS: Stage[Predictions | LabelPredictions] = Stage("predictions", predict)
SCORES: Stage[Scores | LabelScores] = Stage("scores", compare)


# ── the map ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def draw_map(
    embeddings: EmbeddingSet, split: Split, *, points: int, method: str, slice_size: int, seed: int
) -> MapLayout:
    """Lay samples of every part out in two dimensions; of several labels each stands under its rarest."""
    classes = planned_labels(split, None)
    return lay_out(embeddings, split, classes, points=points, method=method, slice_size=slice_size, seed=seed)


def preview(
    layout: MapLayout, catalogue: Catalogue, split: Split, *, texts: bool, pictures: int, source: Source, data_dir: Path
) -> Previews:
    """Read what the points of a map look like."""
    kept = KeptSamples(source, data_dir, catalogue.ids)
    classes = planned_labels(split, None)
    return show_samples(layout, kept, split.test, classes, texts=texts, pictures=pictures)


LAYOUT = Stage("layout", draw_map, Format.file(MapLayout, "layout.npz"))
PREVIEWS = Stage("previews", preview, Format.file(Previews, "previews.npz"))
