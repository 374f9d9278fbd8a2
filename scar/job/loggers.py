"""Where the results of a job go besides its folder: CSV always, Weights & Biases offline unless asked otherwise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scar.common.files import describe_files, replacing
from scar.common.progress import listening
from scar.common.spreadsheets import harmless_frame
from scar.config.runtime import LoggerConfig
from scar.job._wandb_run import open_run, spared, staged
from scar.job.metrics import Metric
from scar.job.rows import arm_name
from scar.measures.steps import MEASURES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Draw = Callable[..., Mapping[str, bytes]]
"""From the rows of a job, ``title=`` and ``driver=`` to PNG by name."""
SECONDS = 1.0
"""Between two epochs that are logged while a bank trains."""
LARGEST_TABLE = 20_000
"""Rows of a table that is logged; of more, those by class are left out."""
EPOCHS = 200
"""Epochs of a bank that are logged at most, evenly spaced: L-BFGS takes thousands."""


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
        draw: draws the figures of the run from the rows, a title and the driver of the plans; None draws none.
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
        draw: Draw | None = None,
    ) -> None:
        self.config = config
        self.folder = folder
        self.job = job
        self.study = study
        self.name = name
        self.tags = [*tags, *config.tags]
        self.settings = dict(settings)
        self.draw = draw
        self.run: Any = None

    def __enter__(self) -> Self:
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
            system=self.config.system,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is None:
            return
        with spared("finishing a run"):
            if error is not None:
                self.run.summary["error"] = f"{type(error).__name__}: {error}"
            self.run.finish(exit_code=0 if kind is None else 1)

    @property
    def needs_banks(self) -> bool:
        """Whether `log_bank` has a use for what the banks of the job watched."""
        return self.run is not None and self.config.curves

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Log the epochs of training in the block, so that people see them and a run that crashes keeps them."""
        if self.run is None or not self.config.live:
            yield
            return
        epochs: dict[str, int] = {}
        last = -SECONDS

        def log_epoch(bank: str, in_work: int, watched: float) -> None:
            nonlocal last
            epochs[bank] = epochs.get(bank, 0) + 1
            if epochs[bank] > 1 and time.monotonic() - last < SECONDS:
                return
            now, last, place = time.monotonic(), math.inf, f"live/{bank}"  # after a failure, the next bank is tried
            with spared("logging an epoch"):
                if epochs[bank] == 1:
                    self.run.define_metric(f"{place}/*", step_metric=f"{place}/epoch")
                seen = {"epoch": epochs[bank], "probes_in_work": in_work, self._watched(): watched}
                self.run.log({f"{place}/{name}": value for name, value in seen.items()})
                last = now

        with listening(log_epoch):
            yield

    def log_bank(self, bank: str, curve: NDArray[np.float32]) -> None:
        """Log what the training of a bank [P, E] watched, by epoch; see `scar.probes.probe_set.load_curve`."""
        if not self.needs_banks:
            return
        with spared("logging a bank"):
            self.run.define_metric("epoch", hidden=True)
            self.run.define_metric("bank/*", step_metric="epoch")
            for epoch, (in_work, mean) in bank_summary(curve).items():
                self.run.log(
                    {"epoch": epoch, f"bank/{bank}/probes_in_work": in_work, f"bank/{bank}/{self._watched()}": mean}
                )

    def log(
        self,
        frame: pd.DataFrame,
        plans: Sequence[Path],
        *,
        files: Sequence[Path] = (),
        about: Mapping[str, Any] | None = None,
        summary: Mapping[str, float] | None = None,
    ) -> None:
        """Record the results of the job.

        Args:
            frame: its rows.
            plans: its plan files.
            files: what a report needs to be rebuilt from the run.
            about: overrides, seeds, versions: kept with the files.
            summary: what the rows do not say: the objective, gains, cost; beside `summary_of`.
        """
        with replacing(self.folder / "rows.csv") as temporary:
            harmless_frame(frame).to_csv(temporary, index=False)
        if self.run is None:
            return
        with spared("logging results"), staged(self.run):
            self._log_tables(frame)
            noted = {"job": self.job, **(about or {}), "files": describe_files(self.folder, [*files, *plans])}
            self._log_files(f"results-{self.job}", "results", files, noted)
            self._log_files(f"plan-{self.job}", "plan", plans, {})
            driver = self.settings.get("budgets", {}).get("driver")
            self.run.summary.update(summary_of(frame, driver) | dict(summary or {}))

    def _log_tables(self, frame: pd.DataFrame) -> None:
        if len(frame) > LARGEST_TABLE:  # all rows are in the artefact of the results
            frame = frame[frame.class_id.isna()]
        tables = {"results": as_table(_plain(frame)), "scar": as_table(scar_table(frame))}
        self.run.log({**tables, **self._figures(frame)})

    def _watched(self) -> str:
        probe = self.settings.get("probe", {})
        return "objective" if probe.get("solver") == "lbfgs" else str(probe.get("monitor", "validation_loss"))

    def _figures(self, frame: pd.DataFrame) -> dict[str, Any]:
        wanted = not self.run.offline if self.config.figures is None else self.config.figures
        if self.draw is None or not wanted:
            return {}
        import wandb
        from PIL import Image

        drawn = self.draw(frame, title=self.name, driver=self.settings.get("budgets", {}).get("driver"))
        return {f"figures/{name}": wandb.Image(Image.open(BytesIO(data))) for name, data in drawn.items()}

    def _log_files(self, name: str, kind: str, files: Sequence[Path], about: Mapping[str, Any]) -> None:
        import wandb

        if files:
            artifact = wandb.Artifact(name, type=kind, metadata=dict(about))
            for file in files:
                artifact.add_file(str(file))
            self.run.log_artifact(artifact)


def summary_of(frame: pd.DataFrame, driver: str | None) -> dict[str, float]:
    """Return what a dashboard shows of a job in columns, under names that do not depend on its planner.

    Args:
        frame: rows of the job.
        driver: the estimator whose needs the plan answers.

    Returns:
        Scores of ``primary``, ``total`` and ``plan@<budget>``; ``measures/<name>`` of the whole set and
        ``foundation/<set>/size``, ``low`` and ``high`` by the driver.
    """
    found: dict[str, float] = {}
    for row in frame[frame.stage == "evaluation"].itertuples():
        arm = row.subject if row.fraction != row.fraction else arm_name("plan", row.fraction)
        found[f"{arm}/{row.metric}"] = row.value
    own = frame[frame.estimator == driver]
    for row in own[(own.stage == "dataset") & own.metric.isin(MEASURES)].itertuples():
        found[f"measures/{row.metric}"] = row.value
    for row in own[(own.stage == "foundation") & (own.metric == Metric.FOUNDATION_SIZE)].itertuples():
        for name, value in (("size", row.value), ("low", row.low), ("high", row.high)):
            found[f"foundation/{row.subject}/{name}"] = value
    return found


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


def as_table(frame: pd.DataFrame) -> Any:
    """Return a frame of plain values as a table of wandb.

    Wandb infers the types of the columns row by row, a millisecond each; here it sees one row of each pattern of types.
    """
    import wandb

    rows = frame.to_numpy(dtype=object).tolist()
    patterns = {tuple(map(type, row)): row for row in reversed(rows)}
    table = wandb.Table(columns=list(frame.columns), data=[*patterns.values()])
    table.data = rows
    return table


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with None for what is missing: wandb refuses pandas' own signs."""
    return frame.astype(object).where(frame.notna(), None)
