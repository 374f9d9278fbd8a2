"""AG-News and DBpedia (Zhang et al. 2015): the CSV release, tables that people make of it, or the copy of the hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scar.data.fetch import FetchError
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.sources._deviations import deviations
from scar.data.sources._table_files import ColumnTable, Dialect, first_row, read_table, strings, where_in
from scar.data.sources.hub import HubSource

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_LABELS = ("label", "class index", "class")
"""What the column of the classes is called, in small letters."""


@dataclass(frozen=True)
class _Release:
    """The CSV files of the authors, which have no header.

    Attributes:
        columns: of the files; the first is the class, counted from 1.
        texts: columns that make the text, joined by a space as in the copy of the hub.
        class_names: [K] in the order of ``classes.txt``.
        sizes: part → rows.
    """

    columns: tuple[str, ...]
    texts: tuple[str, ...]
    class_names: tuple[str, ...]
    sizes: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Which columns of a table are read.

    Attributes:
        path: of the table.
        label: column of the classes.
        texts: columns that make the text.
        header: names of all columns where the table has none, as the release.
        odd: in which its texts deviate from the release, if they do.
    """

    path: Path
    label: str
    texts: tuple[str, ...]
    header: tuple[str, ...] | None = None
    odd: str = ""


@dataclass(frozen=True, kw_only=True)
class TopicTexts(HubSource):
    """Texts in two tables, ``train.csv`` and ``test.csv`` or ``<name>_train.csv`` and ``<name>_test.csv``, or as `HubSource`.

    Tables may also be ``.csv.gz`` or ``.parquet``, and may have a header. With one, classes are counted from 0 or from 1 or
    called by their names, and there may be a single column of texts. What deviates from the release is a note of the samples.
    """

    release: ClassVar[_Release]
    stem: ClassVar[str]

    def located(self, data_dir: Path) -> list[Path]:
        """Return the tables, else the folder of the copy of the hub."""
        return self._tables(data_dir) or super().located(data_dir)

    def files(self, data_dir: Path) -> list[Path]:
        """Return the tables, else the files of the copy of the hub, which is fetched if there is none."""
        try:
            return self._tables(data_dir) or super().files(data_dir)
        except FetchError as error:
            raise FetchError(f"{error}{self._names}") from error

    def load(self, data_dir: Path) -> Samples:
        """Read the texts; ids are those of the column, else ``<split>-<row>``, counted from 0 without the header."""
        paths = self._tables(data_dir)
        if not paths:
            try:
                return super().load(data_dir)
            except ValueError as error:
                raise ValueError(f"{error}{self._names}") from error
        found = [self._columns(path) for path in paths]
        more = [*self.groups, *([self.id] if self.id is not None else [])]
        tables = [
            read_table(c.path, [*dict.fromkeys([c.label, *c.texts, *more])], dialect=Dialect(header=c.header or ()))
            for c in found
        ]
        where, names = where_in(tables), self.class_names or self.release.class_names
        sizes = dict(zip((TRAIN, TEST), map(len, tables), strict=False))
        labels = chain.from_iterable(table.columns[c.label] for table, c in zip(tables, found, strict=True))
        from_one = any(c.header == self.release.columns for c in found)
        ids = (f"{split}-{row}" for split, table in zip(self._parts, tables, strict=True) for row in range(len(table)))
        samples = self.assemble(
            {"text": [text for table, c in zip(tables, found, strict=True) for text in self._texts(table, c.texts)]},
            labels=_from_zero(list(labels), len(names), where, column=found[0].label, from_one=from_one),
            known_names=names,
            splits=np.repeat(list(sizes), list(sizes.values())) if len(sizes) == 2 else None,
            ids=np.array([*ids] if self.id is None else [text for table in tables for text in strings(table, self.id)]),
            groups={
                name: np.array([text for table in tables for text in strings(table, name)]) for name in self.groups
            },
            where=where,
        )
        odd = tuple(dict.fromkeys(c.odd for c in found if c.odd))
        return replace(samples, notes=(*samples.notes, *deviations(sizes, self.release.sizes, "texts", odd)))

    @property
    def _names(self) -> str:
        """What a message about a folder of the user adds: how tables are called."""
        named = [" and ".join(f"{prefix}{split}.csv" for split in self._parts) for prefix in ("", f"{self.stem}_")]
        return "" if self.root is None else f"; tables are found by their names: {', or '.join(named)}"

    @property
    def _parts(self) -> list[str]:
        """The names of the parts that are read."""
        return [self.train_split, *([self.test_split] if self.test_split is not None else [])]

    def _tables(self, data_dir: Path) -> list[Path]:
        """Return the table of each part; none where there are none, or where something else than texts is asked for.

        Raises:
            FileNotFoundError: one of them is missing.
        """
        if self.text is None or self.modalities != ("text",):
            return []
        below = (self.stem, f"{self.stem}_csv")
        folder = data_dir if self.root is None else Path(self.root).expanduser()
        for place in (*(folder / each for each in below), folder):
            shared = self.root is None and place == folder  # with other datasets
            for prefix in (f"{self.stem}_",) if shared else ("", f"{self.stem}_"):
                found = [_table(place / f"{prefix}{split}") for split in self._parts]
                if all(found):
                    return [path for path in found if path is not None]
                if any(found):
                    there = next(path for path in found if path is not None)
                    missing = self._parts[found.index(None)]
                    raise FileNotFoundError(
                        f"{there} has no {prefix}{missing} ({', '.join(_SUFFIXES)}) beside it; put the table of the part "
                        f"{missing!r} there"
                        + (", or set dataset.test_split=null to have one drawn" if missing == self.test_split else "")
                    )
        return []

    def _columns(self, path: Path) -> _Columns:
        """Tell which columns of a table are what."""
        release, first = self.release, first_row(path)
        if path.suffix != ".parquet" and first and first[0].strip().isdecimal():
            if len(first) == 2 < len(release.columns):
                names = (release.columns[0], str(type(self).text))
                odd = "its texts are a single column, and it has no header"
                return _Columns(path=path, label=names[0], texts=names[1:], header=names, odd=odd)
            if len(first) != len(release.columns):
                raise ValueError(
                    f"{path} begins without a header, with {len(first)} fields; the release has {len(release.columns)}: "
                    f"{', '.join(release.columns)}. Put a header in the first line, such as label,text"
                )
            return _Columns(path=path, label=release.columns[0], texts=release.texts, header=release.columns)
        named = {name.strip().lower(): name for name in first}
        label = self.label if self.label in first else next((named[each] for each in _LABELS if each in named), None)
        rest = [name for name in first if name not in (label, self.id, *self.groups)]
        if label is None:
            raise ValueError(
                f"{path} has no column of the classes ({', '.join(_LABELS)}); there are {_quoted(first)}. Name it by "
                "dataset.label"
            )
        about: dict[str, Any] = {"path": path, "label": label}
        usual = type(self).text
        whole = [named[each] for each in release.texts if each in named]
        if self.text in first and (self.text != usual or len(whole) < len(release.texts)):
            single = self.text
        elif len(whole) == len(release.texts):
            return _Columns(**about, texts=tuple(whole))
        elif len(rest) == 1:
            single = rest[0]
        else:
            raise ValueError(
                f"{path}: it is not clear which column holds the texts; there are {_quoted(first)}. Name it by dataset.text"
            )
        odd = f"its texts are the single column {single!r}, not {' and '.join(release.texts)}"
        return _Columns(**about, texts=(str(single),), odd="" if single == usual and not whole else odd)

    def _texts(self, table: ColumnTable, columns: Sequence[str]) -> list[str]:
        """Return the text of each row, which must not be blank unless bad samples are skipped."""
        texts = [" ".join(parts) for parts in zip(*(strings(table, each, blank=True) for each in columns), strict=True)]
        blank = next((row for row, text in enumerate(texts) if not text.strip()), None)
        if blank is not None and self.on_error != "skip":
            where = f"{table.where(blank)}, column{'s' * (len(columns) > 1)} {_quoted(columns)}"
            raise ValueError(f"{where}: the text is empty; fill it or leave the row out")
        return texts


