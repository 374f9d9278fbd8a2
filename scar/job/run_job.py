"""One job: reuse it if it is done, otherwise run its stages and leave rows, outcomes and plans in its folder."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar.common.console import announce, console, escape
from scar.common.files import describe_files
from scar.common.progress import job as shown_job
from scar.common.provenance import git_states, versions
from scar.common.time_left import Stages
from scar.completion.outlook import write_shopping_list
from scar.completion.plan import write_plan
from scar.config.job_identity import job_identity
from scar.config.nodes import ConfigError, find_task
from scar.config.schema import Config
from scar.encoders.embeddings.cost import read_cost
from scar.evaluation.deployment import is_declared
from scar.evaluation.label_scores import scores_of
from scar.job.algorithm import algorithm
from scar.job.data_versions import note_version, supersede
from scar.job.flow import artefacts
from scar.job.gains import gains
from scar.job.job import Job
from scar.job.loggers import Draw, JobLogger
from scar.job.map_file import write_map
from scar.job.measurements import measure_job
from scar.job.record import JobRecord
from scar.job.rows import PREDICTIONS, arm_name, named_arm, save_predictions, write_rows
from scar.job.shared_bank import retrain_arms
from scar.job.training_curves import arm_curves
from scar.probes.probe_set import load_curve
from scar.store.costs import missing_stages
from scar.store.keys import derived_keys, make_key
from scar.store.store import Store

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run_job(
    config: Config, folder: Path, *, settings: DictConfig, overrides: Sequence[str], draw: Draw | None = None
) -> float:
    """Run a job and return its objective.

    Args:
        config: validated configuration.
        folder: of the job; named by `scar.config.build.job_digest`.
        settings: the composed configuration, kept beside the results.
        overrides: what was asked for on the command line.
        draw: see `scar.job.loggers.JobLogger`.
    """
    job = algorithm(config, open_store(config))
    with JobRecord(folder).alone():
        before = finished(job, folder)
        return before if before is not None else _run(job, folder, settings=settings, overrides=overrides, draw=draw)


def open_store(config: Config) -> Store:
    """Return the store of a configuration."""
    return Store(config.paths.store_dir, policy=config.store.policy, verify=config.store.verify)


def finished(job: Job, folder: Path) -> float | None:
    """Return the objective of a job that is done, and say so; None for a job that has to run."""
    record = JobRecord(folder)
    if job.store.policy != "reuse" or not record.is_done(final_keys(job)):
        return None
    console().print(f"[dim]done before[/] {escape(describe(job.config))}")
    value = objective(job.config, record.read()["scores"])
    announce("job", status="done before", folder=folder, objective=value)
    return value


def final_keys(job: Job) -> list[str]:
    """Return what the record of a finished job names: its last artefacts and the code that makes its rows."""
    return [*(str(handle.key) for handle in job.final), str(make_key("rows", code=[measure_job]))]


def _cost(stages: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return what the artefacts of a job have cost, wherever they were made: seconds in all and by stage, MiB at most."""
    by_stage = {f"cost/{stage}_seconds": each["seconds"] for stage, each in stages.items()}
    whole = {"cost/seconds": sum(by_stage.values())}
    return whole | {"cost/peak_mib": max(each["peak_mib"] for each in stages.values())} | by_stage


def uses_of(job: Job) -> list[str]:
    """Return the artefacts that a job reads or makes."""
    return sorted(map(str, artefacts(job.final)))


def _run(job: Job, folder: Path, *, settings: DictConfig, overrides: Sequence[str], draw: Draw | None) -> float:
    from omegaconf import OmegaConf

    config, store, keys = job.config, job.store, final_keys(job)
    settings = copy.deepcopy(settings)
    OmegaConf.update(settings, "pool.mix", config.mix, force_add=True)
    plain = OmegaConf.to_container(settings, resolve=True)
    about, before = _about(config, folder, overrides), JobRecord(folder).read()
    kept, about["uses"] = dict(about), uses_of(job)
    shown = shown_job(lambda: Stages(describe(config), missing_stages(store, artefacts(job.final))))
    logger = _logger(config, folder, plain, draw)
    # A run ends before its job is done: killed in between, the job is repeated, and so is the run.
    with JobRecord(folder).running(about) as result, shown, logger, logger.watching():
        result |= {"version": note_version(job.catalogue, folder, before)}
        OmegaConf.save(settings, folder / "config.yaml", resolve=True)
        for subject, each in job.characterized.items():
            if logger.needs_banks or not store.has(each.probes.key):  # damaged, where the measures are there
                _ = each.probes.value
            if logger.needs_banks:
                logger.log_bank(subject, store.read(each.probes.key, load_curve))
        retrain_arms([job])
        if logger.needs_banks:
            logger.log_bank("evaluation", arm_curves(job))
        rows = measure_job(job, digest=folder.name)
        frame = rows.frame()
        write_outcomes(folder / PREDICTIONS, job)
        plans, maps = write_plans(folder, job), write_map(folder, job)
        write_rows(rows, folder / "rows.parquet")
        outcomes = {
            f"{arm_name(arm.subject, arm.fraction)}/{metric}": getattr(arm.scores.value, metric)
            for arm in job.arms
            for metric in scores_of(arm.scores.value)
        }
        value = objective(config, outcomes)
        costs = store.costs(sorted(artefacts(job.final), key=str))
        logger.log(
            frame,
            plans,
            files=[folder / name for name in ("config.yaml", "rows.parquet", PREDICTIONS)],
            about={**kept, "versions": versions(), "git": git_states()},
            summary={"objective": value, **_cost(costs), **gains(job)} if logger.run else None,
        )
        files = [folder / name for name in ("config.yaml", "rows.parquet", "rows.csv", PREDICTIONS)] + plans + maps
        result |= {"keys": keys, "scores": outcomes, "files": describe_files(folder, files)}
        result |= {"stages": costs}
        result |= {"encoder": encoder_cost(job)}
    made = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in store.seconds.items() if seconds >= 0.05)
    console().print(f"[green]finished[/] {escape(describe(config))}: {made or 'everything was in the store'}")
    announce("job", status="finished", folder=folder, objective=value, seconds=store.seconds)
    return value


