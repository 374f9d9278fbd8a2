"""A study folder as one object: rows without repeats, test outcomes by arm, plans, states and configurations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from scar.config.schema import Config
from scar.evaluation.sequential import ONE_LOOK, Looks
from scar.job.metrics import Metric
from scar.reporting.adaptive_seeds import read_looks
from scar.reporting.axes import GROUP, keep, select
from scar.reporting.joined_rows import JoinedRows, gathered, parts_of
from scar.reporting.study_job import Outcomes, StudyJob, read_job
from scar.reporting.text import learn_titles

T = TypeVar("T")
IDENTITY = ("seed", "stage", "subject", "fraction", "estimator", "factor", "part", "class_id", "metric")
"""With the axes of a group: what makes two rows the same measurement."""
RANKED = "total"
"""The arm that encoders are ranked by: a probe on all training data."""
RANKED_ARMS = (RANKED, f"{RANKED}/uniform")
"""Its decisions as `Outcomes` names them, raw and matched to equal classes."""
DATA = "data"
"""Axis of studies in which jobs of one group have seen different data: the version of each."""
RUNTIME = frozenset(each.name for each in fields(Config) if each.metadata.get("runtime"))
"""Top-level keys of a configuration that cannot change a number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """Everything a report reads.

    Attributes:
        name: of the study, or the names joined.
        folders: study folders it was read from.
        rows: long rows of all finished jobs, each measurement once, those of a group together; texts are categories.
        axes: columns that tell one group (one line of a table) from another: dataset, encoder, modality, regime, mix of
            the pool, and whatever else the jobs vary besides seed and strategy, e.g. ``"probe.name"``.
        jobs: all jobs, finished or not.
        looks: at how many seeds the sweep was to look at its comparisons; a single look where their number was fixed.
    """

    name: str
    folders: tuple[Path, ...]
    rows: pd.DataFrame
    axes: tuple[str, ...]
    jobs: tuple[StudyJob, ...]
    looks: Looks = ONE_LOOK

    @cached_property
    def driver(self) -> str:
        """Estimator whose needs the plans answer (``budgets.driver`` of the jobs), or the first one in the rows."""
        for job in self.jobs:
            value = job.config.get("budgets", {}).get("driver")
            if value:
                return str(value)
        estimators = self.rows.loc[self.rows.metric == Metric.FOUNDATION_SIZE, "estimator"].unique()
        return "heldout" if "heldout" in estimators or not len(estimators) else str(estimators[0])

    @cached_property
    def budget_base(self) -> str:
        """What a budget is a share of, by ``budgets.of`` of the jobs."""
        compared = [bool(job.config.get("budgets", {}).get("of")) for job in self.jobs]
        return "the smallest pool" if compared and all(compared) else "the reserve"

    def groups(self) -> list[dict[str, Any]]:
        """Values of the axes, one mapping per group, in the order of the rows."""
        return [dict(zip(self.axes, values, strict=True)) for values in self._parts]

    def of(self, group: Mapping[str, Any]) -> pd.DataFrame:
        """Rows of one group."""
        if set(group) == set(self.axes):
            return self._parts.get(tuple(group[axis] for axis in self.axes), self.rows.iloc[:0])
        return select(self.rows, group)

    @cached_property
    def _parts(self) -> dict[tuple[Any, ...], pd.DataFrame]:
        """Rows by group; they are asked for often."""
        return parts_of(self.rows, self.axes)

    def outcomes(self, group: Mapping[str, Any], arms: Collection[str] | None = None) -> Outcomes:
        """Test outcomes of every arm of one group, or of some arms.

        Where all are read of several encoders, those of `RANKED_ARMS` are kept until they are asked for, as jobs are many and files
        slow.
        """
        key = tuple(group[axis] for axis in self.axes) if set(group) == set(self.axes) else None
        if arms == RANKED_ARMS and key in self._ranked:
            return self._ranked.pop(key)
        found = Outcomes.read(self.finished(group), arms)
        if arms is None and key is not None and self._compares_encoders and not found.several:
            self._ranked[key] = found.of(RANKED_ARMS)
        return found

    @cached_property
    def _ranked(self) -> dict[tuple[Any, ...] | None, Outcomes]:
        return {}

    @cached_property
    def _compares_encoders(self) -> bool:
        return len({group["encoder"] for group in self.groups()}) > 1

    def finished(self, group: Mapping[str, Any]) -> list[StudyJob]:
        """Finished jobs of one group."""
        if set(group) == set(self.axes):
            return list(self._finished.get(tuple(group[axis] for axis in self.axes), []))
        return [job for job in self.jobs if job.done and job.belongs(group)]

    @cached_property
    def _finished(self) -> dict[tuple[Any, ...], list[StudyJob]]:
        """Finished jobs by group; to look for them among all jobs would take groups × jobs."""
        found: dict[tuple[Any, ...], list[StudyJob]] = {}
        for job in self.jobs:
            if job.done:
                found.setdefault(tuple(job.columns.get(axis) for axis in self.axes), []).append(job)
        return found

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """Return what a function makes of the study, made once under a name; a frame that is written to wants a copy."""
        if what not in self._made:
            self._made[what] = make()
        return cast(T, self._made[what])

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}


