"""Writes a study folder that looks like a real one, with planted effects."""

import json
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from scar.evaluation.scores import SCORES, Predictions, score_decisions
from scar.job.rows import PREDICTIONS, Rows, arm_name, save_predictions, write_rows
from scar.sampling.class_sizes import ClassSizes
from scar.sampling.indicators import dataset_indicators

NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag & purse",
    "Boot_100%",
)
FRACTIONS = (0.05, 0.1, 0.25)
ESTIMATORS = ("reference", "paper", "heldout")
GAIN = {"scar": 0.06, "random": 0.04, "class_average": 0.05}
FACTORS = (1, 2, 5, 10)
PAIRS = ("flickr30k", "emoji_pairs")
"""Data whose rows tell how well two modalities agree."""


def write_study(
    folder,
    *,
    groups=(("fashion_mnist", "efficientnet_lite0", "image", "long_tailed"),),
    seeds=3,
    strategies=("scar", "random", "class_average"),
    classes=4,
    n_test=400,
    gain=GAIN,
    met=(),
    constant=(),
    ahead=False,
):
    """Write jobs for groups × seeds × strategies and return the folder of the study.

    Args:
        folder: of the study.
        groups: dataset, encoder, modality, regime, and the mix of the pool unless it is that of the regime.
        seeds: how many, from 0.
        strategies: completions.
        classes: how many of `NAMES`.
        n_test: test items.
        gain: accuracy that a strategy adds at the largest budget.
        met: estimators whose set-level size is 0.
        constant: (strategy, seed) whose arms answer the first class only.
        ahead: whether seed 0 forecasts its plans.
    """
    for group in groups:
        for seed in range(seeds):
            for strategy in strategies:
                _write_job(
                    Path(folder), group, seed, strategy, classes=classes, n_test=n_test, gain=gain, met=met,
                    constant=(strategy, seed) in constant, ahead=ahead and seed == 0,
                )  # fmt: skip
    return Path(folder)


def _write_job(folder, group, seed, strategy, *, classes, n_test, gain, met, constant, ahead):
    dataset, encoder, modality, regime, *given = group
    mix = given[0] if given else "same" if regime.startswith("long_tailed") else "natural"
    job = folder / "jobs" / f"{dataset}-{encoder}-{modality}-{regime}-{mix}-{seed}-{strategy}".replace("/", "")
    job.mkdir(parents=True)
    names = NAMES[:classes]
    shared = {"study": folder.name, "job": job.name, "dataset": dataset, "encoder": encoder, "modality": modality}
    rows = Rows(**shared, regime=regime, mix=mix, seed=seed, completion=strategy)
    rng = np.random.default_rng([sum(map(ord, "".join(group))), seed])  # the same for all strategies of a seed
    primary = (np.geomspace(600, 60, classes) if regime == "long_tailed" else np.full(classes, 300)).astype(int)
    primary = rng.permutation(primary)
    total = np.full(classes, 1000)
    _add_state(rows, names, primary, total, n_test)
    if dataset in PAIRS:
        _add_pairs(rows)
    _add_measures(rows, names, primary, rng)
    _add_estimates(rows, names, primary, met, rng)
    added = _add_plan(rows, names, primary, total, strategy)
    if ahead:
        _add_outlook(rows, names, primary, strategy)
    outcomes = _outcomes(rng, n_test, classes, strategy, gain, constant)
    truth = outcomes.pop("labels")
    predicted = {arm: decided(np.where(right, truth, (truth + 1) % classes)) for arm, right in outcomes.items()}
    for arm, classes_predicted in predicted.items():
        _add_scores(rows, arm, classes_predicted, truth, primary, added, total)
    write_rows(rows, job / "rows.parquet")
    save_predictions(job / PREDICTIONS, truth, predicted)
    config = {
        "dataset": {"name": dataset}, "encoder": {"name": encoder}, "regime": {"name": regime}, "seed": seed,
        "pool": {"name": "labelled", "mix": mix},
        "completion": {"name": strategy}, "probe": {"name": "linear"}, "budgets": {"driver": "heldout"},
        "paths": {"output_dir": "outputs"},
    }  # fmt: skip
    OmegaConf.save(OmegaConf.create(config), job / "config.yaml")
    overrides = [f"study={folder.name}", f"seed={seed}", f"completion={strategy}", "subsets=quick"]
    status = {"status": "done", "overrides": overrides, "versions": {"python": "3.11.2", "torch": "2.9.0"}}
    (job / "status.json").write_text(json.dumps(status))
    (job / f"plan-{strategy}-25pct.csv").write_text("id,class_name,reason,cost\n1,Boot,need,1\n")


