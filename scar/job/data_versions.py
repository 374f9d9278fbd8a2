"""Versions of a dataset: what each job saw is kept, so that later ones can be compared with it.

Beside the jobs of a study lie ``datasets/<digest>.npz``, one for each state of the data, and, once the data have
changed, ``versions/<digest>``: the jobs as they were under the earlier state, in the layout of a study.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from filelock import Timeout
from numpy.typing import NDArray

from scar.common.files import CorruptArtefactError, replacing, write_json
from scar.common.mapped import joined, room, taken
from scar.common.types import Ints
from scar.common.vectors import chunks
from scar.data.catalogue import Catalogue
from scar.data.duplicates import joint_hash
from scar.job.record import DONE, JobRecord

DATASETS, VERSIONS, JOBS = "datasets", "versions", "jobs"
KEPT = ("rows.parquet", "predictions.npz", "config.yaml", "plan-*.csv", "to-label-*.csv", "shopping-*.csv")
# Of a job, when its data change; beside its record.


@dataclass(frozen=True, eq=False, kw_only=True)
class Version:
    """One state of a dataset.

    Attributes:
        ids: [N] of the samples.
        contents: [N] one value per sample that tells contents apart.
        labels: [N] class indices; -1 where there are no labels.
        splits: [N] ``"train"`` or ``"test"``.
        class_names: [K] names.
    """

    ids: NDArray[np.str_]
    contents: NDArray[np.str_]
    labels: Ints
    splits: NDArray[np.str_]
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Version:
        """Take what is compared from a catalogue."""
        given = np.full(len(catalogue.ids), -1, np.int64) if catalogue.labels is None else catalogue.labels
        width = sum(2 * hashes.shape[1] for hashes in catalogue.contents.values())
        contents = room(len(catalogue.ids), f"U{width}")
        for part in chunks(len(contents)):
            hashes = joint_hash({name: each[part] for name, each in catalogue.contents.items()})
            contents[part] = [value.tobytes().hex() for value in hashes]
        return cls(
            ids=catalogue.ids, contents=contents, labels=given, splits=catalogue.splits,
            class_names=catalogue.class_names,
        )  # fmt: skip

    @property
    def classes(self) -> NDArray[np.str_]:
        """[N] class of each sample by name, which other versions may number differently; empty without labels.

        Of several labels it is their names in order, one after the other.
        """
        if self.labels.ndim == 2:
            return np.array([json.dumps([self.class_names[k] for k in np.flatnonzero(row)]) for row in self.labels])
        names = np.array([*self.class_names, ""], dtype=np.str_)
        return taken(names, self.labels)

    def digest(self) -> str:
        """Return the name of the version: equal for equal data, whatever code has read them."""
        order = np.argsort(self.ids)
        digest = hashlib.sha256()
        for column in (self.ids, self.contents, self.classes, self.splits):
            for piece in joined(taken(column, order), "\n"):
                digest.update(piece)
            digest.update(b"\0")
        return digest.hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write one ``.npz`` without pickling, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {name: value for name, value in vars(self).items() if name != "class_names"}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, class_names=np.array(self.class_names, np.str_), **values)

    @classmethod
    def load(cls, path: Path) -> Version:
        """Read what `save` wrote into the file that is named by its digest.

        Raises:
            CorruptArtefactError: it holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                values = dict(archive)
            found = cls(class_names=tuple(map(str, values.pop("class_names"))), **values)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            raise CorruptArtefactError(f"{path} cannot be read: {error}; run a job of its study again") from error
        if found.digest() != path.stem:
            raise CorruptArtefactError(f"{path} holds another version; run a job of its study again")
        return found


