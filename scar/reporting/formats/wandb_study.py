"""The report of a study as one summary run of Weights & Biases: its tables, figures and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import wandb

from scar.common.files import CorruptArtefactError, read_json, write_json
from scar.common.spreadsheets import read_frame
from scar.config.runtime import LoggerConfig
from scar.job._wandb_run import open_run, safe_id, spared, staged, wandb_mode
from scar.reporting.map_view import without_previews
from scar.reporting.write import RECORD

LOGGED = "logged.json"
"""Beside the runs: which state of the report was logged."""
ROWS = 10_000
"""Rows of a table that wandb shows; longer ones are in the artifact alone."""


def log_study(paths: Mapping[str, Path], config: LoggerConfig, *, name: str) -> bool:
    """Log a written report; a state that was logged before is not logged again.

    Args:
        paths: of `scar.reporting.write.write_report`.
        config: where to; every CSV becomes a table, every PNG an image, all files one artifact.
        name: of the study.

    Returns:
        Whether anything was logged.
    """
    folder = paths["report.html"].parent
    mode = wandb_mode(config.wandb)
    state = {"digest": read_json(folder / RECORD)["digest"], "files": sorted(paths), "mode": mode}
    if mode == "disabled" or _logged(folder, name) == state:
        return False
    run = open_run(
        folder,
        mode=config.wandb,
        project=config.project,
        run_id=_run_id(name),
        name=f"{name} (report)",
        group=name,
        kind="report",
        tags=["report", *config.tags],
        settings={"study": name, "digest": state["digest"]},
    )
    if run is None:
        return False
    logged = False
    with spared("logging the report"):
        with staged(run):
            run.log({**_tables(paths), **_images(paths)})
            artifact = wandb.Artifact(safe_id(f"report-{name}"), type="report")
            for file in sorted(paths.values()):
                if file.name != "report.html":
                    artifact.add_file(str(file))
            with artifact.new_file("report.html", encoding="utf-8") as page:
                page.write(without_previews(paths["report.html"].read_text(encoding="utf-8")))
            run.log_artifact(artifact)
        logged = True
    with spared("finishing a run"):
        run.finish(exit_code=0 if logged else 1)
    if logged:
        write_json(folder / "wandb" / LOGGED, {**state, "mode": "offline" if run.offline else "online"})
    return logged


def _run_id(name: str) -> str:
    return f"{name}-report"


def _logged(folder: Path, name: str) -> Any:
    """Return the state that was logged, None where there is none or an offline run that is gone."""
    try:
        state = read_json(folder / "wandb" / LOGGED)
    except CorruptArtefactError:
        return None
    there = any(folder.glob(f"wandb/offline-run-*-{safe_id(_run_id(name))}"))
    return state if there or state.get("mode") == "online" else None


def _tables(paths: Mapping[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, path in sorted(paths.items()):
        if path.suffix == ".csv" and path.stat().st_size > 1:
            frame = read_frame(path)
            if 0 < len(frame) <= ROWS:
                found[f"tables/{Path(name).stem}"] = wandb.Table(dataframe=_plain(frame))
    return found


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with None for what is missing and one type in each column, as wandb wants it."""
    frame = frame.astype(object).where(frame.notna(), None)
    for column in frame:
        if frame[column].map(lambda value: isinstance(value, str)).any():
            frame[column] = frame[column].map(lambda value: value if value is None else str(value))
    return frame


def _images(paths: Mapping[str, Path]) -> dict[str, Any]:
    return {
        f"figures/{Path(name).stem}": wandb.Image(str(p)) for name, p in sorted(paths.items()) if p.suffix == ".png"
    }
