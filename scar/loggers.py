"""Where the results of a job go besides its folder: CSV always, Weights & Biases offline unless asked otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from scar.store import replacing

if TYPE_CHECKING:
    import pandas as pd

WANDB_MODES = ("offline", "online", "disabled")


@dataclass(frozen=True, kw_only=True)
class LoggerConfig:
    """Loggers of a job.

    Attributes:
        wandb: ``"offline"`` (no account needed; `wandb sync` uploads later), ``"online"`` or ``"disabled"``.
        project: of Weights & Biases.
        tags: added to the tags that every run gets.
    """

    wandb: str = "offline"
    project: str = "scar"
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))
        if self.wandb not in WANDB_MODES:
            raise ValueError(f"logger.wandb={self.wandb!r} is unknown; use one of {', '.join(WANDB_MODES)}")


def _find_home(folder: Path) -> None:
    """Give wandb folders of its own where there is no home to write to; what the user has chosen stays."""
    try:
        home: Path | None = Path.home()
    except RuntimeError:
        home = None
    if home is None or not os.access(home, os.W_OK):
        for purpose in ("CONFIG", "CACHE", "DATA", "ARTIFACT"):
            os.environ.setdefault(f"WANDB_{purpose}_DIR", str(folder.absolute() / "wandb"))


class JobLogger:
    """Logs one job; a context manager, so that the run is finished even when the job fails.

    Samples are never uploaded: a run holds the configuration, the table of results and the plans, which name samples
    by id.

    Args:
        config: which loggers.
        folder: of the job.
        job: digest of the job; with the study it is the id of the run, so that a repeated job resumes its run online.
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
            _find_home(self.folder)
            import wandb

            self.run = wandb.init(
                project=self.config.project,
                dir=self.folder,
                id=re.sub(r"[^\w-]", "-", f"{self.study}-{self.job}")[-64:],
                name=self.name,
                group=self.study,
                tags=[tag[:64] for tag in self.tags],
                config=self.settings,
                mode=cast(Any, self.config.wandb),
                resume="allow" if self.config.wandb == "online" else None,
                reinit="finish_previous",
                settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True),
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is not None:
            self.run.finish(exit_code=0 if kind is None else 1)

    def log(self, frame: pd.DataFrame, plans: Sequence[Path]) -> None:
        """Record the results and the plan files of the job."""
        with replacing(self.folder / "rows.csv") as temporary:
            frame.to_csv(temporary, index=False)
        if self.run is None:
            return
        import wandb

        tests = frame[(frame.stage == "evaluation") & frame.fraction.isna()]
        self.run.summary.update({f"{row.subject}/{row.metric}": row.value for row in tests.itertuples()})
        self.run.log({"results": wandb.Table(dataframe=frame.astype(object).where(frame.notna(), None))})
        if plans:
            artifact = wandb.Artifact(f"plan-{self.job}", type="plan")
            for plan in plans:
                artifact.add_file(str(plan))
            self.run.log_artifact(artifact)
