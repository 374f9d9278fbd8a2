"""A study folder as one object: rows without repeats, test outcomes by arm, plans, states and configurations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.reporting.axes import GROUP
from scar.results import COLUMNS, PREDICTIONS, arm_name, load_predictions

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = ("seed", "stage", "subject", "fraction", "estimator", "factor", "part", "class_id", "metric")
"""With the axes of a group: what makes two rows the same measurement."""
RUNTIME = frozenset(
    (
        *("hydra", "paths", "logger", "callbacks", "trainer", "launcher", "store", "study", "experiment"),
        *("output", "report", "objective"),
    )
)
"""Top-level keys of a configuration that cannot change a number."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job folder.

    Attributes:
        folder: where it lies.
        status: content of ``status.json``; ``status["status"]`` is ``"done"`` for a finished job.
        config: the resolved configuration, nested.
        columns: dataset, encoder, modality, regime, seed and completion of its rows; empty if it has none.
    """

    folder: Path
    status: dict[str, Any]
    config: dict[str, Any]
    columns: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the job finished."""
        return self.status.get("status") == "done"

    @property
    def plans(self) -> list[Path]:
        """Plan files ``plan-<subject>-<percent>.csv`` and the shopping list ``shopping-<subject>.csv``."""
        return [*sorted(self.folder.glob("plan-*.csv"), key=_by_budget), *sorted(self.folder.glob("shopping-*.csv"))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """Everything a report reads.

    Attributes:
        name: of the study, or the names joined.
        folders: study folders it was read from.
        rows: long rows of all finished jobs, each measurement once.
        axes: columns that tell one group (one line of a table) from another: dataset, encoder, modality, regime, and
            whatever else the jobs vary besides seed and strategy, e.g. ``"probe.name"``.
        jobs: all jobs, finished or not.
    """

    name: str
    folders: tuple[Path, ...]
    rows: pd.DataFrame
    axes: tuple[str, ...]
    jobs: tuple[Job, ...]

    @property
    def driver(self) -> str:
        """Estimator whose needs the plans answer (``budgets.driver`` of the jobs), or the first one in the rows."""
        for job in self.jobs:
            value = job.config.get("budgets", {}).get("driver")
            if value:
                return str(value)
        estimators = self.rows.loc[self.rows.metric == "foundation_size", "estimator"].unique()
        return "heldout" if "heldout" in estimators or not len(estimators) else str(estimators[0])

    def groups(self) -> list[dict[str, Any]]:
        """Values of the axes, one mapping per group, in the order of the rows."""
        frame = self.rows[list(self.axes)].drop_duplicates()
        return [dict(zip(self.axes, values, strict=True)) for values in frame.itertuples(index=False, name=None)]

    def of(self, group: Mapping[str, Any]) -> pd.DataFrame:
        """Rows of one group."""
        if set(group) == set(self.axes):
            return self._parts.get(tuple(group[axis] for axis in self.axes), self.rows.iloc[:0])
        frame = self.rows
        for column, value in group.items():
            frame = frame[frame[column] == value]
        return frame

    @cached_property
    def _parts(self) -> dict[tuple[Any, ...], pd.DataFrame]:
        """Rows by group; they are asked for often."""
        return dict(iter(self.rows.groupby(list(self.axes), dropna=False, sort=False)))

    def outcomes(self, group: Mapping[str, Any]) -> Outcomes:
        """Test outcomes of every arm of one group."""
        members = [j for j in self.jobs if j.done and all(j.columns.get(k) == v for k, v in group.items())]
        return Outcomes.read(members)


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Predictions by test item.

    Attributes:
        labels: [n] classes of the test items; empty if no job stored outcomes.
        predictions: arm name (``"primary"``, ``"scar@0.1"``) → seed → [n] predicted classes.
    """

    labels: NDArray[np.int64]
    predictions: dict[str, dict[int, NDArray[np.int64]]]

    @classmethod
    def read(cls, jobs: Iterable[Job]) -> Outcomes:
        """Read the outcomes of jobs that differ in seed and strategy only.

        Raises:
            ValueError: the jobs were scored on different test items.
        """
        labels: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        predictions: dict[str, dict[int, NDArray[np.int64]]] = {}
        for job in jobs:
            if not (job.folder / PREDICTIONS).exists():
                continue
            found = load_predictions(job.folder)
            own = found.pop("labels")
            if len(labels) and not np.array_equal(labels, own):
                raise ValueError(f"{job.folder}: its test items differ from those of the other jobs of its group")
            labels = own
            for arm, predicted in found.items():
                predictions.setdefault(arm, {}).setdefault(int(job.columns["seed"]), predicted)
        return cls(labels=labels, predictions=predictions)

    def seeds(self, subject: str, fraction: float | None = None) -> list[int]:
        """Seeds for which an arm was scored."""
        return sorted(self.predictions.get(arm_name(subject, fraction), {}))

    def matrix(self, subject: str, fraction: float | None, seeds: Sequence[int]) -> NDArray[np.bool_]:
        """Right answers `[S, n]` of an arm for the given seeds."""
        right: NDArray[np.bool_] = self.predicted(subject, fraction, seeds) == self.labels
        return right

    def predicted(self, subject: str, fraction: float | None, seeds: Sequence[int]) -> NDArray[np.int64]:
        """Predicted classes `[S, n]` of an arm for the given seeds."""
        arm = self.predictions[arm_name(subject, fraction)]
        return np.stack([arm[seed] for seed in seeds])


def load_study(folders: Path | str | Sequence[Path | str]) -> Study:
    """Read one study folder, or several as one study.

    Raises:
        FileNotFoundError: a folder holds no job.
        ValueError: two jobs give different values for the same measurement.
    """
    import pandas as pd

    paths = [Path(folders)] if isinstance(folders, str | Path) else [Path(f) for f in folders]
    read = [_read_job(file) for path in paths for file in _job_folders(path)]
    jobs, frames = [job for job, _ in read], [frame for _, frame in read]
    hidden = _hidden_axes(jobs)
    for job, frame in zip(jobs, frames, strict=True):
        for name in hidden if len(frame) else ():
            job.columns[name] = frame[name] = str(_leaves(job.config).get(name, ""))
    kept = [frame for job, frame in zip(jobs, frames, strict=True) if job.done and len(frame)]
    axes = (*GROUP, *hidden)
    rows = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=[*COLUMNS, *hidden])
    rows = rows.astype(dict.fromkeys(rows.select_dtypes("str").columns, object))  # one block: selections are fast
    return Study(
        name=" + ".join(path.name for path in paths), folders=tuple(paths), axes=axes, jobs=tuple(jobs),
        rows=_once(rows, axes),
    )  # fmt: skip


def _by_budget(plan: Path) -> tuple[str, float]:
    """Sort key of ``plan-scar-5pct.csv``: the strategy, then the share."""
    strategy, _, share = plan.stem.removesuffix("pct").rpartition("-")
    return strategy, float(share)


def _job_folders(study: Path) -> list[Path]:
    folders = sorted({file.parent for name in ("status.json", "rows.parquet") for file in study.glob(f"jobs/*/{name}")})
    if not folders:
        raise FileNotFoundError(f"no job under {study / 'jobs'}: run the study first, e.g. scar study={study.name} …")
    return folders


def _read_job(folder: Path) -> tuple[Job, pd.DataFrame]:
    import pandas as pd

    status_file, config_file, rows_file = (folder / name for name in ("status.json", "config.yaml", "rows.parquet"))
    status = json.loads(status_file.read_text()) if status_file.exists() else {"status": "unfinished"}
    config = _plain_yaml(config_file.read_text(encoding="utf-8")) if config_file.exists() else {}
    nested: dict[str, Any] = {str(k): v for k, v in config.items()} if isinstance(config, dict) else {}
    frame = pd.read_parquet(rows_file) if rows_file.exists() else pd.DataFrame(columns=list(COLUMNS))
    names = (*GROUP, "seed", "completion")
    columns = {name: frame[name].iloc[0] for name in names} if len(frame) else {}
    return Job(folder=folder, status=status, config=nested, columns=columns), frame


def _plain_yaml(text: str) -> Any:
    """Parse a resolved configuration with the parser in C, where there is one: a study has thousands of them."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _hidden_axes(jobs: Sequence[Job]) -> list[str]:
    """Configuration fields that differ between jobs of the same dataset, encoder, regime, seed and strategy.

    Where the option of a group differs (its `name`), the fields that follow from the option are not axes of their own.
    """
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    found: set[str] = set()
    leaves = [_leaves(job.config) for job in jobs if job.columns and job.done]
    columns = [job.columns for job in jobs if job.columns and job.done]
    for about, each in zip(columns, leaves, strict=True):
        own = {k: v for k, v in each.items() if k.split(".")[0] not in RUNTIME}
        other = first.setdefault(tuple(str(about[k]) for k in (*GROUP, "seed", "completion")), own)
        found |= {name for name in own.keys() | other.keys() if own.get(name) != other.get(name)}
    return sorted(name for name in found if not _follows(name, found, leaves))


def _follows(name: str, found: set[str], leaves: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a field follows from the option of its group, which differs as well."""
    option = f"{name.partition('.')[0]}.name"
    if option == name or option not in found:
        return False
    values: dict[Any, set[str]] = {}
    for each in leaves:
        values.setdefault(each.get(option), set()).add(str(each.get(name)))
    return all(len(each) == 1 for each in values.values())


def _leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of a nested configuration under dotted names."""
    leaves: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            leaves.update(_leaves(value, f"{prefix}{name}."))
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def _once(rows: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Keep each measurement once: arms that several jobs share come once per job."""
    identity = [*axes, *IDENTITY]
    rows = rows.drop_duplicates([*identity, "value"], ignore_index=True)
    twice = rows[rows.duplicated(identity, keep=False)]
    if len(twice):
        one = twice.iloc[0]
        where = ", ".join(f"{c}={one[c]}" for c in identity if str(one[c]) not in ("", "nan", "<NA>"))
        jobs = ", ".join(sorted(twice.loc[twice.metric == one.metric, "job"].unique())[:4])
        raise ValueError(
            f"{len(twice)} rows give different values for the same measurement, first {where}; jobs {jobs} were made "
            "by different code or settings: run the study again, or move the stale job folders away"
        )
    return rows
