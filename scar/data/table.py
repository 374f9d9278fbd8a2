"""Data of your own in a table: CSV, TSV, JSON Lines or Parquet, with columns for content, label, split and groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scar.data.columns import MEDIA, ColumnSource, parts_of
from scar.data.fetch import FetchError
from scar.data.listing import listing
from scar.data.media import AnimatedImage, AudioFile, ImageFiles, VideoFile
from scar.data.paths import inside
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.table_files import SUFFIXES, Table, read_table

_ANIMATED = (".gif", ".webp", ".png", ".apng")


@dataclass(frozen=True, kw_only=True)
class TableSource(ColumnSource):
    """Rows of one or two tables. Columns of images, sounds and videos hold paths relative to the folder.

    Attributes:
        file: table in `root`; None takes the only one there is.
        test_file: table of the test part; `file` is then the training part.
        split: column of given parts; None draws a test part, unless there is a `test_file`.
        train_values: values of `split` that mean training.
        test_values: values of `split` that mean test.
    """

    helpers: ClassVar[tuple[str, ...]] = (*ColumnSource.helpers, "scar.data.table_files", "scar.data.listing")

    name: str = "table"
    file: str | None = None
    test_file: str | None = None
    split: str | None = None
    train_values: tuple[str, ...] = ("train",)
    test_values: tuple[str, ...] = ("test",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("train_values", "test_values"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        both = set(self.train_values) & set(self.test_values)
        if both:
            raise ValueError(f"dataset.train_values and dataset.test_values both hold {min(both)!r}")
        if self.split is not None and self.test_file is not None:
            raise ValueError(f"dataset.split={self.split} and dataset.test_file={self.test_file} both name a test part")
        if self.test_file is not None and self.file is None:
            raise ValueError(f"dataset.test_file={self.test_file} needs dataset.file, the training part")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        return tuple(dict.fromkeys([*super().columns, *([self.split] if self.split is not None else [])]))

    def located(self, data_dir: Path) -> list[Path]:
        """Return the tables without reading them."""
        return self._tables(data_dir)[1]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the tables, and a listing of the files that they name with their checksums."""
        folder, paths = self._tables(data_dir)
        media = [column for column in MEDIA if getattr(self, column) is not None]
        if not media:
            return paths
        names = [name for path in paths for column in media for name in self._paths(self._read(path), folder, column)]
        return [*paths, listing(folder, sorted(set(names)), data_dir)]

    def load(self, data_dir: Path) -> Samples:
        """Read the tables; ids are those of the column, else ``<row>`` or ``<part>-<row>``, counted from 0."""
        folder, paths = self._tables(data_dir)
        tables = [self._read(path) for path in paths]
        where = _where(tables)

        def column(name: str | None) -> list[Any] | None:
            return None if name is None else list(chain.from_iterable(table.columns[name] for table in tables))

        payloads: dict[str, Sequence[Any]] = {
            each: self._media(folder, each, [name for table in tables for name in self._paths(table, folder, each)])
            for each in self.modalities
            if each != "text"
        }
        if "text" in self.modalities:
            payloads["text"] = [text for table in tables for text in self._texts(table)]
        return self.assemble(
            payloads,
            labels=self._labels(column(self.label), where),
            splits=self._splits(tables, where),
            ids=self._ids(tables),
            groups={name: np.array([text for t in tables for text in _strings(t, name)]) for name in self.groups},
            where=where,
        )

    def _tables(self, data_dir: Path) -> tuple[Path, list[Path]]:
        """Return the folder and the tables in it."""
        given = Path(self.root).expanduser() if self.root is not None else data_dir / self.name
        if given.is_file() and self.file is None:
            return given.parent, [given]
        if not given.is_dir():
            raise FetchError(
                f"dataset={self.name}: {given} is not there; point dataset.root at the table or at its folder"
            )
        if self.file is not None:
            names = [self.file, *([self.test_file] if self.test_file is not None else [])]
            paths = [inside(given, name) for name in names]
        else:
            paths = sorted(p for p in given.iterdir() if p.name.removesuffix(".gz").endswith(SUFFIXES))
            if len(paths) != 1:
                found = ", ".join(path.name for path in paths) or "no table"
                raise FileNotFoundError(f"{given} holds {found}; name the one that is meant by dataset.file")
        missing = next((path for path in paths if not path.is_file()), None)
        if missing is not None:
            raise FetchError(f"dataset={self.name}: {missing} is not there; check dataset.root and dataset.file")
        return given, paths

    def _read(self, path: Path) -> Table:
        return read_table(path, self.columns)

    def _paths(self, table: Table, folder: Path, modality: str) -> list[str]:
        """Return the paths in a column, each inside the folder and, unless bad samples are skipped, there."""
        column = str(getattr(self, modality))
        names = _strings(table, column)
        for row, name in enumerate(names):
            try:
                path = inside(folder, name)
            except ValueError as error:
                raise ValueError(f"{table.where(row)}, column {column!r}: {error}") from error
            if self.on_error == "raise" and not path.is_file():
                raise FileNotFoundError(
                    f"{table.where(row)}, column {column!r}: {path} is not a file; paths are relative to {folder} "
                    "(dataset.on_error=skip leaves such rows out)"
                )
        return names

    def _media(self, folder: Path, modality: str, names: list[str]) -> Sequence[Any]:
        paths = [folder / name for name in names]
        if modality == "image":
            return ImageFiles(paths)
        if modality == "audio":
            return [AudioFile(path) for path in paths]
        return [AnimatedImage(p) if p.suffix.lower() in _ANIMATED else VideoFile(p) for p in paths]

    def _texts(self, table: Table) -> list[Any]:
        """Return one string per row, or a tuple of captions."""
        if self.text is not None:
            return _strings(table, self.text, blank=self.on_error == "skip")
        lists = [_caption_lists(table, column, blank=self.on_error == "skip") for column in self.captions]
        return [tuple(chain.from_iterable(parts)) for parts in zip(*lists, strict=True)]

    def _labels(self, values: list[Any] | None, where: Callable[[int], str]) -> list[Any] | None:
        if values is not None and "" in values:
            raise ValueError(f"{where(values.index(''))}, column {self.label!r}: the label is empty")
        return values

    def _splits(self, tables: list[Table], where: Callable[[int], str]) -> Any:
        if len(tables) == 2:
            return np.repeat([TRAIN, TEST], [len(table) for table in tables])
        if self.split is None:
            return None
        return parts_of(_strings(tables[0], self.split), self.train_values, self.test_values, where, column=self.split)

    def _ids(self, tables: list[Table]) -> Any:
        if self.id is not None:
            return np.array([text for table in tables for text in _strings(table, self.id)])
        if len(tables) == 1:
            return np.array([str(row) for row in range(len(tables[0]))])
        return np.array(
            [f"{part}-{row}" for part, t in zip((TRAIN, TEST), tables, strict=True) for row in range(len(t))]
        )


