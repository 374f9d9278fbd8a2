"""Probes on training sets, what they show, and what arms score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.progress import probe_bar
from scar.common.randomness import derive_seed
from scar.common.ranks import everywhere
from scar.common.types import Floats, Ints
from scar.completion.plan import CompletionPlan
from scar.data.stratify import count_labels
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.evaluation.deployment import class_mix, label_shares
from scar.evaluation.label_scores import LabelPredictions, LabelScores, decide_each, score_labels
from scar.evaluation.scores import Predictions, Scores, decisions, score_decisions
from scar.foundation.estimates import estimate, load_estimates, save_estimates
from scar.job.flow import Format, Stage
from scar.measures.from_probes import observe
from scar.measures.observations import Observations
from scar.probes.probe_set import ProbeSet, ProbeTask
from scar.probes.settings import ProbeConfig, TrainerConfig, penalty_of_subset
from scar.sampling.splits import Split
from scar.sampling.step_functions import Steps
from scar.sampling.subsets import Subset

Data = tuple[EmbeddingSet, Steps, Split]
"""What probes are trained on: embeddings, step functions, and the parts, of which none is read that depends on the pool."""
PENALTY_FILE = "penalty.json"


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
