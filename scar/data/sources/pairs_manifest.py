"""Reduced pairs: the kept pairs of a manifest with their refined captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.data.checks import validate_samples
from scar.data.media import ImageFiles
from scar.data.paths import is_there, name_inside
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._columns import check_unique
from scar.data.sources._listing import listing
from scar.data.sources._pairs import make_pairs
from scar.data.sources._table_files import ColumnTable, first_row, read_table
from scar.data.stratify import draw_test_part

_KEPT = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_MOST_TIMES = 1000
_AGAIN = "write the manifest again from this dataset, or set dataset.source to the one that it was made from"


@dataclass(frozen=True, kw_only=True)
class PairsManifest(Source):
    """The pairs that a manifest keeps: `root` is its file, Parquet or CSV, with the columns ``id``, ``kept``, ``refined``.

    A column ``times`` says how often a kept pair is there; the second time its id ends in ``~2``.

    With a source, images, labels and groups are those of its training part, and its test part stays as it is. Without
    one, the column ``image`` holds paths relative to the manifest, there are no labels, and a test part is drawn of the
    kept pairs.

    Attributes:
        source: the dataset that was reduced, or None.
        test_fraction: share of the kept pairs that forms the test part where there is no source.
    """

    name: str = "pairs_manifest"
    source: Any = None
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_share("test_fraction")
        if self.source is not None and (self.train_size is not None or self.test_size is not None):
            raise ValueError("dataset.train_size and dataset.test_size belong to dataset.source here; set them there")

    @property
    def modalities(self) -> tuple[str, ...]:
        """Return those of the source, else images and captions."""
        return self.source.modalities if isinstance(self.source, Source) else ("image", "text")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the manifest and what shows that the data of the source are there."""
        return [self._path(), *(self.source.located(data_dir) if self.source is not None else [])]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the manifest, and the files of the source or a listing of the images of the kept pairs."""
        path = self._path()
        if self.source is not None:
            return [path, *self.source.files(data_dir)]
        rows = read_rows(path, images=True)
        return [
            path,
            listing(path.parent, sorted({rows.images[row] for row in np.flatnonzero(rows.kept).tolist()}), data_dir),
        ]

    def load(self, data_dir: Path) -> Samples:
        """Read the kept pairs; each has one caption, the refined one.

        Raises:
            ValueError: a row is malformed, or the manifest does not list just the training pairs of the source.
        """
        path = self._path()
        if self.source is None:
            return self._of_files(read_rows(path, images=True), path.parent)
        return self._of_source(read_rows(path), self.source.load(data_dir))

    def _path(self) -> Path:
        if self.root is None:
            raise FileNotFoundError(
                "dataset.root is not given: point it at a manifest, a Parquet or CSV file with the columns id, kept, refined; "
                "scar experiment=reduction writes one"
            )
        path = Path(self.root).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"dataset.root={self.root} is not a file; scar experiment=reduction writes manifests"
            )
        return path

    def _of_source(self, rows: ManifestRows, samples: Samples) -> Samples:
        """Return the kept pairs of a source, and its test part."""
        place = {name: row for row, name in enumerate(samples.ids.tolist())}
        for row, name in enumerate(rows.ids.tolist()):
            if name not in place:
                raise ValueError(f"{rows.table.where(row)}: the id {name!r} is not in {self.source.name}; {_AGAIN}")
            if samples.splits[place[name]] == TEST:
                raise ValueError(
                    f"{rows.table.where(row)}: the id {name!r} is of the test part of {self.source.name}; {_AGAIN}"
                )
        listed = np.zeros(len(samples), bool)
        listed[[place[name] for name in rows.ids.tolist()]] = True
        unlisted = np.flatnonzero(~listed & (samples.splits == TRAIN))
        if len(unlisted):
            raise ValueError(
                f"{rows.table.path} does not list {len(unlisted)} training pairs of {self.source.name}, such as "
                f"{str(samples.ids[unlisted[0]])!r}; {_AGAIN}"
            )
        refined = {place[rows.ids[row]]: rows.refined[row] for row in np.flatnonzero(rows.kept).tolist()}
        times = {place[rows.ids[row]]: int(rows.times[row]) for row in np.flatnonzero(rows.kept).tolist()}
        every = sorted([*refined, *np.flatnonzero(samples.splits == TEST).tolist()])
        kept = np.repeat(every, [times.get(row, 1) for row in every]).astype(np.int64)
        note = f"{len(refined)} of {int(listed.sum())} training pairs kept, with the captions of the manifest"
        text = [_like(samples.payloads["text"][row], refined.get(row)) for row in kept.tolist()]
        reduced = replace(samples, notes=(*samples.notes, note)).take(kept)
        reduced = replace(reduced, ids=np.array(_numbered(reduced.ids.tolist())))
        return validate_samples(replace(reduced, payloads={**reduced.payloads, "text": text}), name=self.name)

    def _of_files(self, rows: ManifestRows, folder: Path) -> Samples:
        """Return the kept pairs whose images lie beside the manifest."""
        kept = np.repeat(np.flatnonzero(rows.kept), rows.times[rows.kept])
        chosen = kept.tolist()
        return make_pairs(
            self,
            ids=_numbered(rows.ids[kept].tolist()),
            payloads={
                "image": ImageFiles([folder / rows.images[row] for row in chosen]),
                "text": [(rows.refined[row],) for row in chosen],
            },
            splits=draw_test_part(np.zeros(len(kept), np.int64), self.test_fraction, self.seed),
            notes=[f"{int(rows.kept.sum())} of {len(rows.ids)} pairs kept, with the captions of the manifest"],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ManifestRows:
    """What a dataset needs of a manifest of N pairs.

    Attributes:
        table: that was read, to name its rows.
        ids: [N] unique.
        kept: [N].
        refined: [N] captions; those of the kept pairs are not empty.
        images: [N] paths relative to the manifest; none where they were not asked for.
        times: [N] how often a kept pair is there, 1 where the manifest does not say.
    """

    table: ColumnTable
    ids: NDArray[np.str_]
    kept: NDArray[np.bool_]
    refined: Sequence[str]
    images: Sequence[str]
    times: NDArray[np.int64]


def read_rows(path: Path, *, images: bool = False) -> ManifestRows:
    """Read a manifest.

    Args:
        path: Parquet, CSV or another format of `scar.data.sources._table_files.read_table`.
        images: read the paths of the images too; those of the kept pairs must be files below the manifest.

    Raises:
        ValueError: a column is missing, an id is empty or comes twice, ``kept`` is neither yes nor no, no pair is kept, a
            kept pair has no caption or no count in the column ``times``, or an image path leaves the folder; the message names the row and the column.
        FileNotFoundError: an image of a kept pair is not there.
    """
    counted = path.suffix in (".csv", ".parquet") and path.is_file() and "times" in first_row(path)
    columns = ("id", "kept", "refined", *(("image",) if images else ()), *(("times",) if counted else ()))
    table = read_table(path, columns)
    ids = _texts(table, "id")
    for row, name in enumerate(ids):
        if not name.strip():
            raise ValueError(
                f"{table.where(row)}, column 'id': it is empty; every pair needs the id that its source gives it"
            )
    check_unique(np.array(ids), table.where)
    kept = np.array([_flag(table, row, value) for row, value in enumerate(table.columns["kept"])], bool)
    refined = _texts(table, "refined")
    for row in np.flatnonzero(kept).tolist():
        if not refined[row].strip():
            raise ValueError(
                f"{table.where(row)}, column 'refined': a kept pair has no caption; write one, or set kept to no"
            )
    if not kept.any():
        raise ValueError(f"{path} keeps none of its {len(ids)} pairs; set kept to yes for some")
    paths = _image_paths(table, path.parent, kept) if images else []
    times = _times(table, kept) if counted else kept.astype(np.int64)
    return ManifestRows(table=table, ids=np.array(ids), kept=kept, refined=refined, images=paths, times=times)


def _times(table: ColumnTable, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how often each pair is there."""
    found = np.zeros(len(kept), np.int64)
    for row in np.flatnonzero(kept).tolist():
        value = str(table.columns["times"][row])
        if not value.isascii() or not value.isdigit() or not 0 < int(value) <= _MOST_TIMES:
            raise ValueError(
                f"{table.where(row)}, column 'times': {value!r} must be a whole number from 1 to {_MOST_TIMES} for a pair "
                "that is kept"
            )
        found[row] = int(value)
    return found


