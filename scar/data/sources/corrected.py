"""A dataset with labels corrected and samples left out, by a list: what changes if the findings are acted on?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.spreadsheets import plain
from scar.data.checks import first_few, validate_samples
from scar.data.names import clean_name
from scar.data.samples import POOL, TRAIN, UNLABELLED, Samples
from scar.data.source import Source
from scar.data.sources._table_files import read_table, strings

_DROP = {"yes": True, "true": True, "1": True, "": False, "no": False, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Corrected(Source):
    """Another source, changed by a CSV file with the columns ``id``, ``class_name`` and ``drop``.

    A row with a class name gives the sample that label, one with ``drop`` (``yes``) leaves it out; an empty cell changes
    nothing. A sample of the pool that is given a label becomes a training sample. Sub-samples are drawn by the source, before it is corrected; sizes are set there.

    Attributes:
        source: the dataset to correct.
        corrections: path of the CSV file; its content is part of the identity, its place is not.
    """

    name: str = "corrected"
    source: Any = None
    corrections: str = field(default="corrections.csv", metadata={"runtime": True})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_size is not None or self.test_size is not None:
            raise ValueError("dataset.train_size and dataset.test_size belong to dataset.source here; set them there")

    @property
    def modalities(self) -> tuple[str, ...]:
        """Return those of the source; none before it is given."""
        return self.source.modalities if isinstance(self.source, Source) else ()

    @property
    def several_labels(self) -> bool:
        """As the source says."""
        return isinstance(self.source, Source) and self.source.several_labels

    @property
    def pools_unlabelled(self) -> bool:
        """As the source says."""
        return isinstance(self.source, Source) and self.source.pools_unlabelled

    def files(self, data_dir: Path) -> list[Path]:
        """Return the files of the source and the list.

        Raises:
            FileNotFoundError: there is no list.
        """
        path = Path(self.corrections).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"dataset.corrections={self.corrections} is not there; write a CSV file with the columns id, class_name, drop"
            )
        return [*self._given().files(data_dir), path]

    def located(self, data_dir: Path) -> list[Path]:
        """Return what shows that the data of the source are there."""
        return self._given().located(data_dir)

    def load(self, data_dir: Path) -> Samples:
        """Read the source and change what the list names.

        Raises:
            ValueError: the list names a sample or a class that does not exist, or a sample twice.
        """
        samples = self._given().load(data_dir)
        changes = _read(Path(self.corrections).expanduser())
        place = {name: row for row, name in enumerate(samples.ids.tolist())}
        unknown = [name for name in changes if name not in place]
        if unknown:
            raise ValueError(f"{self.corrections} names {unknown[0]!r}, which is not a sample of {self.source.name}")
        labels = None if samples.labels is None else samples.labels.copy()
        kept = np.ones(len(samples), bool)
        for name, (class_name, drop) in changes.items():
            kept[place[name]] = not drop
            if class_name:
                if labels is None or class_name not in samples.class_names:
                    raise ValueError(
                        f"{self.corrections} gives {name!r} the class {class_name!r}, which does not exist; there are "
                        f"{first_few(samples.class_names) or 'none'}"
                    )
                labels[place[name]] = samples.class_names.index(class_name)
        changed = 0 if labels is None or samples.labels is None else int((labels != samples.labels)[kept].sum())
        note = f"corrected by a list: {changed} labels changed, {int((~kept).sum())} samples left out"
        splits = samples.splits
        if labels is not None and labels.ndim == 1:
            splits = np.where((splits == POOL) & (labels != UNLABELLED), TRAIN, splits)
        corrected = replace(samples, labels=labels, splits=splits, notes=(*samples.notes, note)).take(
            np.flatnonzero(kept)
        )
        return validate_samples(corrected, name=self.name)

    def _given(self) -> Source:
        if not isinstance(self.source, Source):
            raise ValueError("dataset.source is not given: name the dataset that is corrected")
        return self.source


def _read(path: Path) -> dict[str, tuple[str, bool]]:
    """Return class and whether to drop by id; cells of a spreadsheet are taken as they were written."""
    table = read_table(path, ("id", "class_name", "drop"), empty=True)
    ids = [str(plain(text)) for text in strings(table, "id", names=True)]
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"{path} names {twice[0]!r} more than once")
    found = {}
    for row, name in enumerate(ids):
        new = clean_name(str(plain(table.columns["class_name"][row] or "")))
        flag = str(table.columns["drop"][row] or "").strip().lower()
        if flag not in _DROP:
            raise ValueError(f"{table.where(row)}, column 'drop': {flag!r} is neither yes nor no")
        found[name] = new, _DROP[flag]
    return found