def _add_pairs(rows):
    """Planted alignment of image and text: recalls 10, 25, 40 and 15, 37.5, 60 %, cosines 0.3 and 0.1."""
    common = {"stage": "labels", "key": "labels"}
    for direction, base in (("image_to_text", 0.10), ("text_to_image", 0.15)):
        for depth, multiple in ((1, 1.0), (5, 2.5), (10, 4.0)):
            rows.add(f"recall_at_{depth}", base * multiple, subject=direction, **common)
        rows.add("median_rank", 12, subject=direction, **common)
    for kind, middle in (("paired", 0.3), ("unpaired", 0.1)):
        for quantile, offset in ((0.05, -0.1), (0.25, -0.04), (0.5, 0.0), (0.75, 0.04), (0.95, 0.1)):
            rows.add("pair_score", middle + offset, subject=kind, fraction=quantile, **common)
    for part in ("train", "test"):
        rows.add("cluster_nmi", 0.45, subject=part, **common)
        rows.add("cluster_ari", 0.25, subject=part, **common)
    for modality in ("image", "text"):
        rows.add("clusters", 5, subject=modality, **common)


def _add_state(rows, names, primary, total, n_test):
    common = {"stage": "dataset", "key": "split"}
    parts = {
        "primary": primary,
        "reserve": total - primary,
        "total": total,
        "test": np.full(len(names), n_test // len(names)),
    }
    for part, counts in parts.items():
        rows.add(f"n_{part}", counts.sum(), subject=part, **common)
        rows.add_classes("class_size", counts, names, subject=part, **common)
    for part in ("primary", "total"):
        for metric, value in dataset_indicators(ClassSizes(parts[part], int(parts[part].sum()))).items():
            rows.add(metric, value, subject=part, **common)
    rows.add("num_classes", len(names), **common)
    rows.add("majority_rate", 1 / len(names), subject="test", **common)
    for estimator in ESTIMATORS:
        values = {"scale": 0.4, "coverage": 0.35, "authenticity": 0.82, "richness": 1.0}
        for metric, value in values.items():
            rows.add(metric, value, subject="total", estimator=estimator, **common)


def _add_measures(rows, names, primary, rng):
    for factor in FACTORS:
        hits = primary // factor
        defined = hits >= 30
        coverage = np.where(defined, 1 - 15 / np.maximum(hits, 1) - 0.02 * rng.random(len(names)), np.nan)
        coverage = np.clip(coverage, 0, 1)
        authenticity = np.clip(0.9 + 0.09 * rng.random(len(names)) + 0.01 * np.log2(factor), 0, 1)
        richness = authenticity + (1 - authenticity) * (len(names) - 2) / (len(names) - 1)
        common = {
            "stage": "measures",
            "subject": "primary",
            "key": "obs",
            "factor": factor,
            "n": int(primary.sum() // factor),
        }
        flags = ["" if ok else "undefined: too few true positives" for ok in defined]
        rows.add_classes("scale", np.full(len(names), 1 / factor), names, **common)
        rows.add_classes("coverage", coverage, names, low=coverage, high=coverage, flag=flags, **common)
        rows.add_classes("authenticity", authenticity, names, **common)
        rows.add_classes("richness", richness, names, **common)
        rows.add_classes("true_positives", hits, names, **common)
        rows.add_classes("gap", 0.02 * factor**0.5 * (1 + np.arange(len(names))), names, **common)


def _add_estimates(rows, names, primary, met, rng):
    for subject in ("primary", "total"):
        for index, estimator in enumerate(ESTIMATORS):
            size = 0.0 if estimator in met else (90_000.0, 4_000.0, 9_000.0)[index] * (1 + 0.05 * rng.random())
            flag = "met" if size == 0 else ""
            common = {
                "stage": "foundation",
                "subject": subject,
                "estimator": estimator,
                "level": 0.95,
                "key": "foundation",
            }
            rows.add("foundation_size", size, low=0.8 * size, high=1.4 * size, flag=flag, **common)
            steps = np.full(len(names), size)
            flags = [flag] * len(names)
            if estimator == "paper":
                steps[-1], flags[-1] = np.nan, "undefined"
            rows.add_classes("step_size", steps, names, low=0.8 * steps, high=1.4 * steps, flag=flags, **common)
            needs = steps * primary / primary.sum()
            needs[0] = 0.0
            rows.add_classes("need", needs, names, low=0.8 * needs, high=1.4 * needs, flag=flags, **common)


def _add_plan(rows, names, primary, total, strategy):
    added = {}
    for fraction in FRACTIONS:
        budget = int(fraction * (total - primary).sum())
        weights = (total - primary) if strategy == "scar" else np.ones(len(names))
        counts = np.floor(budget * weights / weights.sum()).astype(int)
        counts[0] += budget - counts.sum()
        common = {"stage": "plan", "subject": strategy, "fraction": fraction, "key": f"plan-{strategy}"}
        rows.add("budget", budget, **common)
        rows.add("extension_size", primary.sum() + budget, **common)
        rows.add_classes("added", counts, names, **common)
        added[fraction] = budget
    return added


def _add_outlook(rows, names, primary, strategy):
    """Plans of 2, 25 and 100 % and what they were forecast to gain; beyond the reserve the largest is not forecast."""
    flat, steep = np.ones(len(names)), np.linspace(1, 2, len(names))
    planned = [(stage, strategy, steep if strategy == "scar" else flat) for stage in ("plan", "collect")]
    planned += [("target_mix", f"tau={tau:g}", steep**tau) for tau in (0, 0.5, 1)]
    for stage, subject, share in planned:
        for fraction in (0.02, 0.25, 1.0):
            most = 6_000 if stage == "collect" else 2_000
            counts = np.floor(fraction * most * share / share.sum()).astype(int)
            place = {"stage": stage, "subject": subject, "fraction": fraction, "n": int(primary.sum() + counts.sum())}
            rows.add("what_if_cost", counts.sum(), key="outlook", **place)
            rows.add_classes("what_if_added", counts, names, key="outlook", **place)
            refused = stage == "collect" and fraction == 1.0
            gain = np.nan if refused else 0.04 * fraction**0.5
            for metric, value in (("matched_accuracy", 0.8), ("matched_balanced_accuracy", 0.78)):
                about = {"flag": "refused_too_large" if refused else "", "key": "outlook", **place}
                score = f"expected_{metric}"
                rows.add(score, value + gain, low=value + gain - 0.02, high=value + gain + 0.02, **about)
                rows.add(score.replace("accuracy", "gain"), gain, low=gain - 0.01, high=gain + 0.01, **about)


def decided(predicted):
    """Predictions of an arm whose raw and matched decisions are the same."""
    return Predictions(raw=predicted, deployment=predicted, uniform=predicted, converged=True)


def _outcomes(rng, n_test, classes, strategy, gain, constant):
    labels = np.arange(n_test) % classes
    ease, hardness = rng.normal(0, 0.02), np.random.default_rng(7).normal(0, 0.6, n_test)
    latent = rng.normal(0, 0.5, n_test) + hardness

    def right(accuracy, noise):
        score = latent + noise
        return score > np.quantile(score, 1 - min(accuracy, 0.999))

    outcomes = {"labels": labels, "primary": right(0.78 + ease, 0 * latent)}
    outcomes["total"] = right(0.88 + ease, rng.normal(0, 0.1, n_test))
    own = np.random.default_rng([len(strategy), int(1e6 * abs(ease))])
    for fraction in FRACTIONS:
        noise = own.normal(0, 0.15, n_test)
        value = right(0.78 + ease + gain[strategy] * np.sqrt(fraction / 0.25), noise)
        outcomes[arm_name(strategy, fraction)] = labels == 0 if constant else value
    return outcomes


def _add_scores(rows, arm, predicted, labels, primary, added, total):
    subject, _, fraction = arm.partition("@")
    size = {"primary": primary.sum(), "total": total.sum()}.get(subject)
    common = {"stage": "evaluation", "subject": subject, "key": f"arm-{arm}"}
    if fraction:
        common["fraction"] = float(fraction)
        size = primary.sum() + added[float(fraction)]
    scores = score_decisions(predicted, labels)
    majority = scores.accuracy <= np.bincount(labels).max() / len(labels)
    common |= {"n": int(size), "flag": "majority_rate" if majority else ""}
    for metric in SCORES:
        rows.add(metric, getattr(scores, metric), **common)