def _numbered(ids: Sequence[str]) -> list[str]:
    """Return ids of which the second and further ones of a name are numbered."""
    seen: Counter[str] = Counter()
    found = []
    for name in ids:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return found


def _texts(table: ColumnTable, column: str) -> list[str]:
    values = []
    for row, value in enumerate(table.columns[column]):
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
            raise ValueError(f"{table.where(row)}, column {column!r}: expected a text, found {value!r}")
        values.append("" if value is None else str(value))
    return values


def _flag(table: ColumnTable, row: int, value: Any) -> bool:
    known = _KEPT.get(str(value).strip().lower())
    if known is None:
        raise ValueError(f"{table.where(row)}, column 'kept': {value!r} is neither yes nor no")
    return known


def _image_paths(table: ColumnTable, folder: Path, kept: NDArray[np.bool_]) -> list[str]:
    names = _texts(table, "image")
    for row in np.flatnonzero(kept).tolist():
        try:
            names[row] = name_inside(folder, names[row])
        except ValueError as error:
            raise ValueError(f"{table.where(row)}, column 'image': {error}") from error
        if not is_there(folder / names[row]):
            raise FileNotFoundError(
                f"{table.where(row)}, column 'image': {folder / names[row]} is not a file; paths are relative to {folder}, or set "
                "dataset.source to the dataset that was reduced"
            )
    return names


def _like(item: Any, caption: str | None) -> Any:
    """Return a caption in the form in which the source gives its own, or the item itself."""
    if caption is None:
        return item
    return caption if isinstance(item, str) else (caption,)
