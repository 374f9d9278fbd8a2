"""What the artefacts of a study show, as rows: one number each, by arm or case and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scar.common.console import console
from scar.common.files import read_json, write_json
from scar.common.types import Ints
from scar.measures.steps import MEASURES
from scar.reduction.pair_score import mismatch_auroc
from scar.store.keys import Key, make_key
from scar.studies.reduction.arms import ARMS, BUDGETS, CHARACTERIZED, Case, PairArm, arms_of, cases
from scar.studies.reduction.caption_facts import caption_rows
from scar.studies.reduction.judge import PairResult, planted_truth, probe_predictions, purity, scar_of
from scar.studies.reduction.pair_arrays import PairArrays
from scar.studies.reduction.pair_scorers import FOLDS
from scar.studies.reduction.rival_stages import MIXED, RivalStages
from scar.studies.reduction.trained_ablations import ablation_rows

COLUMNS = ("dataset", "base", "kind", "table", "case", "override", "setting", "seed", "metric", "value")
"""``kind`` is ``"arm"`` (pair models after all steps), ``"budget"`` (after a share of them), ``"curve"`` (at a checkpoint),
``"case"`` (judged by probes), ``"ablation"`` (a case by a pair model) or ``"study"``; ``setting`` names a reduction, ``base``
that of the study.
"""
MODALITIES = ("image", "text")
SHOWN_AT_BUDGETS = ("recall", "tr_at_1", "tr_at_10", "ir_at_1", "ir_at_10", "zero_shot")


def setting_of(case: Case | None, stages: RivalStages) -> str:
    """Return a name of the reduction of a case, or of the study: what is trained and what is judged bear the same."""
    reduction = stages.reduction if case is None else case.reduction
    extra = bool(case is not None and case.encoder_images)
    return make_key("reduction", config={"reduction": reduction, "encoder_images": extra}).digest[:12]


def trained_arms(stages: RivalStages) -> tuple[PairArm, ...]:
    """Return the arms of a study; those of an oracle only where it is known what images show."""
    known = stages.pairs.scene is not None
    return tuple(arm for arm in arms_of(stages.reduction) if known or arm.captions != "oracle")


def writes_captions(stages: RivalStages) -> bool:
    """Tell whether an arm has captions of the captioner; without one none are written."""
    return any(arm.captions in ("refined", "collapsed") for arm in trained_arms(stages))


def measure(stages: RivalStages, ablations: Mapping[Case, list[PairResult]]) -> pd.DataFrame:
    """Return every row of a study; what the store lacks is made.

    Args:
        stages: of the study.
        ablations: of `scar.studies.reduction.trained_ablations.trained_cases`.
    """
    name, setting = stages.config.dataset.name, setting_of(None, stages)
    records: list[dict[str, Any]] = []
    for seed in stages.reduction.seeds:
        for arm in trained_arms(stages):
            about = {"kind": "arm", "table": "arms", "case": arm.name, "setting": setting, "seed": seed}
            records += [about | {"metric": m, "value": v} for m, v in _arm(stages, arm, seed).items()]
            records += [about | each for each in _budgets(stages, arm, seed)]
        console().print(f"[dim]{name}: pair models of seed {seed} done[/]")
    records += list(_study(stages, setting))
    records += judge_cases(stages)
    settings = {(case.table, case.name): setting_of(case, stages) for case in ablations}
    for each in ablation_rows(ablations, stages):
        records.append(each | {"setting": settings[each["table"], each["case"]]})
    common = {"dataset": name, "base": setting, "override": ""}
    return pd.DataFrame.from_records([common | each for each in records], columns=list(COLUMNS))


def truth_of(pairs: PairArrays, rows: Ints) -> dict[str, float]:
    """Return `planted_truth` of some of the training pairs, among what is planted in them all.

    Args:
        pairs: of the study.
        rows: positions among the training pairs; one that comes twice counts once.
    """
    train = pairs.train
    wrong = None if pairs.mismatched is None else pairs.mismatched[train]
    again = None if pairs.duplicate_of is None else pairs.duplicate_of[train]
    return planted_truth(np.unique(rows), wrong, again, pairs.ids[train])


def _budgets(stages: RivalStages, arm: PairArm, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what an arm achieves at every budget and at every checkpoint."""
    found = stages.result(arm, seed)
    for budget in BUDGETS:
        values = found.values(budget)
        steps = round(budget * int(found.steps[-1]))
        for metric in (*SHOWN_AT_BUDGETS, "chosen_step"):
            if metric in values:
                yield {"kind": "budget", "table": f"{steps} steps", "metric": metric, "value": values[metric]}
    for at, steps in enumerate(found.steps.tolist()):
        for metric in SHOWN_AT_BUDGETS:
            items = found.items_at(metric, at)
            if items is not None:
                yield {"kind": "curve", "table": f"{steps}", "metric": metric, "value": float(items.mean())}


