"""Rows of a `datasets.Dataset` as lazy payloads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from scar.data.image_decoding import Depth, UnreadableMedia
from scar.data.names import caption_list
from scar.data.sources._encoded import EncodedImages
from scar.data.sources._hub_files import is_saved
from scar.data.sources._parquet import column_values


def open_dataset(name: str, folder: Path, config: str | None, cache: Path, *, alone: str) -> Any:
    """Return the parts of a dataset by name, each a `datasets.Dataset`.

    Args:
        name: of the dataset, for messages.
        folder: of its files, or what `save_to_disk` wrote.
        config: of the dataset, where it has several.
        cache: folder of the Arrow files that the library makes.
        alone: name of the part where there are no parts.

    Raises:
        ValueError: it cannot be read.
    """
    bars = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        if is_saved(folder):
            whole: Any = datasets.load_from_disk(str(folder))
        else:
            whole = datasets.load_dataset(str(folder), config, cache_dir=str(cache))
    except Exception as error:  # readers of all formats raise what they like
        cause = error.__cause__ or error
        raise ValueError(f"dataset={name}: {folder} cannot be read: {error} ({cause})") from error
    finally:
        if bars:
            datasets.enable_progress_bars()
    return {alone: whole} if isinstance(whole, datasets.Dataset) else whole


class HubRows:
    """The rows of one or two parts, one after the other."""

    def __init__(self, parts: Sequence[Any], names: Sequence[str]) -> None:
        self.parts = parts
        self.names = names
        self.starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def place(self, row: int) -> tuple[int, int]:
        """Return the part of a row and its position there."""
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        return part, int(row - self.starts[part])

    def where(self, row: int) -> str:
        """Return what a message calls a row."""
        part, place = self.place(row)
        return f"split {self.names[part]!r}, row {place}"

    def ids(self) -> list[str]:
        """Return ids made of the part and the position."""
        return [f"{name}-{row}" for name, part in zip(self.names, self.parts, strict=True) for row in range(len(part))]

    def values(self, column: str) -> list[Any]:
        """Return a column in memory."""
        found: list[Any] = []
        for part, start in zip(self.parts, self.starts, strict=False):
            found += column_values(part.data, column, lambda row, start=start: self.where(start + row))  # type: ignore[misc]
        return found

    def class_names(self, column: str) -> tuple[str, ...]:
        """Return the names that the features declare, for a label or for lists of them, or none."""
        feature = self.parts[0].features[column]
        inner = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", feature)
        return tuple(getattr(inner, "names", None) or ())

    def images(self, column: str, folder: Path, depth: Depth | None = None) -> EncodedImages:
        """Return a column of images, decoded one at a time."""
        raw = [part.cast_column(column, datasets.Image(decode=False)) for part in self.parts]

        def read(row: int) -> tuple[bytes, str]:
            part, place = self.place(row)
            return _image_bytes(raw[part][place][column], folder, f"{self.where(row)}, column {column!r}")

        return EncodedImages(len(self), read, depth)


@dataclass(frozen=True, eq=False)
class Texts(Sequence[Any]):
    """A text, or a tuple of captions, per row, read from the memory-mapped columns."""

    rows: HubRows
    columns: tuple[str, ...]
    several: bool

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[int(index)]
        part, place = self.rows.place(row)
        texts: list[str] = []
        for column in self.columns:
            try:
                value = self.rows.parts[part].data.column(column)[place].as_py()
            except UnicodeDecodeError as error:
                raise UnreadableMedia(f"{self.rows.where(row)}, column {column!r}: {error}") from error
            listed = value if self.several and isinstance(value, list) else [value]
            if self.several and isinstance(value, str):
                listed = caption_list(value) or [value]
            if not all(isinstance(text, str) for text in listed):
                raise UnreadableMedia(f"{self.rows.where(row)}, column {column!r}: expected a text, found {value!r}")
            texts.extend(listed)
        return tuple(texts) if self.several else texts[0]


def _image_bytes(value: Any, folder: Path, where: str) -> tuple[bytes, str]:
    """Return the bytes of an image as `datasets` stores it: embedded, or as a path in the folder."""
    if value is None:
        raise UnreadableMedia(f"{where}: there is no image")
    if value.get("bytes") is not None:
        return value["bytes"], where
    # Not resolved: the files of a snapshot are links into the cache of the hub.
    path = Path(os.path.normpath(folder / str(value.get("path"))))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise UnreadableMedia(f"{where}: the path {value.get('path')!r} leaves the folder of the dataset, {folder}")
    try:
        return path.read_bytes(), f"{where} ({path})"
    except OSError as error:
        raise UnreadableMedia(f"{where}: {path}: {error.strerror}") from error
