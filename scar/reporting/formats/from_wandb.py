"""Rebuilding the folder of a study from its runs of Weights & Biases: offline files, or what was uploaded."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wandb

from scar.common.console import errors, escape
from scar.common.files import write_json
from scar.data.paths import inside
from scar.job.record import DONE, file_faults
from scar.reporting.formats._wandb_files import offline_runs, read_run

KINDS = ("results", "plan")
"""Types of the artifacts that a job leaves."""
MARKER = "from_wandb.json"
"""In a study folder that was rebuilt: where it came from."""


@dataclass(frozen=True, kw_only=True)
class _LoggedJob:
    """A finished job as a run holds it; `fetch` writes its files into a folder."""

    run: str
    about: dict[str, Any]
    fetch: Callable[[Path], None]


def rebuild_study(source: str, target: Path, *, api: Any = None) -> list[Path]:
    """Write the job folders of a study from its runs; a later run of the same job takes the place of an earlier one.

    Args:
        source: a folder with offline runs somewhere below it, or ``entity/project/group`` of uploaded ones.
        target: the study folder. One that was rebuilt before is made anew.
        api: as `wandb.Api`, which is asked if None.

    Returns:
        The job folders.

    Raises:
        FileNotFoundError: no run of a finished job, or one whose files are not in its folder.
        ValueError: `target` holds jobs that were run there; `source` is neither a folder nor three names; a run is
            damaged.
    """
    if (target / "jobs").exists() and not (target / MARKER).exists():
        raise ValueError(f"{target} holds jobs that were run there; rebuild into another folder, e.g. study=rebuilt")
    found = _offline(Path(source)) if Path(source).is_dir() else _online(source, api)
    jobs = {str(job.about.get("job")): job for job in found}
    for name, job in jobs.items():
        if not re.fullmatch(r"\w[\w.-]{0,99}", name):
            raise ValueError(f"the run {job.run} names its job {name!r}, which cannot be a folder")
    if not jobs:
        raise FileNotFoundError(f"from_wandb={source}: no run of a finished job is there")
    shutil.rmtree(target / "jobs", ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / MARKER, {"source": source, "runs": sorted(job.run for job in jobs.values())})
    return [_write_job(target / "jobs" / name, job) for name, job in sorted(jobs.items())]


def _write_job(folder: Path, job: _LoggedJob) -> Path:
    folder.mkdir(parents=True)
    job.fetch(folder)
    found = file_faults(folder, job.about)
    if found:
        raise ValueError(
            f"the run {job.run} is damaged: {'; '.join(found)}; sync or copy it again, or run its job again"
        )
    write_json(folder / "status.json", {"status": DONE, **job.about, "from_wandb": job.run})
    return folder


def _offline(folder: Path) -> Iterator[_LoggedJob]:
    for path in offline_runs(folder):
        run = read_run(path)
        about = next((a.metadata for a in run.artifacts if a.kind == "results"), None)
        if run.exit_code == 0 and about is not None:
            files = {name: file for a in run.artifacts if a.kind in KINDS for name, file in a.files.items()}
            yield _LoggedJob(run=run.id, about=about, fetch=_copier(files, path))
        else:
            errors().print(f"[yellow]left out[/] {escape(path)}: its job did not finish")


def _copier(files: Mapping[str, Path], run: Path) -> Callable[[Path], None]:
    def fetch(folder: Path) -> None:
        for name, file in files.items():
            place = file.relative_to(run.parent).as_posix()
            if not inside(run.parent, place).is_file():
                raise FileNotFoundError(
                    f"{run}: its file {name} is not at {file}; only files in the folder of a run are read"
                )
            shutil.copyfile(file, inside(folder, name))

    return fetch


def _online(source: str, api: Any) -> Iterator[_LoggedJob]:
    if source.count("/") != 2 or not all(source.split("/")):
        raise ValueError(f"from_wandb={source!r} is neither a folder with offline runs nor entity/project/group")
    project, _, group = source.rpartition("/")
    api = api or wandb.Api()
    for run in sorted(api.runs(project, filters={"group": group}), key=lambda each: str(each.created_at)):
        logged = [artifact for artifact in run.logged_artifacts() if artifact.type in KINDS]
        about = [dict(artifact.metadata) for artifact in logged if artifact.type == "results"]
        if run.state == "finished" and about:
            yield _LoggedJob(run=run.id, about=about[-1], fetch=_downloader(logged))


def _downloader(artifacts: list[Any]) -> Callable[[Path], None]:
    def fetch(folder: Path) -> None:
        for artifact in artifacts:  # of several versions, the last one stays
            artifact.download(root=str(folder))

    return fetch