def _arm(stages: RivalStages, arm: PairArm, seed: int) -> dict[str, float]:
    own, rows = stages.pairs, stages.rows_of(arm, seed)
    found = stages.result(arm, seed).values()
    found |= {"pairs": len(rows), "compression": len(own.train) / len(rows), "distinct_pairs": len(np.unique(rows))}
    found |= truth_of(own, rows)
    if arm.captions in ("original", "refined"):
        scores = stages.pair_scores(refined=arm.captions == "refined")[rows]
        found |= {"pair_score": float(scores.mean()), "pair_score_p5": float(np.quantile(scores, 0.05))}
    if own.labels is not None and arm.name in CHARACTERIZED:
        for modality in MODALITIES:
            measured = characterize_arm(stages, arm, seed, modality)
            found |= {f"{modality}_{name}": measured[name] for name in (*MEASURES, "foundation_size", "classes")}
    return found


def characterize_arm(stages: RivalStages, arm: PairArm, seed: int, modality: str) -> dict[str, float]:
    """Return SCAR of the images, or of the captions, of an arm; arms with the same ones share it."""
    refined = arm.captions == "refined" and modality == "text"
    upstream: list[Key] = [stages.pairs_key, *stages.choice_key(arm, seed)]
    upstream += [stages.generated_key] if refined else []
    upstream += [stages.frozen_key()] if modality == "image" else []
    settings = {
        "pairs": arm.pairs, "seed": seed, "modality": modality, "probe": stages.config.probe,
        "foundation": stages.config.foundation, "refine": stages.reduction.refine if refined else None,
        "share": stages.reduction.share,
    }  # fmt: skip
    key = make_key("reduction_scar", config=settings, upstream=upstream, code=[characterize_arm])

    def make(folder: Path) -> None:
        own = stages.pairs
        assert own.labels is not None
        rows = stages.rows_of(arm, seed)
        if modality == "image":
            known, shown = stages.frozen_images[own.train[rows]], stages.frozen_images[own.test]
        else:
            texts = stages.refined if refined else stages.original
            known = stages.text_encoder([texts[row] for row in rows])
            shown = stages.text_encoder([own.texts[row] for row in own.test])
        found = scar_of(
            known, own.labels[own.train[rows]], shown, own.labels[own.test], seed=seed,
            probe=stages.config.probe, foundation=stages.config.foundation,
        )  # fmt: skip
        write_json(folder / "scar.json", found)

    def read(folder: Path) -> dict[str, float]:
        return {name: float(value) for name, value in read_json(folder / "scar.json").items()}

    return stages.store.load(key, make, read)


def score_aurocs(stages: RivalStages) -> dict[str, float]:
    """Return how well each score tells the planted mismatches among the training pairs."""
    upstream = [stages.pairs_key, *(stages.scorer_key(fold) for fold in range(FOLDS))]
    key = make_key("score_aurocs", upstream=upstream, code=[score_aurocs])

    def make(folder: Path) -> None:
        assert stages.pairs.mismatched is not None
        wrong = stages.pairs.mismatched[stages.pairs.train]
        names = ("similarity", "neg_clip_loss")
        write_json(folder / "aurocs.json", {name: mismatch_auroc(stages.ranked[name], wrong) for name in names})

    return stages.store.load(key, make, lambda folder: dict(read_json(folder / "aurocs.json")))


def _study(stages: RivalStages, setting: str) -> Iterator[dict[str, Any]]:
    """Yield what is measured once: the captioner, its captions, and the pair score against the planted mismatches."""
    common = {"kind": "study", "table": "study", "setting": setting, "seed": stages.config.seed}
    history = read_json(stages.captioner(stages.reduction) / "history.json")
    last = {name: value for name, value in history[-1].items() if isinstance(value, int | float)}
    records = [("captioner", {"first_loss": history[0]["loss"], **last})]
    records += caption_rows(stages) if writes_captions(stages) else []
    own = stages.pairs
    if own.mismatched is not None and own.mismatched.any():
        records += [(f"score: {name}", {"auroc": found}) for name, found in score_aurocs(stages).items()]
    wanted = {arm.pairs for arm in trained_arms(stages)} & {"need", "need_clean"}
    for name, needs in stages.needs.items() if wanted else ():
        sizes = np.bincount(stages.concepts)
        met = {"concepts": len(needs), "met": (needs <= sizes).mean(), "median_need": np.median(needs)}
        records.append((f"need: {name}", met | {"median_size": np.median(sizes)}))
    trained = {arm.name for arm in trained_arms(stages)}
    for name in [each for each in MIXED if each in trained]:
        mixture = stages.mixture(clean=name == "mixing_clean")
        told = {"rank_correlation": mixture.rank_correlation, "largest_effect": float(np.abs(mixture.effects).max())}
        records.append((f"weights: {name}", told | {"concepts": len(mixture.counts)}))
    for case, values in records:
        for metric, value in values.items():
            yield common | {"case": case, "metric": metric, "value": float(value)}


