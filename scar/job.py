"""One job: reuse it if it is done, otherwise run its stages and leave rows, outcomes and plans in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar.banks import bank_curves
from scar.completion.outlook import write_shopping_list
from scar.completion.plan import write_plan
from scar.config import Config
from scar.config_nodes import ConfigError, find_task
from scar.console import announce, console, escape
from scar.evaluation import SCORES
from scar.keys import derived_keys, with_upstream
from scar.loggers import JobLogger
from scar.pipeline import Job
from scar.progress import job as shown_job
from scar.provenance import git_states, versions
from scar.record import JobRecord
from scar.results import PREDICTIONS, arm_name, save_predictions, write_frame
from scar.stages import missing_stages
from scar.store import Store, make_key
from scar.versions import note_version

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from scar.evaluation import Scores
    from scar.pipeline import Arm


def run_job(config: Config, folder: Path, *, settings: DictConfig, overrides: Sequence[str]) -> float:
    """Run a job and return its objective.

    Args:
        config: validated configuration.
        folder: of the job; named by `scar.config.job_digest`.
        settings: the composed configuration, kept beside the results.
        overrides: what was asked for on the command line.
    """
    job = Job(config, open_store(config))
    with JobRecord(folder).alone():
        before = finished(job, folder)
        return before if before is not None else _run(job, folder, settings=settings, overrides=overrides)


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
    """Return what the record of a finished job names: its final artefacts and the code that makes its rows."""
    return [str(key) for key in job.keys] + [str(make_key("rows", code=["scar.measurements", "scar.results"]))]


def _run(job: Job, folder: Path, *, settings: DictConfig, overrides: Sequence[str]) -> float:
    from omegaconf import OmegaConf

    config, store, keys = job.config, job.store, final_keys(job)
    plain = OmegaConf.to_container(settings, resolve=True)
    about = {"job": folder.name, "overrides": list(overrides), "seeds": seeds(config)}
    before = JobRecord(folder).read()
    shown = shown_job(lambda: missing_stages(describe(config), store, with_upstream(job.keys)))
    with JobRecord(folder).running(about) as result, _logger(config, folder, plain) as logger, shown:
        from scar.measurements import measure_job

        result |= {"version": note_version(job.catalogue, folder, before)}
        OmegaConf.save(settings, folder / "config.yaml", resolve=True)
        scores = job.evaluate()
        frame = measure_job(job, digest=folder.name).frame()
        write_outcomes(folder / PREDICTIONS, job, scores)
        plans = write_plans(folder, job)
        write_frame(frame, folder / "rows.parquet")
        outcomes = {
            f"{arm_name(arm.subject, arm.fraction)}/{metric}": getattr(scores[arm], metric)
            for arm in job.arms
            for metric in SCORES
        }
        value = objective(config, outcomes)
        logger.log(
            frame,
            plans,
            files=[folder / name for name in ("config.yaml", "rows.parquet", PREDICTIONS)],
            about={**about, "versions": versions(), "git": git_states()},
            banks=bank_curves(job) if logger.needs_banks else None,
            objective=value,
        )
        files = [folder / name for name in ("config.yaml", "rows.parquet", "rows.csv", PREDICTIONS)] + plans
        sizes = {path.name: path.stat().st_size for path in files}
        uses = sorted(with_upstream(job.keys), key=str)
        result |= {"keys": keys, "scores": outcomes, "files": sizes}
        result |= {"uses": [str(key) for key in uses], "stages": store.costs(uses)}
        result |= {"encoder": job.encoder_cost()}
    made = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in store.seconds.items() if seconds >= 0.05)
    console().print(f"[green]finished[/] {escape(describe(config))}: {made or 'everything was in the store'}")
    announce("job", status="finished", folder=folder, objective=value, seconds=store.seconds)
    return value


def objective(config: Config, scores: Mapping[str, float]) -> float:
    """Return the score that `Config.objective` names: ``metric`` of the largest budget, or ``arm/metric``.

    Raises:
        ConfigError: there is no such arm.
    """
    arm, _, metric = config.objective.rpartition("/")
    name = f"{arm or arm_name(config.completion.name, config.budgets.fractions[-1])}/{metric}"
    if name not in scores:
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
    about = {"job": folder.name, "overrides": list(overrides), "seeds": seeds(config)}
    record = JobRecord(folder)
    with record.alone(), record.running(about) as result:
        OmegaConf.save(settings, folder / "config.yaml", resolve=True)
        find_task(config.task)(config, folder)
        result["uses"] = sorted(map(str, derived_keys()))  # what a loop of its own may have used: all of it
    console().print(f"[green]finished[/] {escape(describe(config))}: {escape(folder)}")
    announce("job", status="finished", folder=folder)


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
        f"seed {config.seed}",
        config.completion.name,
    )
    return " · ".join(parts)


def _logger(config: Config, folder: Path, settings: Any) -> JobLogger:
    return JobLogger(
        config.logger,
        folder,
        job=folder.name,
        study=config.study,
        name=f"{config.dataset.name}/{config.encoder.name}/{config.completion.name}/seed{config.seed}",
        tags=[config.dataset.name, config.encoder.name, config.regime.name, config.completion.name],
        settings=settings,
    )


def write_outcomes(path: Path, job: Job, scores: dict[Arm, Scores]) -> None:
    """Write, atomically, the test labels and what each arm predicted."""
    predictions = {arm_name(arm.subject, arm.fraction): result.predictions for arm, result in scores.items()}
    save_predictions(path, job.split.labels[job.split.test], predictions)


def write_plans(folder: Path, job: Job) -> list[Path]:
    """Write the plan of every budget and the shopping list for the people who will label; return the files."""
    paths = []
    for plan in job.plans:
        path = folder / f"plan-{plan.strategy}-{plan.fraction * 100:g}pct.csv"
        write_plan(path, plan, ids=job.catalogue.ids, labels=job.planned_labels, names=job.steps.names)
        paths.append(path)
    if job.outlook is not None:
        path = folder / f"shopping-{job.config.completion.name}.csv"
        write_shopping_list(path, job.outlook.shopping, job.config.completion.name)
        paths.append(path)
    return paths
