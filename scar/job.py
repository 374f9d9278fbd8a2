"""One job: reuse it if it is done, otherwise run its stages and leave rows, outcomes and plans in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scar.completion.problem import write_plan
from scar.config import Config, find_task
from scar.console import console, escape
from scar.loggers import JobLogger
from scar.pipeline import Job
from scar.record import JobRecord
from scar.results import arm_name, write_frame
from scar.store import Store, make_key, replacing

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from scar.evaluation import Scores
    from scar.pipeline import Arm


def run_job(config: Config, folder: Path, *, settings: DictConfig, overrides: Sequence[str]) -> float:
    """Run a job and return the balanced accuracy of its largest budget.

    Args:
        config: validated configuration.
        folder: of the job; named by `scar.config.job_digest`.
        settings: the composed configuration, kept beside the results.
        overrides: what was asked for on the command line.
    """
    from omegaconf import OmegaConf

    store = Store(config.paths.store_dir, policy=config.store.policy)
    job, record = Job(config, store), JobRecord(folder)
    keys = [str(key) for key in job.keys] + [str(make_key("rows", code=["scar.measurements", "scar.results"]))]
    if config.store.policy == "reuse" and record.is_done(keys):
        console().print(f"[dim]done before[/] {escape(describe(config))}")
        return float(record.read()["objective"])

    folder.mkdir(parents=True, exist_ok=True)
    plain = OmegaConf.to_container(settings, resolve=True)
    about = {"job": folder.name, "overrides": list(overrides)}
    with record.running(about) as result, _logger(config, folder, plain) as logger:
        from scar.measurements import measure_job

        OmegaConf.save(settings, folder / "config.yaml", resolve=True)
        scores = job.evaluate()
        frame = measure_job(job, digest=folder.name).frame()
        write_outcomes(folder / "correct.npz", job, scores)
        plans = write_plans(folder, job)
        write_frame(frame, folder / "rows.parquet")
        logger.log(frame, plans)
        objective = scores[job.arms[-1]].balanced_accuracy
        files = [folder / name for name in ("config.yaml", "rows.parquet", "rows.csv", "correct.npz")] + plans
        sizes = {path.name: path.stat().st_size for path in files}
        result |= {"keys": keys, "objective": objective, "seconds": store.seconds, "files": sizes}
    made = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in store.seconds.items() if seconds >= 0.05)
    console().print(f"[green]finished[/] {escape(describe(config))}: {made or 'everything was in the store'}")
    return objective


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
    folder.mkdir(parents=True, exist_ok=True)
    with JobRecord(folder).running({"job": folder.name, "overrides": list(overrides)}):
        OmegaConf.save(settings, folder / "config.yaml", resolve=True)
        find_task(config.task)(config, folder)
    console().print(f"[green]finished[/] {escape(describe(config))}: {escape(folder)}")


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
    """Write, atomically, the test labels and which test items each arm classified rightly."""
    arrays: dict[str, Any] = {arm_name(arm.subject, arm.fraction): result.correct for arm, result in scores.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, labels=job.split.labels[job.split.test], **arrays)


def write_plans(folder: Path, job: Job) -> list[Path]:
    """Write the plan of every budget for the people who will label, and return the files."""
    paths = []
    for plan in job.plans:
        path = folder / f"plan-{plan.strategy}-{plan.fraction * 100:g}pct.csv"
        write_plan(path, plan, ids=job.catalogue.ids, labels=job.split.labels, names=job.steps.names)
        paths.append(path)
    return paths
