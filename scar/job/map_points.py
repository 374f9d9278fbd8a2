"""The file of a map: its points, and what they look like. Reading it needs neither torch nor the store."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from scar.common.files import CorruptArtefactError, replacing
from scar.common.types import Bools, Ints

MAP, SLICES = "map.npz", "slices.csv"
"""Files in the folder of a job: the points of its map, and the clusters of its test items."""
UNKNOWN, WRONG, RIGHT = 0, 1, 2
"""How the probe of the primary set decides a point; outside the test part it is not asked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Previews:
    """What the points of a map look like.

    Attributes:
        texts: one per point, or none at all.
        pictures: position among the points → JPEG.
        words: cluster → words that its test items have more often than the others.
    """

    texts: Sequence[str]
    pictures: Mapping[int, bytes]
    words: Mapping[int, Sequence[str]]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything as arrays that need no pickling."""
        words = {str(cluster): list(own) for cluster, own in self.words.items()}
        about = json.dumps({"texts": list(self.texts), "words": words}).encode()
        return {
            "previews": np.frombuffer(about, np.uint8),
            "pictured": np.array(list(self.pictures), np.int64),
            "picture_sizes": np.array([len(each) for each in self.pictures.values()], np.int64),
            "pictures": np.frombuffer(b"".join(self.pictures.values()), np.uint8),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Previews:
        """Return what `arrays` was made from."""
        about, ends = json.loads(arrays["previews"].tobytes()), np.cumsum(arrays["picture_sizes"])
        whole = arrays["pictures"].tobytes()
        parts = [whole[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)] if len(ends) else []
        return cls(
            texts=about["texts"],
            pictures=dict(zip(map(int, arrays["pictured"]), parts, strict=True)),
            words={int(cluster): own for cluster, own in about["words"].items()},
        )

    def save(self, path: Path) -> None:
        """Write all to one ``.npz`` file without pickling."""
        np.savez(path, allow_pickle=False, **self.arrays())

    @classmethod
    def load(cls, path: Path) -> Previews:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as archive:
            return cls.of(dict(archive))


@dataclass(frozen=True, eq=False, kw_only=True)
class MapPoints:
    """The n points of a map.

    Attributes:
        rows: [n] of the embeddings.
        parts: [n] index into `scar.sampling.layout.PARTS`.
        classes: [n] index into ``about["names"]``, -1 for none.
        place: [n, 2] in 0..65535.
        empty: [n] out of reach of the primary set.
        outcome: [n] `UNKNOWN`, `WRONG` or `RIGHT`.
        decided: [n] class that the probe of the primary set decides for; -1 for none.
        planned: [n] added by the plan of the largest budget.
        slices: [n] place of the own slice among the low ones, from 1; 0 for none.
        ids: [n].
        about: how the map was made, class names, sizes of the parts.
        previews: what the points look like.
    """

    rows: Ints
    parts: Ints
    classes: Ints
    place: Ints
    empty: Bools
    outcome: Ints
    decided: Ints
    planned: Bools
    slices: Ints
    ids: list[str]
    about: Mapping[str, Any]
    previews: Previews

    def save(self, path: Path) -> None:
        """Write all, atomically, to one ``.npz`` file without pickling."""
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        about = {"about": self.about, "ids": self.ids}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays, **self.previews.arrays())

    @classmethod
    def load(cls, path: Path) -> MapPoints:
        """Read what `save` wrote.

        Raises:
            CorruptArtefactError: it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = dict(archive)
            previews = Previews.of(
                {name: arrays.pop(name) for name in Previews(texts=[], pictures={}, words={}).arrays()}
            )
            return cls(**arrays | json.loads(arrays.pop("about").tobytes()), previews=previews)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            raise CorruptArtefactError(f"{path} cannot be read: {error}; run its job again") from error