def load_study(folders: Path | str | Sequence[Path | str], where: Mapping[str, object] | None = None) -> Study:
    """Read one study folder, or several as one study.

    Args:
        folders: of the study.
        where: axis and value of the rows to keep, those that jobs share too, whichever of the jobs come first.

    Raises:
        FileNotFoundError: a folder holds no job.
        ValueError: two jobs give different values for the same measurement; `where` names no axis, or keeps no row.
    """
    paths = [Path(folders)] if isinstance(folders, str | Path) else [Path(f) for f in folders]
    joined, jobs, owners = JoinedRows(), list[StudyJob](), list[StudyJob]()
    for folder in [file for path in paths for file in _job_folders(path)]:
        job, stored = read_job(folder)
        jobs.append(job)
        if job.done and len(stored):
            owners.append(job)
            joined.add(stored)
    hidden = _hidden_axes(jobs)
    for job in jobs:
        learn_titles(job.config)
        job.columns.update({name: str(_leaf(job.config, name, "")) for name in hidden if job.columns})
    if _saw_different_data(jobs, hidden):
        hidden.append(DATA)
        for job in jobs:
            job.columns[DATA] = str(job.status.get("version", ""))[:8]
    axes = (*GROUP, *hidden)
    pa.default_memory_pool().release_unused()
    rows = joined.frame(**{name: [job.columns[name] for job in owners] for name in hidden})
    for name, value in (where or {}).items():
        if name not in (known := (*axes, "seed", "completion")):
            raise ValueError(f"where.{name}={value} chooses by no axis of the study; its axes are {', '.join(known)}")
    rows = keep(rows, where) if where and len(rows) else rows
    return Study(
        name=" + ".join(path.name for path in paths), folders=tuple(paths), axes=axes, jobs=tuple(jobs),
        rows=_once(gathered(rows, axes), axes), looks=max(map(read_looks, paths), key=lambda each: len(each.seeds)),
    )  # fmt: skip


def _job_folders(study: Path) -> list[Path]:
    folders = sorted({file.parent for name in ("status.json", "rows.parquet") for file in study.glob(f"jobs/*/{name}")})
    if not folders:
        raise FileNotFoundError(f"no job under {study / 'jobs'}: run the study first, e.g. scar study={study.name} …")
    return folders


def _saw_different_data(jobs: Sequence[StudyJob], hidden: Sequence[str]) -> bool:
    """Tell whether jobs of one group have seen different data: part of a study was not run again after a change."""
    seen: dict[tuple[str, ...], set[str]] = {}
    for job in jobs:
        if job.done and job.columns and job.status.get("version"):
            seen.setdefault(tuple(str(job.columns[axis]) for axis in (*GROUP, *hidden)), set()).add(
                job.status["version"]
            )
    return any(len(versions) > 1 for versions in seen.values())


def _hidden_axes(jobs: Sequence[StudyJob]) -> list[str]:
    """Configuration fields that differ between jobs of the same group (see `GROUP`), seed and strategy.

    Where the option of a group differs (its `name`), the fields that follow from the option are not axes of their own.
    """
    first: dict[tuple[str, ...], Mapping[str, Any]] = {}
    found: set[str] = set()
    done = [job for job in jobs if job.columns and job.done]
    for job in done:
        other = first.setdefault(tuple(str(job.columns[k]) for k in (*GROUP, "seed", "completion")), job.config)
        found |= _differing(job.config, other)
    return sorted(name for name in found if not _follows(name, found, done))


def _differing(config: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Names of the fields in which two configurations differ; what they share as one object is not looked at."""
    found: set[str] = set()
    for top in (config.keys() | other.keys()) - RUNTIME:
        if top in config and top in other and config[top] is other[top]:
            continue
        a, b = (_leaves({top: each[top]}) if top in each else {} for each in (config, other))
        found |= {name for name in a.keys() | b.keys() if a.get(name) != b.get(name) and not name.endswith(".title")}
    return found


def _follows(name: str, found: set[str], jobs: Sequence[StudyJob]) -> bool:
    """Tell whether a field follows from the option of its group, which differs as well."""
    option = f"{name.partition('.')[0]}.name"
    if option == name or option not in found:
        return False
    values: dict[Any, set[str]] = {}
    for job in jobs:
        values.setdefault(_leaf(job.config, option), set()).add(str(_leaf(job.config, name)))
    return all(len(each) == 1 for each in values.values())


def _leaf(config: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Return the leaf of a nested configuration that has a dotted name."""
    top = name.partition(".")[0]
    return _leaves({top: config[top]}).get(name, default) if top in config else default


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
    repeated, twice = [], []
    for part in parts_of(rows, axes).values():
        if not part.duplicated([*IDENTITY]).any():
            continue
        again = part.duplicated([*IDENTITY, "value"])
        repeated.append(part.index[again])
        part = part[~again]
        twice.append(part[part.duplicated([*IDENTITY], keep=False)])
    if any(map(len, twice)):
        _refuse(pd.concat(twice), [*axes, *IDENTITY])
    return rows.drop(index=np.concatenate(repeated)).reset_index(drop=True) if repeated else rows


def _refuse(twice: pd.DataFrame, identity: Sequence[str]) -> None:
    """Say which rows give different values for the same measurement."""
    one = twice.iloc[0]
    where = ", ".join(f"{c}={one[c]}" for c in identity if str(one[c]) not in ("", "nan", "<NA>"))
    jobs = ", ".join(sorted(twice.loc[twice.metric == one.metric, "job"].unique())[:4])
    raise ValueError(
        f"{len(twice)} rows give different values for the same measurement, first {where}; jobs {jobs} were made "
        "by different code or settings: run the study again, or move the stale job folders away"
    )
