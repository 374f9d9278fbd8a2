"""Where the results of a job go besides its folder: CSV always, Weights & Biases offline unless asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scar.results import arm_name
from scar.store import replacing
from scar.wandb_run import open_run, staged

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

WANDB_MODES = ("offline", "online", "disabled")
MEASURES = ("scale", "coverage", "authenticity", "richness")
EPOCHS = 200
"""Epochs of a bank that are logged at most, evenly spaced: L-BFGS takes thousands."""


@dataclass(frozen=True, kw_only=True)
class LoggerConfig:
    """Loggers of a job.

    Attributes:
        wandb: ``"offline"`` (no account needed; `wandb sync` uploads later), ``"online"`` or ``"disabled"``.
        project: of Weights & Biases.
        tags: added to the tags that every run gets.
        figures: draw the figures of a job for its run.
    """

    wandb: str = "offline"
    project: str = "scar"
    tags: tuple[str, ...] = ()
    figures: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))
        if self.wandb not in WANDB_MODES:
            raise ValueError(f"logger.wandb={self.wandb!r} is unknown; use one of {', '.join(WANDB_MODES)}")


class JobLogger:
    """Logs one job; a context manager, so that the run is finished even when the job fails.

    Samples are never uploaded: a run holds the configuration, the results, the test predictions and the plans, which
    name samples by id.

    Args:
        config: which loggers.
        folder: of the job.
        job: digest of the job; with the study it is the id of the run.
        study: group of the run.
        name: of the run.
        tags: of the run.
        settings: the resolved configuration.
    """

    def __init__(
        self,
        config: LoggerConfig,
        folder: Path,
        *,
        job: str,
        study: str,
        name: str,
        tags: Sequence[str],
        settings: Mapping[str, Any],
    ) -> None:
        self.config = config
        self.folder = folder
        self.job = job
        self.study = study
        self.name = name
        self.tags = [*tags, *config.tags]
        self.settings = dict(settings)
        self.run: Any = None

    def __enter__(self) -> Self:
        if self.config.wandb != "disabled":
            self.run = open_run(
                self.folder,
                mode=self.config.wandb,
                project=self.config.project,
                run_id=f"{self.study}-{self.job}",
                name=self.name,
                group=self.study,
                kind="job",
                tags=self.tags,
                settings=self.settings,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is not None:
            self.run.finish(exit_code=0 if kind is None else 1)

    @property
    def needs_banks(self) -> bool:
        """Whether `log` has a use for what the banks of the job watched."""
        return self.run is not None

    def log(
        self,
        frame: pd.DataFrame,
        plans: Sequence[Path],
        *,
        files: Sequence[Path] = (),
        about: Mapping[str, Any] | None = None,
        banks: Mapping[str, NDArray[np.float32]] | None = None,
        objective: float | None = None,
    ) -> None:
        """Record the results of the job.

        Args:
            frame: its rows.
            plans: its plan files.
            files: what a report needs to be rebuilt from the run.
            about: overrides, seeds, versions: kept with the files.
            banks: [P, E] what training watched, by bank; see `scar.probes.ProbeSet.curve`.
            objective: the score that a search optimises.
        """
        with replacing(self.folder / "rows.csv") as temporary:
            frame.to_csv(temporary, index=False)
        if self.run is None:
            return
        import wandb

        with staged(self.run):
            self._log_banks(banks or {})
            tables = {"results": wandb.Table(dataframe=_plain(frame)), "scar": wandb.Table(dataframe=scar_table(frame))}
            self.run.log({**tables, **self._figures(frame)})
            self._log_files(f"results-{self.job}", "results", files, {"job": self.job, **(about or {})})
            self._log_files(f"plan-{self.job}", "plan", plans, {})
        scores = frame[frame.stage == "evaluation"]
        names = [arm_name(s, None if f != f else f) for s, f in zip(scores.subject, scores.fraction, strict=True)]
        summary = {f"{name}/{row.metric}": row.value for name, row in zip(names, scores.itertuples(), strict=True)}
        self.run.summary.update(summary | ({} if objective is None else {"objective": objective}))

    def _log_banks(self, banks: Mapping[str, NDArray[np.float32]]) -> None:
        self.run.define_metric("epoch", hidden=True)
        self.run.define_metric("bank/*", step_metric="epoch")
        epochs: dict[int, dict[str, float]] = {}
        for bank, curve in banks.items():
            for epoch, (in_work, mean) in bank_summary(curve).items():
                own = {f"bank/{bank}/probes_in_work": in_work, f"bank/{bank}/{self._watched()}": mean}
                epochs.setdefault(epoch, {}).update(own)
        for epoch, values in sorted(epochs.items()):
            self.run.log({"epoch": epoch, **values})

    def _watched(self) -> str:
        probe = self.settings.get("probe", {})
        return "objective" if probe.get("solver") == "lbfgs" else str(probe.get("monitor", "validation_loss"))

    def _figures(self, frame: pd.DataFrame) -> dict[str, Any]:
        if not self.config.figures:
            return {}
        import wandb
        from PIL import Image

        from scar.reporting.job_figures import job_figures

        drawn = job_figures(frame, title=self.name, driver=self.settings.get("budgets", {}).get("driver"))
        return {f"figures/{name}": wandb.Image(Image.open(BytesIO(data))) for name, data in drawn.items()}

    def _log_files(self, name: str, kind: str, files: Sequence[Path], about: Mapping[str, Any]) -> None:
        import wandb

        if files:
            artifact = wandb.Artifact(name, type=kind, metadata=dict(about))
            for file in files:
                artifact.add_file(str(file))
            self.run.log_artifact(artifact)


def bank_summary(curve: NDArray[np.float32]) -> dict[int, tuple[int, float]]:
    """Return, by epoch from 1, how many probes of a bank were in work and the mean of what their training watched.

    Args:
        curve: [P, E], NaN after the last epoch of a probe.
    """
    ends = np.isfinite(curve).any(axis=0)
    last = int(np.flatnonzero(ends)[-1]) + 1 if ends.any() else 0
    shown = np.unique(np.linspace(0, last - 1, min(last, EPOCHS)).round().astype(int)).tolist() if last else []
    return {e + 1: (int(np.isfinite(curve[:, e]).sum()), float(np.nanmean(curve[:, e]))) for e in shown}


def scar_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return S, C, A and R of the whole primary and total sets by class; the first lines are those of the sets."""
    import pandas as pd

    measures = frame[frame.metric.isin(MEASURES)]
    classes = measures[measures.stage == "measures"]
    classes = classes[classes.factor == classes.factor.min()].assign(estimator="")
    of_set = measures[(measures.stage == "dataset")].assign(class_name="(set)")
    both = pd.concat([of_set, classes])
    table = both.pivot_table("value", ["subject", "estimator", "class_name"], "metric", dropna=False, sort=False)
    table = table.reindex(columns=list(MEASURES)).dropna(how="all").reset_index()
    return _plain(table)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with None for what is missing: wandb refuses pandas' own signs."""
    return frame.astype(object).where(frame.notna(), None)