def supersede(folder: Path, settings: str, place: str) -> None:
    """Make room for a job whose data have changed in their place: what it was under other contents is put away.

    A finished job becomes part of the earlier version, with all that lies in its folder; one that failed is removed. What
    another command has in hand is left alone.

    Args:
        folder: of the job, named by its settings and the content of its data.
        settings: of `scar.config.job_identity.JobIdentity`, and
        place: which both versions have in common.
    """
    for other in sorted(folder.parent.glob(f"{settings}-*")):
        record = JobRecord(other)
        if other == folder or record.read().get("identity", {}).get("place") != place:
            continue
        with suppress(Timeout), record.alone(wait=False):
            known = record.read()
            seen = known.get("version")
            if known.get("status") == DONE and isinstance(seen, str) and seen.isalnum():
                kept = folder.parent.parent / VERSIONS / seen / JOBS / other.name
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(kept, ignore_errors=True)
                other.rename(kept)
            else:
                shutil.rmtree(other)


def note_version(catalogue: Catalogue, folder: Path, before: Mapping[str, Any]) -> str:
    """Keep the state of the data that a job sees, and the job itself if it was done under another one.

    Args:
        catalogue: of the job.
        folder: of the job, below ``jobs`` of its study; nothing is kept for a folder elsewhere.
        before: record of the job before it was started.

    Returns:
        The digest of the version.
    """
    version = Version.of(catalogue)
    digest = version.digest()
    if folder.parent.name != JOBS:
        return digest
    study = folder.parent.parent
    seen = before.get("version")
    if before.get("status") == DONE and isinstance(seen, str) and seen.isalnum() and seen != digest:
        kept = study / VERSIONS / seen / JOBS / folder.name
        _keep(folder, kept, before.get("files", {}))
        write_json(kept / "status.json", before)
    path = study / DATASETS / f"{digest}.npz"
    with suppress(CorruptArtefactError):
        if path.is_file() and Version.load(path):
            return digest
    version.save(path)
    return digest


def _keep(folder: Path, kept: Path, files: Iterable[str]) -> None:
    """Copy what a report reads, and all that the record vouches for."""
    found = {file for pattern in KEPT for file in folder.glob(pattern)}
    for file in sorted(found | {path for name in files if (path := folder / name).is_file()}):
        place = kept / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place)


def find_version(study: Path, against: str) -> Path:
    """Return the folder of what a study is compared with.

    Args:
        study: folder of the study.
        against: another study beside it; or a date (``2026-05-01``, or with a time), which finds the version of this
            study that was current then.

    Raises:
        ValueError: it is neither, or no version is that old.
    """
    if (study.parent / against / JOBS).is_dir():
        return study.parent / against
    try:
        moment = datetime.fromisoformat(against)
    except ValueError:
        raise ValueError(
            f"against={against!r} is neither a study in {study.parent} nor a date such as 2026-05-01"
        ) from None
    if "T" not in against and " " not in against and len(against) <= len("2026-05-01"):
        moment = moment.replace(hour=23, minute=59, second=59)
    candidates = [study, *sorted((study / VERSIONS).glob("*"))]
    began = {folder: _began(folder) for folder in candidates}
    current = {folder: when for folder, when in began.items() if when and when <= moment.timestamp()}
    if not current:
        first = min((when for when in began.values() if when), default=None)
        since = (
            "it has no finished job"
            if first is None
            else f"its first is of {datetime.fromtimestamp(first):%Y-%m-%d %H:%M}"
        )
        raise ValueError(f"against={against!r}: {study.name} had no version then; {since}")
    return max(current, key=lambda folder: current[folder])


def _began(folder: Path) -> float:
    """Return when the first job of a version began [s since the epoch]: from then on it was current; 0 without any."""
    moments = [JobRecord(status.parent).read() for status in folder.glob(f"{JOBS}/*/status.json")]
    times = [float(each["started"]) for each in moments if each.get("status") == DONE and "started" in each]
    return min(times, default=0.0)


def load_versions(study: Path, digests: Sequence[str]) -> list[Version]:
    """Read states of the data by their digests; those of a kept version lie with the study that it belongs to."""
    root = study.parent.parent if study.parent.name == VERSIONS else study
    return [Version.load(root / DATASETS / f"{digest}.npz") for digest in digests]