def judge_cases(stages: RivalStages) -> list[dict[str, Any]]:
    """Judge the reductions of the ablations without a pair model: by probes on what they keep, and by the truth.

    A linear probe is trained on the frozen image embeddings that are kept, and one on their original captions, to name
    the classes of the clean test part.
    """
    own = stages.pairs
    listed = [each for each in cases(stages.reduction, len(own.train)) if each.table in stages.reduction.tables]
    if not listed:
        return []
    seeds = stages.reduction.seeds
    keys = {
        (i, s): stages.kept_key(c.reduction, s, encoder_images=c.encoder_images)
        for i, c in enumerate(listed)
        for s in seeds
    }
    settings = {"probe": stages.config.probe, "seeds": seeds, "cases": [c.name for c in listed]}
    upstream = [stages.pairs_key, stages.frozen_key(), *keys.values()]
    key = make_key("reduction_cases", config=settings, upstream=upstream, code=[judge_cases])

    def make(folder: Path) -> None:
        kept = {
            (i, s): stages.kept(c.reduction, s, encoder_images=c.encoder_images)
            for i, c in enumerate(listed)
            for s in seeds
        }
        distinct = {key: each for each, key in keys.items()}  # cases that are the same reduction are judged once
        right = _probe_all(stages, [(kept[each].rows, each[1]) for each in distinct.values()])
        found: list[dict[str, Any]] = []
        for each, one in kept.items():
            rows, clusters = one.rows, one.cluster
            place = list(distinct).index(keys[each])
            values = {name: accuracies[place] for name, accuracies in right.items()} | {"pairs": float(len(rows))}
            values |= truth_of(own, rows)
            if own.labels is not None:
                values |= {"purity": purity(clusters, own.labels[own.train]), "clusters": float(clusters.max() + 1)}
            found += [{"case": each[0], "seed": each[1], "metric": m, "value": float(v)} for m, v in values.items()]
        write_json(folder / "cases.json", found)

    records = stages.store.load(key, make, lambda folder: read_json(folder / "cases.json"))
    about = [
        {"kind": "case", "table": c.table, "case": c.name, "override": c.override, "setting": setting_of(c, stages)}
        for c in listed
    ]
    return [each | about[each["case"]] for each in records]


def _probe_all(stages: RivalStages, sets: Sequence[tuple[Ints, int]]) -> dict[str, list[float]]:
    """Return the test accuracy of a probe on each set of training pairs (positions, seed), by modality."""
    own = stages.pairs
    if own.labels is None:
        return {}
    labels = np.concatenate([own.labels[own.train], own.labels[own.test]])
    shown = np.arange(len(own.train), len(labels))
    texts = [*stages.original, *(own.texts[row] for row in own.test)]
    features = {
        "probe_image": np.concatenate([stages.frozen_images[own.train], stages.frozen_images[own.test]]),
        "probe_text": stages.text_encoder(texts),
    }
    found = {}
    for name, rows in features.items():
        predicted = probe_predictions(
            rows, labels, [each for each, _ in sets], shown, num_classes=len(own.class_names),
            seeds=[seed for _, seed in sets], probe=stages.config.probe, trainer=stages.config.trainer,
        )  # fmt: skip
        found[name] = (predicted == labels[shown]).mean(axis=1).tolist()
    return found


def score_frame(stages: RivalStages) -> pd.DataFrame:
    """Return the pair scores of Figure 7: of all pairs before, and of the kept and, where captions are written, refined ones after."""
    named = {arm.name: arm for arm in ARMS}
    seed = stages.reduction.seeds[0]
    own, parts = stages.pairs, []
    after = named["reduced_refined" if writes_captions(stages) else "reduced"]
    for name, arm in (("before", named["full"]), ("after", after)):
        rows = stages.rows_of(arm, seed)
        wrong = np.zeros(len(rows), bool) if own.mismatched is None else own.mismatched[own.train[rows]]
        scores = stages.pair_scores(refined=arm.captions == "refined")[rows]
        parts.append(pd.DataFrame({"set": name, "score": scores, "mismatched": wrong}))
    return pd.concat(parts, ignore_index=True)
