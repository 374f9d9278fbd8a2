"""From a finished job to rows: every number that a report may show, once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scar.completion.allocation import allocate
from scar.completion.forecast import FORECASTS, Forecast, NoForecaster
from scar.completion.forecast_settings import LEVEL
from scar.data.samples import POOL
from scar.data.stratify import count_labels
from scar.evaluation.label_scores import LabelScores, scores_of
from scar.evaluation.scores import Scores
from scar.foundation.estimates import Estimate
from scar.foundation.gaps import measure_gaps
from scar.foundation.prospect import Prospect
from scar.job.algorithm import SUBJECTS
from scar.job.job import Job
from scar.job.metrics import Metric
from scar.job.pair_rows import add_pair_rows
from scar.job.rows import MIX_STAGE, ROUND_STAGE, Rows
from scar.measures.dataset import dataset_measures
from scar.measures.steps import MEASURES
from scar.sampling.class_sizes import ClassSizes
from scar.sampling.indicators import dataset_indicators


def measure_job(job: Job, *, digest: str) -> Rows:
    """Collect the rows of a finished job; every artefact is read from the store.

    Args:
        job: whose stages are done.
        digest: name of its folder.
    """
    config = job.config
    rows = Rows(
        study=config.study,
        job=digest,
        dataset=config.dataset.name,
        encoder=config.encoder.name,
        modality=config.probed,
        regime=config.regime.name,
        mix=config.mix,
        seed=config.seed,
        completion=config.completion.name,
    )
    (total,) = (arm.scores.value for arm in job.arms if arm.subject == "total")
    if (supervision := job.inputs.supervision) is not None and (alignment := job.alignment) is not None:
        keys = {"labels_key": str(supervision.key), "alignment_key": str(alignment.key)}
        add_pair_rows(rows, supervision.value, alignment.value, **keys)
    _add_dataset(rows, job, total)
    for subject in SUBJECTS:
        _add_observations(rows, job, subject)
        _add_foundation(rows, job, subject)
    _add_plans(rows, job)
    _add_labelling(rows, job)
    _add_outlook(rows, job)
    _add_round(rows, job)
    _add_scores(rows, job)
    return rows


def _add_dataset(rows: Rows, job: Job, total: Scores | LabelScores) -> None:
    split, names = job.split, job.steps.names
    common = {"stage": "dataset", "key": str(job.inputs.split.key)}
    parts = {p: split.class_sizes(p, job.num_classes) for p in ("primary", "reserve", "validation", "heldout", "test")}
    parts["total"] = parts["primary"] + parts["reserve"]
    sizes = {part: len(getattr(split, part)) for part in parts}
    for part, size in sizes.items():
        rows.add(f"n_{part}", size, subject=part, **common)
    for part in ("total", "primary", "reserve", "test"):
        flags = ["" if count else f"absent_from_{part}" for count in parts[part]]
        rows.add_classes(Metric.CLASS_SIZE, parts[part], names, subject=part, flag=flags, **common)
    for place, note in enumerate(job.catalogue.notes):
        said = note.replace(": ", " – ").replace(";", ",")  # a colon and a semicolon mean something in a flag
        about = {"stage": "dataset", "key": str(job.inputs.dataset.key), "part": place}
        rows.add(Metric.SAMPLES, len(job.catalogue.ids), flag=said, **about)
    if (truncation := job.inputs.truncation) is not None and (cut := truncation.value).limit:
        flag = f"truncated={cut.share:.6f}" if cut.longer else ""
        rows.add(Metric.TRUNCATED, cut.share, flag=flag, n=cut.counted, stage="dataset", key=str(truncation.key))
    rows.add(Metric.NUM_CLASSES, job.num_classes, **common)
    rows.add(Metric.MAJORITY_RATE, parts["test"].max() / sizes["test"], subject="test", **common)
    for subject in SUBJECTS:
        for metric, value in dataset_indicators(ClassSizes(parts[subject], sizes[subject])).items():
            rows.add(metric, value, subject=subject, **common)
    for name, each in job.foundation("total").items():
        extended, unallocated = _published_extension(job, job.foundation("primary")[name], name)
        bounded = math.isfinite(each.foundation_size)
        measures = dataset_measures(
            n_total=sizes["total"],
            n_primary=sizes["primary"],
            n_extended=extended,
            foundation_size=each.foundation_size if bounded else 0.0,
            accuracy=total.matched_balanced_accuracy if isinstance(total, LabelScores) else total.accuracy,
        )
        reasons = {"coverage": unallocated}
        reasons |= {} if bounded else dict.fromkeys(("scale", "richness"), "undefined: no finite foundation size")
        for measure in MEASURES if not job.steps.several else (m for m in MEASURES if m != Metric.COVERAGE):
            flag = reasons.get(measure, "")
            value = math.nan if flag.startswith("undefined: ") else getattr(measures, measure)
            rows.add(measure, value, subject="total", estimator=name, flag=flag, **common)


def _published_extension(job: Job, estimate: Estimate, estimator: str) -> tuple[int, str]:
    """Return primary plus what the published rule adds when the whole reserve may be spent (§4.3)."""
    problem = job.completion.problem.value
    if problem.co_labels is not None:  # the published fill is of samples of one class each
        return problem.samples, ""
    needs = estimate.step_sizes if estimator == "reference" else estimate.class_needs(problem.counts)
    allocation = allocate(
        needs=needs, counts=problem.counts, reserve=problem.reserve, budget=int(problem.reserve.sum()), rule="published"
    )
    return int(problem.counts.sum() + allocation.counts.sum()), ";".join(allocation.flags)


def _add_observations(rows: Rows, job: Job, subject: str) -> None:
    seen, names = job.observations(subject), job.steps.names
    for factor in np.unique(seen.factors):
        at = seen.factors == factor
        present = (seen.class_sizes[at] > 0).all(axis=0)
        common: dict[str, Any] = {
            "stage": "measures",
            "subject": subject,
            "key": str(job.characterized[subject].measures.key),
        }
        common |= {"factor": int(factor), "n": int(seen.sizes[at].mean())}
        for measure in MEASURES:
            values = getattr(seen, measure)[at]
            defined = np.isfinite(values).any(axis=0)
            filled = np.where(np.isfinite(values), values, np.nan)
            counts = np.isfinite(values).sum(axis=0)
            flags = [_definedness(int(n), len(values), ok) for n, ok in zip(counts, present, strict=True)]
            rows.add_classes(
                measure,
                _reduce(np.nanmean, filled, defined),
                names,
                low=_reduce(np.nanmin, filled, defined),
                high=_reduce(np.nanmax, filled, defined),
                flag=flags,
                **common,
            )
        rows.add_classes(Metric.TRUE_POSITIVES, seen.true_positives[at].mean(axis=0), names, **common)
    _add_training(rows, job, subject)
    if seen.heldout_misses is not None:
        _add_gaps(rows, job, subject)


def _add_training(rows: Rows, job: Job, subject: str) -> None:
    """Add how the training of the probes ended, and what it met in the features."""
    seen, measures = job.observations(subject), job.characterized[subject].measures
    about = {"stage": "probes", "subject": subject, "key": str(measures.key)}
    if seen.converged is None or seen.constant_features is None or seen.far_rows is None:
        return
    short, far = int(np.count_nonzero(~seen.converged)), int(seen.far_rows[0])
    rows.add(Metric.CONVERGED, seen.converged.mean(), flag=f"unconverged={short}" if short else "", **about)
    rows.add(Metric.CONSTANT_FEATURES, seen.constant_features[0], **about)
    rows.add(Metric.FAR_ROWS, far, flag=f"far_rows={far}" if far else "", **about)


def _add_gaps(rows: Rows, job: Job, subject: str) -> None:
    """Add held-out minus training error by class and factor (Definition 1), means over the parts of a factor."""
    seen = job.observations(subject)
    gaps = measure_gaps(seen, error=job.config.foundation.error)
    factors = sorted(np.unique(seen.factors), key=lambda factor: float(seen.sizes[seen.factors == factor].mean()))
    common = {"stage": "measures", "subject": subject, "key": str(job.characterized[subject].measures.key)}
    for index, factor in enumerate(factors):
        place = {"factor": int(factor), "n": int(gaps.sizes[index])}
        values = np.where(gaps.defined, gaps.gap[index], np.nan)
        flags = ["" if ok else "undefined: class absent" for ok in gaps.defined]
        rows.add_classes(Metric.GAP, values, job.steps.names, flag=flags, **place, **common)


def _definedness(parts_defined: int, parts: int, present: bool) -> str:
    """Return why a measure has no value, or that it is a mean over some of the parts only."""
    if parts_defined == parts:
        return ""
    if parts_defined:
        return f"mean over {parts_defined} of {parts} parts"
    return "undefined: too few true positives" if present else "undefined: class absent from a part"


def _reduce(function: Callable[..., Any], values: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """Reduce [P, K] over the probes where a class has any value; NaN elsewhere."""
    result = np.full(values.shape[1], np.nan)
    if defined.any():
        result[defined] = function(values[:, defined], axis=0)
    return result


def _add_foundation(rows: Rows, job: Job, subject: str) -> None:
    names = job.steps.names
    counts = job.split.class_sizes(subject, job.num_classes)
    for name, each in job.foundation(subject).items():
        common = {"stage": "foundation", "subject": subject, "estimator": name, "level": each.level}
        size = len(getattr(job.split, subject))
        common |= {"key": str(job.characterized[subject].foundation.key), "n": size}
        low, high = each.interval
        rows.add(Metric.FOUNDATION_SIZE, each.foundation_size, low=low, high=high, flag=";".join(each.flags), **common)
        flags = [";".join(flags) for flags in each.step_flags]
        low_steps, high_steps = each.step_intervals.T
        rows.add_classes(Metric.STEP_SIZE, each.step_sizes, names, low=low_steps, high=high_steps, flag=flags, **common)
        share = counts / size
        bounds = {"low": low_steps * share, "high": high_steps * share}
        rows.add_classes(Metric.NEED, each.class_needs(counts, size), names, flag=flags, **bounds, **common)
        if each.prospect is not None:
            _add_prospect(rows, each.prospect, names, **common)


def _add_prospect(rows: Rows, ahead: Prospect, names: tuple[str, ...], **common: Any) -> None:
    """Add what multiples of the data are expected to bring; the column ``fraction`` holds the multiple."""
    for i, multiple in enumerate(ahead.multiples):
        at = common | {"stage": "prospect", "fraction": float(multiple)}
        rows.add(Metric.REACH, ahead.probability[i], **at)
        rows.add_classes(Metric.REACH, ahead.class_probability[i], names, **at)
        for metric, (value, low, high) in (
            (Metric.GAP_AHEAD, ahead.gap[i]),
            (Metric.ACCURACY_AHEAD, ahead.accuracy[i]),
        ):
            rows.add(metric, value, low=low, high=high, **at)


def _add_plans(rows: Rows, job: Job) -> None:
    primary = len(job.split.primary)
    for plan in job.plans:
        common = {
            "stage": "plan",
            "subject": plan.strategy,
            "fraction": plan.fraction,
            "key": str(job.completion.plans.key),
        }
        flag = ";".join(plan.flags)
        rows.add(Metric.BUDGET, plan.budget, flag=flag, **common)
        rows.add(Metric.EXTENSION_SIZE, primary + plan.counts.sum(), flag=flag, **common)
        rows.add(Metric.COST, plan.cost, flag=plan.selection, **common)
        rows.add_classes(Metric.ADDED, plan.counts, job.steps.names, **common)
        if job.steps.several:  # planned by the label that a sample stands under; what its labels are
            obtained = count_labels(job.split.labels[plan.rows], job.num_classes)
            rows.add_classes(Metric.OBTAINED, obtained, job.steps.names, **common)
        if (view := job.completion.view) is not None:  # planned by predicted class; what was to be expected, what came
            expected = view.value.expect(plan.rows)
            interval = {"low": expected.low, "high": expected.high, "level": expected.level}
            rows.add_classes(Metric.EXPECTED, expected.expected, job.steps.names, **interval, **common)
            obtained = np.bincount(job.split.labels[plan.rows], minlength=job.num_classes)
            rows.add_classes(Metric.OBTAINED, obtained, job.steps.names, **common)


def _add_labelling(rows: Rows, job: Job) -> None:
    """Add how many samples of the pool without labels to label, and what is expected of them by class."""
    if job.labelling is None:
        return
    rows.add(Metric.N_POOL, len(job.catalogue.rows(POOL)), stage="labelling", key=str(job.inputs.dataset.key))
    for plan in job.plans_to_label:
        common: dict[str, Any] = {"stage": "labelling", "subject": plan.strategy, "fraction": plan.fraction}
        common |= {"key": str(job.labelling.plans.key)}
        rows.add(Metric.TO_LABEL, len(plan.rows), flag=";".join(plan.flags), **common)
        expected = job.labelling.view.value.expect(plan.rows)
        interval = {"low": expected.low, "high": expected.high, "level": expected.level}
        rows.add_classes(Metric.TO_LABEL, expected.expected, job.steps.names, **interval, **common)


def _add_outlook(rows: Rows, job: Job) -> None:
    """Add what the strategy promises over budgets (stage ``plan``; ``collect`` where data are still to be collected).

    What twice the data would do for each class is added as stage ``prospect``.
    """
    if job.completion.outlook is None:
        return
    outlook, names = job.completion.outlook.value, job.steps.names
    common: dict[str, Any] = {"subject": job.config.completion.name, "key": str(job.completion.outlook.key)}
    mixes = [f"tau={tau:g}" for tau in outlook.mixes.taus]
    own = [common["subject"]] * max(len(outlook.reserve.fractions), len(outlook.collect.fractions))
    parts = (("plan", outlook.reserve, own), ("collect", outlook.collect, own), (MIX_STAGE, outlook.mixes, mixes))
    for stage, ahead, subjects in parts:
        for g, fraction in enumerate(ahead.fractions):
            place = {"stage": stage, "fraction": float(fraction), "n": int(ahead.sizes[g])}
            place |= {"subject": subjects[g], "key": common["key"]}
            rows.add(Metric.WHAT_IF_COST, ahead.costs[g], **place)
            if str(ahead.forecast.refused[g]) != "not_asked":  # plans of the seeds that a report looks ahead from
                some = np.flatnonzero(ahead.added[g])
                rows.add_classes(Metric.WHAT_IF_ADDED, ahead.added[g, some], names, classes=some, **place)
            _add_forecast(rows, ahead.forecast, g, flags=(), **place)
    seen = outlook.classes
    some = np.flatnonzero(~np.isnan(seen.now))
    value, low, high = seen.doubled[some].T
    place = {"stage": "prospect", "subject": "primary", "fraction": 2.0, "key": common["key"], "level": LEVEL}
    bounds = {"low": low, "high": high, "flag": seen.verdicts[some]}
    rows.add_classes(Metric.RECALL_AHEAD, value, names, classes=some, **bounds, **place)
    listed = outlook.shopping
    rows.add_classes(Metric.TO_COLLECT, listed.add, names, stage="collect", **common)
    have = len(job.split.total) if job.steps.several else int(listed.have.sum())
    place = {"stage": "collect", "n": have + int(listed.add.sum())}
    _add_forecast(rows, listed.forecast, 0, flags=listed.flags, **place, **common)


def _add_forecast(rows: Rows, ahead: Forecast, g: int, *, flags: tuple[str, ...], **columns: Any) -> None:
    """Add what is expected of one of the sets of a forecast, or NaN and why: ``refused_…``, of `REFUSALS`."""
    reason = str(ahead.refused[g])
    said = (*flags, f"refused_{reason}") if reason else flags
    for metric in FORECASTS:
        value, low, high = getattr(ahead, metric)[g]
        rows.add(f"expected_{metric}", value, low=low, high=high, level=LEVEL, flag=";".join(said), **columns)


def _add_round(rows: Rows, job: Job) -> None:
    """Add what to do in the next round (stage `ROUND_STAGE`); the flag of `Metric.ROUND_CHANCE` says it in words."""
    if job.next_round is None:
        return
    step, config = job.next_round.value, job.config
    if isinstance(forecaster := job.completion.forecaster.value, NoForecaster) and forecaster.reason == "not_asked":
        return  # other seeds than the first
    place = {"stage": ROUND_STAGE, "subject": config.completion.name, "key": str(job.next_round.key)}
    some = np.flatnonzero(step.counts)
    rows.add_classes(Metric.ROUND_ADDED, step.counts[some], job.steps.names, classes=some, **place)
    rows.add(Metric.ROUND_COST, step.cost, n=int(step.counts.sum()), **place)
    value, low, high = step.gain
    rows.add(Metric.ROUND_GAIN, value, low=low, high=high, level=LEVEL, **place)
    rows.add(Metric.ROUND_CHANCE, step.probability, flag=f"{step.action}: {step.why}", **place)
    rows.add(Metric.HORIZON_CHANCE, step.by_horizon, **place)
    rows.add(Metric.HORIZON_COST, step.expected_cost, **place)


def _add_scores(rows: Rows, job: Job) -> None:
    for arm in job.arms:
        result = arm.scores.value
        common: dict[str, Any] = {"stage": "evaluation", "subject": arm.subject, "key": str(arm.predictions.key)}
        flags = {"majority_rate": result.majority, "unconverged": not result.predictions.converged}
        common |= {"n": len(arm.rows.value), "flag": ";".join(name for name, on in flags.items() if on)}
        if arm.fraction is not None:
            common["fraction"] = arm.fraction
        for metric in scores_of(result):
            rows.add(metric, getattr(result, metric), **common)
        if isinstance(result, LabelScores):
            for metric, values in result.by_label.items():
                flags_of = [
                    "" if np.isfinite(value) else "undefined: label absent from the test part" for value in values
                ]
                each = {**common, "stage": "labels", "flag": flags_of}
                rows.add_classes(metric, values, job.steps.names, **each)