def _where(tables: list[Table]) -> Callable[[int], str]:
    """Return what names a row of the tables one after the other."""

    def where(row: int) -> str:
        first = len(tables[0])
        return tables[0].where(row) if row < first else tables[1].where(row - first)

    return where


def _strings(table: Table, column: str, *, blank: bool = False) -> list[str]:
    """Return the texts (or whole numbers) of a column as strings."""
    values = []
    for row, value in enumerate(table.columns[column]):
        if isinstance(value, bool) or not isinstance(value, str | int):
            found = "nothing" if value is None else f"{value!r}, a {type(value).__name__}"
            raise ValueError(f"{table.where(row)}, column {column!r}: expected a text, found {found}")
        if not blank and not str(value).strip():
            raise ValueError(f"{table.where(row)}, column {column!r}: it is empty; fill it or leave the row out")
        values.append(str(value))
    return values


def _caption_lists(table: Table, column: str, *, blank: bool) -> list[Sequence[str]]:
    """Return the captions of each row: a list as it is, a text as a list of one."""
    values = table.columns[column]
    if not any(isinstance(value, list) for value in values):
        return [(text,) for text in _strings(table, column, blank=blank)]
    for row, value in enumerate(values):
        whole = isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
        if not whole or not (blank or all(text.strip() for text in value)):
            raise ValueError(
                f"{table.where(row)}, column {column!r}: expected a list of captions, none empty, found {value!r}"
            )
    return list(values)
