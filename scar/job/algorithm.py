"""Algorithm 1 as one column, from the samples of a dataset to the scores of what was added.

The order is dataset, embeddings, labels, split, subsets, probes, measures, foundation, budget, plan, retraining, scores.
Each stage is a function of `scar.job.stages`; calling it gives a handle whose key is known at once and whose value is
made, or read from the store, when it is asked for. So this file computes nothing: it says what is made from what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from scar.common.types import Floats, Ints
from scar.completion.forecast import Forecaster, NoForecaster
from scar.completion.forecast_settings import ForecastConfig, why_none
from scar.completion.plan import CompletionPlan
from scar.completion.planner import PairPlanner
from scar.completion.pools import UnlabelledPool, UnlabelledView
from scar.completion.problem import CompletionProblem
from scar.completion.rounds import NextRound
from scar.data.catalogue import Catalogue
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.data.source import Source
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.extraction import KeptSamples
from scar.encoders.embeddings.on_ray import embed_on_ray
from scar.encoders.embeddings.stored import embed, encoder_key
from scar.encoders.encoder import Encoder
from scar.evaluation.deployment import is_declared
from scar.foundation.settings import FoundationConfig
from scar.job.flow import Besides, Flow, Handle
from scar.job.job import Arm, Characterized, Completion, Data, Inputs, Job, Labelling, Mapped
from scar.job.stages import mapping, planning, preparing, probing
from scar.pairs.alignment import Alignment
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.sampling.splits import Split
from scar.sampling.step_functions import CrossModalLabels
from scar.sampling.subsets import SubsetsConfig
from scar.store.keys import Key, make_key
from scar.store.store import Store

if TYPE_CHECKING:
    from scar.config.schema import Config

SUBJECTS = ("primary", "total")
"""The training sets that are characterized: what there is now, and everything."""


def algorithm(config: Config, store: Store) -> Job:
    """Return the stages of a configuration (Algorithm 1); nothing is computed."""
    flow = Flow(store)
    inputs = prepare(config, flow)  # dataset, embeddings, labels, split
    characterized = characterize_both(config, flow, inputs)  # subsets, probes, measures, foundation
    completion = complete(config, flow, inputs, characterized)  # budget, plan
    arms = evaluate(config, flow, inputs, characterized, completion)  # retraining, scores
    step = plan_round(config, flow, inputs, completion, arms)
    labelling = plan_labels(config, flow, inputs, characterized) if config.dataset.pools_unlabelled else None
    return Job(
        config=config,
        store=store,
        inputs=inputs,
        characterized=characterized,
        completion=completion,
        arms=arms,
        next_round=step,
        alignment=agreement(config, flow, inputs),
        labelling=labelling,
        map=draw_map(config, flow, inputs),
    )


def prepare(config: Config, flow: Flow) -> Inputs:
    """Return the samples of a source, embedded, labelled and divided."""
    place = {"source": config.dataset, "data_dir": data_folder(config.paths.data_dir)}
    dataset = flow(preparing.DATASET, besides=_files(config.dataset, flow, place), source=config.dataset)
    towers = {name: _tower(config, flow, dataset, config.encoder.towers()[name]) for name in config.modalities}
    embeddings = towers[config.probed]
    truncation = None
    if "text" in towers:
        reader = config.encoder.towers()["text"]
        besides = Besides(runtime=place, content=lambda: [encoder_key(reader, _memo(flow))])
        truncation = flow(preparing.TRUNCATION, dataset, besides=besides, encoder=reader)
    supervision = None
    if isinstance(config.labels, CrossModalLabels):
        both = {name: towers[name] for name in sorted(towers)}
        supervision = flow(preparing.SUPERVISION, dataset, both, besides=Besides(runtime=place), labels=config.labels)
    steps = flow(preparing.STEPS, dataset, supervision, probed=config.probed)
    seen = (dataset, steps, supervision, embeddings if config.regime.needs_features else None)
    stock = flow(preparing.STOCK, *seen, split=config.split, regime=config.regime, seed=config.seed)
    split, without_pool = flow(preparing.SPLIT, stock, mix=config.mix), flow(preparing.WITHOUT_POOL, stock)
    parts: dict[str, Any] = {"dataset": dataset, "towers": towers, "embeddings": embeddings, "steps": steps}
    return Inputs(
        supervision=supervision,
        truncation=truncation,
        split=split,
        without_pool=without_pool,
        deployment=flow(probing.DEPLOYMENT, without_pool, steps, deployment=config.deployment),
        pools=flow(preparing.COMPARED_POOLS, stock, mixes=config.budgets.of) if config.budgets.of else None,
        **parts,
    )


def characterize_both(config: Config, flow: Flow, inputs: Inputs) -> dict[str, Characterized]:
    """Characterize what there is now, and everything."""
    parts: dict[str, Any] = {"subsets": config.subsets, "probe": config.probe, "foundation": config.foundation}
    parts |= {"seed": config.seed, "trainer": config.trainer}
    taken = {subject: _taken_from(inputs, subject) for subject in SUBJECTS}
    return {s: characterize_set(flow, inputs.data, subject=s, parts=taken[s], **parts) for s in SUBJECTS}


def _taken_from(inputs: Inputs, subject: str) -> Handle[Split]:
    """Return the parts that a training set is taken from: those without a pool for all but everything."""
    return inputs.split if subject == "total" else inputs.without_pool


def characterize_set(
    flow: Flow,
    data: Data,
    *,
    subject: str,
    subsets: SubsetsConfig,
    probe: ProbeConfig,
    foundation: FoundationConfig,
    seed: int,
    trainer: TrainerConfig,
    parts: Handle[Split] | None = None,
) -> Characterized:
    """Down-sample a training set, train probes on its subsets, measure them, and estimate how much would be enough.

    The training set is taken from `parts`; from those of `data` if they are None.
    """
    machine, parts = Besides(runtime={"trainer": trainer}), data[2] if parts is None else parts
    drawn = flow(preparing.SUBSETS, parts, subject=subject, subsets=subsets, seed=seed)
    penalty = None
    if probe.chooses_once:
        whole = flow(probing.ROWS, parts, None, subject=subject, fraction=None)
        penalty = flow(probing.PENALTY, whole, data, besides=machine, probe=probe, seed=seed)
    probes = flow(probing.PROBES, drawn, penalty, data, besides=machine, probe=probe, seed=seed)
    how: dict[str, Any] = {"decision": foundation.decision, "bins": foundation.bins, "min_count": foundation.min_count}
    measures = flow(probing.MEASURES, probes, drawn, data, **how)
    sizes = flow(probing.FOUNDATION, measures, config=foundation)
    return Characterized(penalty=penalty, probes=probes, measures=measures, foundation=sizes)


def complete(config: Config, flow: Flow, inputs: Inputs, characterized: Mapping[str, Characterized]) -> Completion:
    """Return what each budget should add, and what that promises."""
    planner, seed = config.completion, config.seed
    view, planned = _seen(config, flow, inputs, characterized)
    forecaster, by_forecast = _forecasters(config, flow, inputs, characterized)
    problem = state(config, flow, inputs, characterized, planned, "primary", by_forecast)
    outlook = None
    if isinstance(planner, PairPlanner):
        plans = _plan_pairs(config, flow, {config.probed: (problem, inputs.split, planned)})
    else:
        plans = _plan(config, flow, problem, characterized["primary"], inputs.embeddings, inputs.split, planned)
        known = state(config, flow, inputs, characterized, planned, "total" if view is None else "primary", by_forecast)
        ahead: dict[str, Any] = {"fractions": sorted({*config.budgets.what_if, *config.budgets.fractions})}
        ahead |= {"collect": config.budgets.collect, "planner": planner, "seed": seed}
        outlook = flow(planning.OUTLOOK, problem, known, inputs.split, planned, forecaster, **ahead)
    return Completion(view=view, planned=planned, problem=problem, plans=plans, forecaster=forecaster, outlook=outlook)


def plan_labels(config: Config, flow: Flow, inputs: Inputs, characterized: Mapping[str, Characterized]) -> Labelling:
    """Return which samples of a pool without labels to label next, as everything that has labels sees them."""
    everything = characterized["total"]
    split = flow(planning.LABELLING, inputs.split, inputs.dataset)
    pool = config.pool if isinstance(config.pool, UnlabelledPool) else UnlabelledPool()
    view = flow(planning.VIEW, everything.probes, inputs.embeddings, split, pool=pool, seed=config.seed)
    planned = flow(planning.PLANNED_LABELS, split, view)
    _, by_forecast = _forecasters(config, flow, inputs, characterized)
    problem = state(config, flow, inputs, characterized, planned, "total", by_forecast, pool=split)
    plans = _plan(config, flow, problem, everything, inputs.embeddings, split, planned)
    return Labelling(split=split, view=view, planned=planned, plans=plans)


def _plan(
    config: Config,
    flow: Flow,
    problem: Handle[CompletionProblem],
    seen: Characterized,
    embeddings: Handle[EmbeddingSet],
    split: Handle[Split],
    planned: Handle[Ints],
) -> Handle[list[CompletionPlan]]:
    """Return the plan of every budget for a problem, carried out on the reserve of a split."""
    budgets = flow(planning.BUDGETS, problem, fractions=config.budgets.fractions)
    pool = None
    if config.selection.needs_features or config.selection.needs_margins:
        about = (seen.probes, embeddings, split, planned)
        pool = flow(planning.POOL, *about, selection=config.selection, seed=config.seed)
    chosen: dict[str, Any] = {"planner": config.completion, "selection": config.selection, "seed": config.seed}
    return flow(planning.PLANS, problem, budgets, split, planned, pool, **chosen)


def _forecasters(
    config: Config, flow: Flow, inputs: Inputs, characterized: Mapping[str, Characterized]
) -> tuple[Handle[Forecaster | NoForecaster], Handle[Forecaster | NoForecaster] | None]:
    """Return what forecasts, and what a planner that chooses by forecasts is given."""
    about: dict[str, Any] = {"forecast": config.forecast, "probe": config.probe, "seed": config.seed}
    about |= {"heldout": config.split.heldout > 0, "declared": is_declared(config.deployment)}
    about |= {"several": config.several_labels, "trainer": config.trainer}
    penalty = characterized["primary"].penalty
    forecaster = prepare_forecasts(flow, inputs.data, inputs.deployment, penalty, **about)
    asked = config.completion.asks_forecasts and config.forecast.seeds == "all"
    return forecaster, forecaster if asked else None


def prepare_forecasts(
    flow: Flow,
    data: Data,
    deployment: Handle[Floats],
    penalty: Handle[float] | None,
    *,
    forecast: ForecastConfig,
    probe: ProbeConfig,
    heldout: bool,
    declared: bool,
    seed: int,
    trainer: TrainerConfig,
    several: bool = False,
) -> Handle[Forecaster | NoForecaster]:
    """Return what forecasts any class sizes from compositions of the primary set, or refuses to."""
    refusal, probes, drawn = why_none(forecast, probe, seed, heldout=heldout), None, None
    refusal = "several_labels" if several else refusal
    if not refusal:
        machine = Besides(runtime={"trainer": trainer})
        drawn = flow(planning.COMPOSITIONS, data[2], forecast=forecast, seed=seed)
        probes = flow(planning.COMPOSITION_PROBES, drawn, penalty, data, besides=machine, probe=probe, seed=seed)
    how: dict[str, Any] = {"refusal": refusal, "declared": declared, "scores": forecast.scores}
    return flow(planning.FORECASTER, probes, drawn, deployment, data, **how)


def state(
    config: Config,
    flow: Flow,
    inputs: Inputs,
    characterized: Mapping[str, Characterized],
    planned: Handle[Ints],
    subject: str,
    forecaster: Handle[Forecaster | NoForecaster] | None,
    pool: Handle[Split] | None = None,
) -> Handle[CompletionProblem]:
    """Return what a planner is given, as the driver sees a training set; `pool` has it as its primary part."""
    own = characterized[subject]
    others = [replace(config, encoder=each) for each in config.completion.voters(config.encoder, config.probed)]
    votes = [characterize_both(each, flow, prepare(each, flow))[subject].foundation for each in others]
    return flow(
        planning.PROBLEM,
        own.foundation,
        own.measures,
        characterized["total"].measures if config.completion.sees_reserve else None,
        votes,
        inputs.steps,
        inputs.split if pool is None else pool,
        planned,
        inputs.pools if pool is None else None,
        inputs.deployment,
        forecaster,
        besides=Besides(runtime={"budgets": config.budgets}, keyed={"budgets": config.budgets.planned}),
        subject=subject if pool is None else "primary",
        modalities=config.modalities,
    )


def evaluate(
    config: Config, flow: Flow, inputs: Inputs, characterized: Mapping[str, Characterized], completion: Completion
) -> list[Arm]:
    """Return everything that is retrained and tested: primary, total, and primary plus each plan (§5.2).

    What is added to the primary set is trained with the penalty of the primary set, so that arms differ in their data
    alone. Every arm decides raw and matched to the mix of each score.
    """
    wanted: list[tuple[str, list[float | None]]] = [(subject, [None]) for subject in SUBJECTS]
    wanted += [(config.completion.name, list(config.budgets.fractions))]
    return [arm for each in wanted for arm in _evaluate(config, flow, inputs, characterized, completion, *each)]


def _evaluate(
    config: Config,
    flow: Flow,
    inputs: Inputs,
    characterized: Mapping[str, Characterized],
    completion: Completion,
    subject: str,
    fractions: Sequence[float | None],
) -> Iterator[Arm]:
    """Yield the arms of a plan, one per budget, or that of a training set; their probes are one artefact.

    Where training draws nothing, the probe of a training set is the first of those on its subsets.
    """
    penalty = characterized["total" if subject == "total" else "primary"].penalty
    trained = []
    for fraction in fractions:
        plans = None if fraction is None else completion.plans
        taken = _taken_from(inputs, subject)
        trained.append(flow(probing.ROWS, taken, plans, subject=subject, fraction=fraction))
    machine, how = Besides(runtime={"trainer": config.trainer}), {"probe": config.probe, "seed": config.seed}
    if subject in SUBJECTS and not config.probe.draws:
        probes = characterized[subject].probes
    else:
        probes = flow(probing.ARMS, trained, penalty, inputs.data, besides=machine, **how)
    for index, (fraction, rows) in enumerate(zip(fractions, trained, strict=True)):
        probe = flow(probing.ARM, probes, index=index)
        predictions = flow(probing.PREDICTIONS, probe, rows, inputs.deployment, inputs.data)
        scores = flow(
            probing.SCORES, predictions, inputs.deployment, inputs.without_pool, declared=is_declared(config.deployment)
        )
        made: dict[str, Any] = {"rows": rows, "penalty": penalty, "probes": probes, "index": index, "probe": probe}
        yield Arm(subject=subject, fraction=fraction, predictions=predictions, scores=scores, **made)


def plan_round(
    config: Config, flow: Flow, inputs: Inputs, completion: Completion, arms: Sequence[Arm]
) -> Handle[NextRound] | None:
    """Return what to buy in the next round; None where no target is given."""
    if config.rounds is None or isinstance(config.completion, PairPlanner):
        return None
    (now,) = (arm.scores for arm in arms if arm.subject == "primary")
    seen = (completion.problem, inputs.split, completion.planned, completion.forecaster, now)
    return flow(planning.NEXT_ROUND, *seen, planner=config.completion, rounds=config.rounds, seed=config.seed)


def draw_map(config: Config, flow: Flow, inputs: Inputs) -> Mapped | None:
    """Return the map of seed 0, with which sweeps begin; None for the other seeds, and where none is asked for."""
    if config.map is None or not config.map.points or config.seed != 0:
        return None
    wanted, place = config.map, {"data_dir": data_folder(config.paths.data_dir)}
    how: dict[str, Any] = {"points": wanted.points, "method": wanted.possible_method, "slice_size": wanted.slice_size}
    layout = flow(mapping.LAYOUT, inputs.embeddings, inputs.split, **how, seed=config.seed)
    besides, seen = Besides(runtime={"source": config.dataset, **place}), (layout, inputs.dataset, inputs.split)
    looks = flow(mapping.PREVIEWS, *seen, besides=besides, texts=wanted.texts, pictures=wanted.pictures)
    return Mapped(layout=layout, previews=looks)


def agreement(config: Config, flow: Flow, inputs: Inputs) -> Handle[Alignment] | None:
    """Return how well the two modalities of pairs agree; None where labels are given."""
    if inputs.supervision is None:
        return None
    towers = {name: inputs.towers[name] for name in sorted(inputs.towers)}
    return flow(preparing.ALIGNMENT, inputs.dataset, towers, inputs.supervision, encoder=config.encoder)


def _files(source: Source, flow: Flow, place: Mapping[str, Any]) -> Besides:
    """Return what the dataset depends on besides its settings: the content of its files."""
    folder = place["data_dir"]
    return Besides(runtime={"data_dir": folder}, content=lambda: [fingerprint(source.files(folder), memo=_memo(flow))])


def _tower(config: Config, flow: Flow, dataset: Handle[Catalogue], encoder: Encoder) -> Handle[EmbeddingSet]:
    """Return the [N, D] embeddings of one modality, of every sample of the source."""
    assert flow.store is not None
    tower = partial(encoder_key, encoder, _memo(flow))
    handle: Handle[EmbeddingSet]

    def read(catalogue: Catalogue) -> KeptSamples:
        return KeptSamples(config.dataset, data_folder(config.paths.data_dir), catalogue.ids)

    def key() -> Key:
        return make_key("embeddings", upstream=[dataset.key, str(tower())])

    def obtain() -> EmbeddingSet:
        assert flow.store is not None
        made_of = (flow.store, handle.key, dataset.value, read, encoder, tower())
        if config.extraction is not None:
            embed_on_ray(*made_of, config.extraction)
        return embed(*made_of)

    handle = Handle(key, obtain, [dataset], stored=True)
    return handle


def _memo(flow: Flow) -> Any:
    return None if flow.store is None else flow.store.memo


def _seen(
    config: Config, flow: Flow, inputs: Inputs, characterized: Mapping[str, Characterized]
) -> tuple[Handle[UnlabelledView] | None, Handle[Ints]]:
    """Return what planning may see of the reserve."""
    view = None
    if isinstance(config.pool, UnlabelledPool):
        probes = characterized["primary"].probes
        view = flow(planning.VIEW, probes, inputs.embeddings, inputs.split, pool=config.pool, seed=config.seed)
    return view, flow(planning.PLANNED_LABELS, inputs.split, view)


def _plan_pairs(
    config: Config, flow: Flow, own: Mapping[str, tuple[Handle[CompletionProblem], Handle[Split], Handle[Ints]]]
) -> Handle[list[CompletionPlan]]:
    """Return the plans that serve this direction of a pair and the other one."""
    (other,) = (each for each in config.modalities if each != config.probed)
    twin = replace(config, modality=other)
    inputs = prepare(twin, flow)
    characterized = characterize_both(twin, flow, inputs)
    _, planned = _seen(twin, flow, inputs, characterized)
    problem = state(twin, flow, inputs, characterized, planned, "primary", None)
    both = {**own, other: (problem, inputs.split, planned)}
    parts = [{name: both[name][part] for name in sorted(both)} for part in range(3)]
    settings: dict[str, Any] = {"planner": config.completion, "probed": config.probed, "seed": config.seed}
    return flow(planning.PAIR_PLANS, *parts, fractions=config.budgets.fractions, **settings)
