"""One job folder of a study, and what its arms predicted."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray

from scar.common.console import errors, escape
from scar.common.files import CorruptArtefactError
from scar.common.types import Floats
from scar.job.record import DONE, JobRecord, file_faults
from scar.job.rows import DEPLOYMENT_MIX, PREDICTIONS, arm_name, load_predictions, read_stored
from scar.reporting.axes import GROUP

REPORTED = ("status", "error", "overrides", "encoder", "version", "versions", "git", "started")
"""What a report reads of the record of a job."""
UNREAD = ("study", "key", "level", "version")
"""Columns of the rows that no report reads."""
DAMAGED = "damaged"
"""State of a job whose files are not as it left them."""


@dataclass(frozen=True, kw_only=True)
class StudyJob:
    """One job folder.

    Attributes:
        folder: where it lies.
        status: what ``status.json`` says of `REPORTED`; ``status["status"]`` is ``"done"`` for a finished job.
        config: the resolved configuration, nested.
        columns: dataset, encoder, modality, regime, mix, seed and completion of its rows; empty if it has none.
    """

    folder: Path
    status: dict[str, Any]
    config: dict[str, Any]
    columns: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the job finished."""
        return self.status.get("status") == "done"

    def belongs(self, group: Mapping[str, Any]) -> bool:
        """Whether the rows of the job are of a group."""
        return all(self.columns.get(axis) == value for axis, value in group.items())

    @property
    def plans(self) -> list[Path]:
        """Files ``plan-<subject>-<percent>.csv``, ``to-label-<subject>-<percent>.csv`` and ``shopping-<subject>.csv``."""
        by_budget = [sorted(self.folder.glob(f"{kind}-*.csv"), key=_by_budget) for kind in ("plan", "to-label")]
        return [*chain.from_iterable(by_budget), *sorted(self.folder.glob("shopping-*.csv"))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Predictions by test item.

    Attributes:
        labels: [n] classes of the test items, or [n, K] zeros and ones; empty if no job stored outcomes.
        predictions: arm name (``"primary"``, ``"scar@0.1"``; matched decisions ``"primary/uniform"``) → seed → [n]
            predicted classes, or [n, K] decisions.
        mix: [K] declared deployment mix, by which accuracy weights the recalls; None where it is estimated.
    """

    labels: NDArray[np.int64]
    predictions: dict[str, dict[int, NDArray[np.int64]]]
    mix: Floats | None = None

    @classmethod
    def read(cls, jobs: Iterable[StudyJob], arms: Collection[str] | None = None) -> Outcomes:
        """Read the outcomes of jobs that differ in seed and strategy only.

        Args:
            jobs: of one group.
            arms: to read, by the names in their files; None reads all.

        Raises:
            ValueError: the jobs were scored on different test items.
        """
        labels: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        predictions: dict[str, dict[int, NDArray[np.int64]]] = {}
        mix: Floats | None = None
        for job in jobs:
            if not (job.folder / PREDICTIONS).exists():
                continue
            found = load_predictions(job.folder, arms)
            own, mix = found.pop("labels"), found.pop(DEPLOYMENT_MIX, None)
            if len(labels) and not np.array_equal(labels, own):
                raise ValueError(f"{job.folder}: its test items differ from those of the other jobs of its group")
            labels = own
            for arm, predicted in found.items():
                predictions.setdefault(arm, {}).setdefault(int(job.columns["seed"]), predicted)
        return cls(labels=labels, predictions=predictions, mix=mix)

    def of(self, arms: Collection[str]) -> Outcomes:
        """Return those of some arms, by their names here, in the smallest type that holds them."""
        own = {arm: self.predictions[arm] for arm in arms if arm in self.predictions}
        each = [self.labels, *(predicted for by_seed in own.values() for predicted in by_seed.values())]
        kind = np.min_scalar_type(max((int(values.max(initial=0)) for values in each), default=0))
        predictions = {
            arm: {seed: values.astype(kind) for seed, values in by_seed.items()} for arm, by_seed in own.items()
        }
        return Outcomes(labels=self.labels.astype(kind), predictions=predictions, mix=self.mix)

    @property
    def several(self) -> bool:
        """Whether a test item may carry several labels."""
        return self.labels.ndim == 2

    def seeds(self, subject: str, fraction: float | None = None, decision: str = "raw") -> list[int]:
        """Seeds for which an arm was scored by a decision of `scar.evaluation.scores.Predictions`."""
        return sorted(self.predictions.get(_stored_name(subject, fraction, decision), {}))

    def matrix(self, subject: str, fraction: float | None, seeds: Sequence[int]) -> NDArray[np.bool_]:
        """Right answers `[S, n]` of an arm for the given seeds."""
        right: NDArray[np.bool_] = self.predicted(subject, fraction, seeds) == self.labels
        return right

    def predicted(
        self, subject: str, fraction: float | None, seeds: Sequence[int], decision: str = "raw"
    ) -> NDArray[np.int64]:
        """Predicted classes `[S, n]` of an arm for the given seeds."""
        arm = self.predictions[_stored_name(subject, fraction, decision)]
        return np.stack([arm[seed] for seed in seeds])


def _stored_name(subject: str, fraction: float | None, decision: str) -> str:
    """Return the name of an arm's decisions in the file of a job."""
    return arm_name(subject, fraction) + ("" if decision == "raw" else f"/{decision}")


def read_job(folder: Path) -> tuple[StudyJob, pa.Table]:
    """Read the state, the configuration and the rows, as they are stored, of a job folder.

    A job whose files are not as it left them counts as ``"damaged"``: its rows are left out, and the report says so.
    """
    config_file, rows_file = folder / "config.yaml", folder / "rows.parquet"
    record, nested = JobRecord(folder), {}
    status, found = _state(record)
    rows = pa.table({})
    try:
        config = _plain_yaml(config_file.read_text(encoding="utf-8")) if config_file.exists() else {}
        nested = {str(k): v for k, v in config.items()} if isinstance(config, dict) else {}
        rows = read_stored(rows_file, without=UNREAD) if rows_file.exists() and not found else rows
    except (ValueError, yaml.YAMLError, CorruptArtefactError) as error:
        found = [f"{type(error).__name__}: {error}"]
    if found:
        status = {**status, "status": DAMAGED, "error": "; ".join(found)}
        errors().print(f"[yellow]damaged[/] {escape(folder)}: {escape('; '.join(found[:3]))}; run its sweep again")
    if len(rows) and "mix" not in rows.column_names:  # rows from before pools had a mix
        rows = rows.append_column("mix", pa.repeat("", len(rows)))
    names = (*GROUP, "seed", "completion")
    columns = {name: rows[name][0].as_py() for name in names} if len(rows) else {}
    return StudyJob(folder=folder, status=status, config=nested, columns=columns), rows


def _state(record: JobRecord) -> tuple[dict[str, Any], list[str]]:
    """Return what a report needs of a record, and what is wrong with it or with the files of the job."""
    if not record.path.exists():
        return {"status": "unfinished"}, []
    known = record.read()
    if known.get("status") == DONE:
        found = file_faults(record.folder, known)
    else:
        known, found = {**known, "status": record.status()}, record.faults()
    return {name: _shared(json.dumps(known[name])) for name in REPORTED if name in known}, found


@lru_cache(4096)
def _shared(text: str) -> Any:
    """Parse JSON; jobs of a study, thousands of them, share what is equal."""
    return json.loads(text)


def _plain_yaml(text: str) -> Any:
    """Parse a resolved configuration; jobs of a study, thousands of them, share what their equal top-level keys hold."""
    if re.search(r"(?m)(^[^\w\s-])|(^---)|([&*]id\d)", text):  # is not such a mapping key by key
        return _parsed(text)
    parts = [_parsed(part) for part in re.split(r"(?m)^(?=\w)", text) if part.strip()]
    if not parts or not all(isinstance(part, dict) for part in parts):
        return _parsed(text)
    return {name: value for part in parts for name, value in part.items()}


@lru_cache(4096)
def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _by_budget(plan: Path) -> tuple[str, float]:
    """Sort key of ``plan-scar-5pct.csv``: the strategy, then the share."""
    strategy, _, share = plan.stem.removesuffix("pct").rpartition("-")
    return strategy, float(share)