@dataclass(frozen=True, kw_only=True)
class AgNews(TopicTexts):
    """AG's News: 120 000 training and 7 600 test items in 4 balanced classes; title and description."""

    release: ClassVar[_Release] = _Release(
        columns=("label", "title", "description"),
        texts=("title", "description"),
        class_names=("World", "Sports", "Business", "Sci/Tech"),
        sizes={TRAIN: 120_000, TEST: 7_600},
    )
    stem: ClassVar[str] = "ag_news"

    name: str = "ag_news"
    repo: str | None = "fancyzhx/ag_news"
    revision: str | None = "eb185aade064a813bc0b7f42de02595523103ca4"


@dataclass(frozen=True, kw_only=True)
class Dbpedia(TopicTexts):
    """DBPedia ontology: 560 000 training and 70 000 test abstracts in 14 balanced classes; without titles."""

    release: ClassVar[_Release] = _Release(
        columns=("label", "title", "content"),
        texts=("content",),
        class_names=(
            *("Company", "EducationalInstitution", "Artist", "Athlete", "OfficeHolder", "MeanOfTransportation"),
            *("Building", "NaturalPlace", "Village", "Animal", "Plant", "Album", "Film", "WrittenWork"),
        ),
        sizes={TRAIN: 560_000, TEST: 70_000},
    )
    stem: ClassVar[str] = "dbpedia"

    name: str = "dbpedia"
    text: str | None = "content"
    repo: str | None = "fancyzhx/dbpedia_14"
    revision: str | None = "9abd46cf7fc8b4c64290f26993c540b92aa145ac"


def _table(stem: Path) -> Path | None:
    """Return the first file of a name that there is."""
    return next((path for suffix in _SUFFIXES if (path := stem.with_name(stem.name + suffix)).is_file()), None)


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(map(repr, columns)) or "none"


def _from_zero(
    values: list[Any], classes: int, where: Callable[[int], str], *, column: str, from_one: bool
) -> list[Any]:
    """Return labels that are whole numbers counted from 0, and others as they are.

    Args:
        values: [N] of the label column.
        classes: number of classes K.
        where: what a message calls a row.
        column: name of the label column.
        from_one: they are counted from 1; else the labels themselves tell.

    Raises:
        ValueError: a number lies outside the classes, or the labels do not tell where they are counted from.
    """
    if not all(type(value) is int or (isinstance(value, str) and value.strip().isdecimal()) for value in values):
        return values
    numbers = np.array([int(value) for value in values])
    first = int(from_one or (numbers.min() > 0 and numbers.max() >= classes))
    if not from_one and numbers.min() > 0 and numbers.max() < classes:
        raise ValueError(
            f"{where(0)}, column {column!r}: no label is 0 and none {classes}, so that it is not clear where the "
            f"{classes} classes are counted from; call them by their names"
        )
    outside = np.flatnonzero((numbers < first) | (numbers >= first + classes))
    if len(outside):
        row = int(outside[0])
        raise ValueError(
            f"{where(row)}, column {column!r}: the label {values[row]!r} lies outside {first}..{first + classes - 1}"
        )
    return list(map(int, numbers - first))
