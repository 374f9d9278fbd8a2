"""AudioCaps: ten-second sounds of YouTube videos with captions."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.media import AudioFile
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._annotations import Captions, media_files, refuse_unpaired
from scar.data.sources._listing import listing
from scar.data.sources._pairs import find, home, make_pairs
from scar.data.sources._table_files import read_table

_NAMES = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
_KEY = ("youtube_id", "start_time")
_ADVICE = (
    "The tables are at github.com/cdjkim/audiocaps; OpenSound/AudioCaps at the Hugging Face hub holds tables and sounds, "
    "to be written out as files."
)


@dataclass(frozen=True, kw_only=True)
class AudioCaps(Source):
    """Tables (CSV or Parquet) with the columns ``youtube_id``, ``start_time`` and ``caption``, beside sound files.

    Rows of one clip are its captions: one in the training part, five in the others.

    Attributes:
        test_part: ``"validation"``, as published, or ``"test"``.
        audio: name of a sound file relative to the folder of the tables; ``{part}`` stands for train, validation or test,
            and the name of a column in braces for its value.
    """

    name: str = "audiocaps"
    test_part: str = "validation"
    audio: str = "{part}/{youtube_id}.wav"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_part not in ("validation", "test"):
            raise ValueError(f"dataset.test_part={self.test_part!r} is unknown; use validation or test")
        if not self._columns:
            raise ValueError(
                f"dataset.audio={self.audio!r} names no column, such as {{youtube_id}}, so no file differs"
            )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Sounds and their captions."""
        return ("audio", "text")

    @property
    def _columns(self) -> list[str]:
        """Columns that the name of a sound file is made of."""
        names = [name for _, name, _, _ in string.Formatter().parse(self.audio) if name]
        return [name for name in names if name != "part"]

    def located(self, data_dir: Path) -> list[Path]:
        """Return the tables of the two parts."""
        folder = home(self, data_dir)
        parts = ("train", self.test_part)
        places = [[f"{name}.{suffix}" for name in _NAMES[part] for suffix in ("csv", "parquet")] for part in parts]
        return [find(self, folder, each, _ADVICE) for each in places]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the tables and a listing of the sounds that they name."""
        tables = self.located(data_dir)
        names = [
            name
            for part, path in zip(("train", self.test_part), tables, strict=True)
            for name in self._read(path, part)[1]
        ]
        return [*tables, listing(tables[0].parent, names, data_dir)]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are the YouTube id and the second at which the clip starts."""
        tables = self.located(data_dir)
        ids: list[str] = []
        names: list[str] = []
        captions: list[Captions] = []
        sizes = []
        for part, path in zip(("train", self.test_part), tables, strict=True):
            keys, files, texts = self._read(path, part)
            ids, names, captions = ids + keys, names + files, captions + texts
            sizes.append(len(keys))
        refuse_unpaired(sorted(set(ids[: sizes[0]]) & set(ids[sizes[0] :])), "clips stand in both parts", "repair them")
        return make_pairs(
            self,
            ids=ids,
            payloads={
                "audio": [AudioFile(path) for path in media_files(tables[0].parent, names, self)],
                "text": captions,
            },
            splits=np.repeat([TRAIN, TEST], sizes),
        )

    def _read(self, path: Path, part: str) -> tuple[list[str], list[str], list[Captions]]:
        """Return the id, the file name and the captions of each clip of a table."""
        table = read_table(path, list(dict.fromkeys([*_KEY, "caption", *self._columns])))
        clips: dict[str, tuple[str, list[str]]] = {}
        for row in range(len(table)):
            values = {name: column[row] for name, column in table.columns.items()}
            empty = next((name for name, value in values.items() if value is None or value == ""), None)
            if empty is not None and empty != "caption":
                raise ValueError(f"{table.where(row)}, column {empty!r}: it is empty")
            key = "_".join(str(values[name]) for name in _KEY)
            file = self.audio.format(part=part, **values)
            clips.setdefault(key, (file, []))[1].append(str(values["caption"] or ""))
        return list(clips), [file for file, _ in clips.values()], [tuple(texts) for _, texts in clips.values()]
