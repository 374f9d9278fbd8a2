"""Any dataset of the Hugging Face hub by its id and a pinned revision, or a copy of one in a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scar.data.fetch import FetchError, offline
from scar.data.names import texts
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.sources._columns import ColumnSource
from scar.data.sources._hub_files import Snapshot, data_files

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class HubSource(ColumnSource):
    """A dataset that the library `datasets` reads without running code of the repository.

    A downloaded snapshot and a folder of your own (`root`: Parquet, JSON Lines or CSV files, or what `save_to_disk` wrote)
    are read in the same way. Only images and texts are taken from it.

    Attributes:
        repo: id, such as ``fancyzhx/ag_news``; None if `root` is set.
        revision: commit of the repository, 40 hexadecimal digits; it cannot move as a branch does.
        config: of the dataset, where it has several.
        patterns: of the files to fetch, where the repository holds more than is needed; empty fetches all.
        train_split: name of the training part.
        test_split: name of the test part; None draws one from the training part.
    """

    name: str = "hub"
    repo: str | None = None
    revision: str | None = None
    config: str | None = None
    patterns: tuple[str, ...] = ()
    train_split: str = "train"
    test_split: str | None = "test"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "patterns", tuple(self.patterns))
        if self.audio is not None or self.video is not None:
            raise ValueError(
                "dataset.audio and dataset.video are not read from a hub dataset; write the files out and use dataset=table"
            )
        if self.repo is not None and not _COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"dataset.revision={self.revision!r} must be a commit of {self.repo}, 40 hexadecimal digits; see "
                f"https://huggingface.co/datasets/{self.repo}/commits/main"
            )
        if self.test_split == self.train_split:
            raise ValueError(f"dataset.test_split={self.test_split} is the training part; use null to have one drawn")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the folder of the local copy."""
        return [self._local(data_dir)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the data files of the local copy, fetching the snapshot if there is none."""
        try:
            folder = self._local(data_dir)
        except FileNotFoundError:
            if self.root is not None or self.repo is None or offline():
                raise
            folder = self._snapshot.fetch(data_dir / self.name)
        return data_files(folder)

    def load(self, data_dir: Path) -> Samples:
        """Read the rows lazily; ids are those of the column, else ``<split>-<row>``, counted from 0."""
        from scar.data.sources._hub_rows import HubRows, Texts, open_dataset  # with the library datasets

        self.files(data_dir)
        folder = self._local(data_dir)
        parts = [(self.train_split, TRAIN), *([(self.test_split, TEST)] if self.test_split is not None else [])]
        whole = open_dataset(self.name, folder, self.config, data_dir / "datasets", alone=self.train_split)
        opened = [self._part(whole, split, folder) for split, _ in parts]
        sizes = [len(each) for each in opened]
        rows = HubRows(opened, [split for split, _ in parts])
        groups = {name: np.array(texts(rows.values(name), rows.where, name, names=True)) for name in self.groups}
        labels = None if self.label is None else rows.values(self.label)
        payloads: dict[str, Sequence[Any]] = {}
        if self.image is not None:
            payloads["image"] = rows.images(self.image, folder, self.window)
        if "text" in self.modalities:
            payloads["text"] = Texts(rows, (self.text,) if self.text is not None else self.captions, self.text is None)
        return self.assemble(
            payloads,
            labels=labels,
            known_names=() if self.label is None else rows.class_names(self.label),
            splits=np.repeat([part for _, part in parts], sizes) if len(parts) == 2 else None,
            ids=np.array(
                texts(rows.values(self.id), rows.where, self.id, names=True) if self.id is not None else rows.ids()
            ),
            groups=groups,
            where=rows.where,
        )

    def _local(self, data_dir: Path) -> Path:
        """Return the folder of the copy: the one given, that of the data folder, or the snapshot in the hub's cache."""
        if self.root is not None:
            folder = Path(self.root).expanduser()
            if not folder.is_dir():
                raise FileNotFoundError(f"dataset.root={self.root} is not a folder; point it at a copy of {self.repo}")
            return folder
        if (data_dir / self.name).is_dir():
            return data_dir / self.name
        if self.repo is None:
            raise FetchError(
                "dataset.repo and dataset.root are both null; name a dataset of the hub (with dataset.revision) or a folder"
            )
        return self._snapshot.local(data_dir / self.name)

    @property
    def _snapshot(self) -> Snapshot:
        return Snapshot(str(self.repo), str(self.revision), self.patterns)

    def _part(self, whole: Any, split: str, folder: Path) -> Any:
        """Return one part, its columns checked."""
        if split not in whole:
            raise ValueError(
                f"dataset={self.name}: {folder} has no split {split!r} but {', '.join(map(repr, whole))}; set "
                "dataset.train_split and dataset.test_split (null to have a test part drawn)"
            )
        part = whole[split]
        missing = [column for column in self.columns if column not in part.column_names]
        if missing:
            raise ValueError(
                f"dataset={self.name}: the split {split!r} has no column {missing[0]!r}; it has "
                f"{', '.join(map(repr, part.column_names))}"
            )
        return part.flatten_indices() if part._indices is not None else part
