"""Flickr30k: photographs with five captions each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.media import ImageFiles
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._annotations import Captions, file_names, media_files
from scar.data.sources._listing import listing
from scar.data.sources._pairs import find, home, make_pairs
from scar.data.sources._table_files import ColumnTable, read_table
from scar.data.stratify import draw_test_part

_TABLE = "flickr_annotations_30k.csv"
_FOLDERS = ("flickr30k-images", "flickr30k_images", "images")
_ADVICE = "It is part of nlphuji/flickr30k at the Hugging Face hub (the images as flickr30k-images.zip)."
_TEST_FRACTION = 0.2
"""Of the published split."""
_KARPATHY = {"train": TRAIN, "val": TRAIN, "test": TEST}


@dataclass(frozen=True, kw_only=True)
class Flickr30k(Source):
    """Rows of ``flickr_annotations_30k.csv`` (columns ``filename``, ``raw``, ``split``) with their JPEGs.

    Attributes:
        split: ``"paper"``, a random fifth of all images as the test part, or ``"karpathy"``, that of the column
            ``split`` with its validation part counted as training.
    """

    name: str = "flickr30k"
    split: str = "paper"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split not in ("paper", "karpathy"):
            raise ValueError(f"dataset.split={self.split!r} is unknown; use paper or karpathy")

    @property
    def modalities(self) -> tuple[str, ...]:
        """Photographs and their captions."""
        return ("image", "text")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the table and the folder of the images."""
        folder = home(self, data_dir)
        return [find(self, folder, (_TABLE,), _ADVICE), find(self, folder, _FOLDERS, _ADVICE)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the table and a listing of the images."""
        table, images = self.located(data_dir)
        return [table, listing(images, file_names(images, (".jpg",)), data_dir)]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are file names without their suffix."""
        path, folder = self.located(data_dir)
        columns = ["filename", "raw", *(["split"] if self.split == "karpathy" else [])]
        table = read_table(path, columns)
        names = table.columns["filename"]
        if self.split == "paper":
            splits = draw_test_part(np.zeros(len(names), np.int64), _TEST_FRACTION, self.seed)
        else:
            splits = np.array([_karpathy(table, row) for row in range(len(names))])
        return make_pairs(
            self,
            ids=[Path(name).stem for name in names],
            payloads={
                "image": ImageFiles(media_files(folder, names, self)),
                "text": [_captions(table, row) for row in range(len(names))],
            },
            splits=splits,
        )


def _captions(table: ColumnTable, row: int) -> Captions:
    """Return the captions of a row: the column ``raw`` holds them as a JSON list."""
    try:
        captions = json.loads(table.columns["raw"][row])
    except json.JSONDecodeError as error:
        raise ValueError(f"{table.where(row)}, column 'raw', character {error.pos + 1}: {error.msg}") from error
    if not isinstance(captions, list) or not captions or not all(isinstance(each, str) for each in captions):
        raise ValueError(f"{table.where(row)}, column 'raw': it must be a JSON list of captions")
    return tuple(captions)


def _karpathy(table: ColumnTable, row: int) -> str:
    value = table.columns["split"][row]
    if value not in _KARPATHY:
        raise ValueError(f"{table.where(row)}, column 'split': {value!r} is none of {', '.join(_KARPATHY)}")
    return _KARPATHY[value]