def encoder_cost(job: Job) -> dict[str, Any]:
    """Return what the embeddings that are probed have cost, and how large they are."""
    embeddings = job.embeddings
    rows = sum(len(shard) for shard in embeddings.shards)
    size = {"samples": len(embeddings), "rows": rows, "dimension": embeddings.dimension}
    return size | read_cost(job.store.path(job.inputs.embeddings.key))


def objective(config: Config, scores: Mapping[str, float]) -> float:
    """Return the score that `Config.objective` names: ``metric`` of the largest budget, or ``arm/metric``.

    Raises:
        ConfigError: there is no such arm.
    """
    arm, metric = named_arm(config)
    if (name := f"{arm}/{metric}") not in scores:
        arms = dict.fromkeys(each.rpartition("/")[0] for each in scores)
        raise ConfigError(f"objective={config.objective!r}: there is no arm {arm!r}; arms are {', '.join(arms)}")
    return scores[name]


def run_task(config: Config, folder: Path, *, settings: DictConfig, overrides: Sequence[str]) -> None:
    """Run a study that has a loop of its own; the artefacts that it leaves in the store make repeating it cheap.

    Args:
        config: validated configuration; its `task` is called with it and with the folder.
        folder: of the results.
        settings: the composed configuration, kept beside the results.
        overrides: what was asked for on the command line.
    """
    from omegaconf import OmegaConf

    assert config.task is not None
    record = JobRecord(folder)
    with record.alone(), record.running(_about(config, folder, overrides)) as result:
        OmegaConf.save(settings, folder / "config.yaml", resolve=True)
        try:
            find_task(config.task)(config, folder)
        finally:
            result["uses"] = sorted(map(str, derived_keys()))  # what a loop of its own may have used: all of it
        left = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))
        result["files"] = describe_files(folder, (path for path in left if path != record.path))
    console().print(f"[green]finished[/] {escape(describe(config))}: {escape(folder)}")
    announce("job", status="finished", folder=folder)


def _about(config: Config, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Return what the record of a job says from its beginning, once the folder is free for it.

    Raises:
        ConfigError: the folder belongs to another job.
    """
    own = job_identity(config, fresh=True)
    JobRecord(folder).require_own(own)
    supersede(folder, own.settings, own.place)
    about = {"job": folder.name, "overrides": list(overrides), "seeds": seeds(config)}
    return {**about, "identity": asdict(own)}


def seeds(config: Config) -> dict[str, int]:
    """Return every seed of a job by its key."""
    return {"seed": config.seed, "dataset.seed": config.dataset.seed}


def describe(config: Config) -> str:
    """Return the coordinates of a job in one line."""
    parts = (
        config.dataset.name,
        config.encoder.name,
        *([config.probed] if len(config.modalities) > 1 else []),
        config.regime.name,
        *([f"{config.mix} pool"] if (config.regime.name, config.mix) != ("natural", "natural") else []),
        f"seed {config.seed}",
        config.completion.name,
    )
    return " · ".join(parts)


def _logger(config: Config, folder: Path, settings: Any, draw: Draw | None) -> JobLogger:
    where = (config.dataset.name, config.encoder.name, config.probed, config.regime.name)
    return JobLogger(
        config.logger,
        folder,
        job=folder.name,
        study=config.study,
        name="/".join((*where, config.completion.name, f"seed{config.seed}")),
        tags=[*where, config.completion.name],
        settings=settings,
        draw=draw,
    )


def write_outcomes(path: Path, job: Job) -> None:
    """Write, atomically, the test labels and what each arm predicted."""
    predictions = {arm_name(arm.subject, arm.fraction): arm.predictions.value for arm in job.arms}
    mix = job.inputs.deployment.value if is_declared(job.config.deployment) else None
    save_predictions(path, job.split.labels[job.split.test], predictions, mix)


def write_plans(folder: Path, job: Job) -> list[Path]:
    """Write the plan of every budget and the shopping list for the people who will label; return the files."""
    paths, completion = [], job.completion
    made = [("plan", plan, completion.planned) for plan in job.plans]
    if job.labelling is not None:
        made += [("to-label", plan, job.labelling.planned) for plan in job.plans_to_label]
    for kind, plan, planned in made:
        path = folder / f"{kind}-{plan.strategy}-{plan.fraction * 100:g}pct.csv"
        write_plan(path, plan, ids=job.catalogue.ids, labels=planned.value, names=job.steps.names)
        paths.append(path)
    if completion.outlook is not None:
        path = folder / f"shopping-{job.config.completion.name}.csv"
        write_shopping_list(path, completion.outlook.value.shopping, job.config.completion.name)
        paths.append(path)
    return paths
