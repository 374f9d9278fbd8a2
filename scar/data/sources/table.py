"""Data of your own in a table: CSV, TSV, JSON Lines or Parquet, with columns for content, label, split and groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scar.data.fetch import FetchError
from scar.data.media import AnimatedImage, AudioFile, ImageFiles, VideoFile
from scar.data.names import caption_list
from scar.data.paths import inside, is_there, name_inside
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.sources._columns import MEDIA, ColumnSource, parts_of
from scar.data.sources._listing import listing
from scar.data.sources._table_files import SUFFIXES, ColumnTable, Dialect, read_table, strings, where_in

_ANIMATED = (".gif", ".webp", ".png", ".apng")


@dataclass(frozen=True, kw_only=True)
class TableSource(ColumnSource):
    """Rows of one or two tables. Columns of images, sounds and videos hold paths relative to the folder.

    Without a name of its own it is called as its file is, or as the folder that holds it.

    Attributes:
        file: table in `root`; None takes the only one there is.
        test_file: table of the test part; `file` is then the training part.
        split: column of given parts; None draws a test part, unless there is a `test_file`.
        train_values: values of `split` that mean training.
        test_values: values of `split` that mean test.
        encoding: of a CSV or TSV; None: UTF-8, or what a byte order mark says.
        delimiter: of a CSV or TSV; None: that of the suffix, or another one by which the header has the columns.
        quoting: whether fields may stand in double quotes; None: in CSV they may, in TSV they may not.
        header: names of all columns of a CSV or TSV whose first line is no header.
    """

    remote: ClassVar[bool] = True

    name: str = "table"
    file: str | None = None
    test_file: str | None = None
    split: str | None = None
    train_values: tuple[str, ...] = ("train",)
    test_values: tuple[str, ...] = ("test",)
    encoding: str | None = None
    delimiter: str | None = None
    quoting: bool | None = None
    header: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("train_values", "test_values", "header"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        self._dialect()
        both = set(self.train_values) & set(self.test_values)
        if both:
            raise ValueError(f"dataset.train_values and dataset.test_values both hold {min(both)!r}")
        if self.split is not None and self.test_file is not None:
            raise ValueError(f"dataset.split={self.split} and dataset.test_file={self.test_file} both name a test part")
        if self.test_file is not None and self.file is None:
            raise ValueError(f"dataset.test_file={self.test_file} needs dataset.file, the training part")
        where = self.file or self.root
        if where is not None and self.name == "table":
            object.__setattr__(self, "name", _called(Path(where).name) or self.name)

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
        where = where_in(tables)

        def column(name: str | None) -> list[Any] | None:
            return None if name is None else list(chain.from_iterable(table.columns[name] for table in tables))

        paths_of = {
            each: [name for table in tables for name in self._paths(table, folder, each)]
            for each in self.modalities
            if each != "text"
        }
        payloads: dict[str, Sequence[Any]] = {
            each: self._media(folder, each, names) for each, names in paths_of.items()
        }
        if "text" in self.modalities:
            payloads["text"] = [text for table in tables for text in self._texts(table)]
        return self.assemble(
            payloads,
            labels=column(self.label),
            splits=self._splits(tables, where),
            ids=self._ids(tables),
            groups={
                name: np.array([text for t in tables for text in strings(t, name, names=True)]) for name in self.groups
            },
            where=where,
            items=next(iter(paths_of.values()), None) if len(self.modalities) > 1 else None,
            notes=[note for table in tables for note in table.notes],
        )

    def _tables(self, data_dir: Path) -> tuple[Path, list[Path]]:
        """Return the folder and the tables in it."""
        media = any(getattr(self, column) is not None for column in MEDIA)
        given = self.local_root(data_dir, lambda name: media or self._is_table(name), beside=media)
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
            paths = sorted(p for p in given.iterdir() if p.name.lower().removesuffix(".gz").endswith(SUFFIXES))
            if len(paths) != 1:
                found = ", ".join(path.name for path in paths) or "no table"
                raise FileNotFoundError(f"{given} holds {found}; name the one that is meant by dataset.file")
        missing = next((path for path in paths if not path.is_file()), None)
        if missing is not None:
            raise FetchError(f"dataset={self.name}: {missing} is not there; check dataset.root and dataset.file")
        return given, paths

    def _is_table(self, name: str) -> bool:
        """Tell whether a file of the folder, by its path relative to it, is a table that may be meant."""
        if self.file is not None:
            return name in (self.file, self.test_file)
        return "/" not in name and name.lower().removesuffix(".gz").endswith(SUFFIXES)

    def _dialect(self) -> Dialect:
        return Dialect(encoding=self.encoding, delimiter=self.delimiter, quoting=self.quoting, header=self.header)

    def _read(self, path: Path) -> ColumnTable:
        return read_table(path, self.columns, dialect=self._dialect())

    def _paths(self, table: ColumnTable, folder: Path, modality: str) -> list[str]:
        """Return the paths in a column, each inside the folder and, unless bad samples are skipped, there."""
        column = str(getattr(self, modality))
        names = strings(table, column)
        for row, given in enumerate(names):
            try:
                names[row] = name_inside(folder, given)
            except ValueError as error:
                raise ValueError(f"{table.where(row)}, column {column!r}: {error}") from error
            path = folder / names[row]
            if self.on_error == "raise" and not is_there(path):
                raise FileNotFoundError(
                    f"{table.where(row)}, column {column!r}: {path} is not a file; paths are relative to {folder} "
                    "(dataset.on_error=skip leaves such rows out)"
                )
        return names

    def _media(self, folder: Path, modality: str, names: list[str]) -> Sequence[Any]:
        paths = [folder / name for name in names]
        if modality == "image":
            return ImageFiles(paths, self.window)
        if modality == "audio":
            return [AudioFile(path) for path in paths]
        return [AnimatedImage(p) if p.suffix.lower() in _ANIMATED else VideoFile(p) for p in paths]

    def _texts(self, table: ColumnTable) -> list[Any]:
        """Return one string per row, or a tuple of captions."""
        if self.text is not None:
            return strings(table, self.text, blank=self.on_error == "skip")
        lists = [_caption_lists(table, column, blank=self.on_error == "skip") for column in self.captions]
        return [tuple(chain.from_iterable(parts)) for parts in zip(*lists, strict=True)]

    def _splits(self, tables: list[ColumnTable], where: Callable[[int], str]) -> Any:
        if len(tables) == 2:
            return np.repeat([TRAIN, TEST], [len(table) for table in tables])
        if self.split is None:
            return None
        return parts_of(strings(tables[0], self.split), self.train_values, self.test_values, where, column=self.split)

    def _ids(self, tables: list[ColumnTable]) -> Any:
        if self.id is not None:
            return np.array([text for table in tables for text in strings(table, self.id, names=True)])
        if len(tables) == 1:
            return np.array([str(row) for row in range(len(tables[0]))])
        return np.array(
            [f"{part}-{row}" for part, t in zip((TRAIN, TEST), tables, strict=True) for row in range(len(t))]
        )


def _called(file: str) -> str:
    """Return the name of a table without what says how it is written."""
    plain = file.removesuffix(".gz")
    return next((plain.removesuffix(end) for end in SUFFIXES if plain.endswith(end)), file)


def _caption_lists(table: ColumnTable, column: str, *, blank: bool) -> list[Sequence[str]]:
    """Return the captions of each row: a list, also one written as JSON, as it is, a text as a list of one."""
    values = table.columns[column]
    if not any(isinstance(value, list) for value in values):
        return [caption_list(text) or (text,) for text in strings(table, column, blank=blank)]
    for row, value in enumerate(values):
        whole = isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
        if not whole or not (blank or all(text.strip() for text in value)):
            raise ValueError(
                f"{table.where(row)}, column {column!r}: expected a list of captions, none empty, found {value!r}"
            )
    return list(values)
