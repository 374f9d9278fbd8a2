"""Embeddings that are in the store already: of a dataset that has grown, only what is new is embedded.

A payload is told by the hash of its content, an encoder by its configuration, weights and code. What one and the same
encoder made of the same content is taken over from earlier embeddings, of whatever dataset. It differs from a new
computation as two batches differ: by rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scar.common.files import CorruptArtefactError
from scar.common.mapped import read_array
from scar.common.types import Floats32, Ints
from scar.common.vectors import chunks
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.store.artefact import faults, read_meta
from scar.store.keys import Key

if TYPE_CHECKING:
    from scar.store.store import Store


STAGE = "embeddings"
CONTENTS = "contents.npy"
"""Of an artefact of embeddings: hash [N, 16] of every payload."""


@dataclass(frozen=True, eq=False)
class Reuse:
    """Where the embeddings of some samples lie already; it can be sent to other processes.

    Attributes:
        folders: of earlier embeddings.
        source: [N] which of them has the sample; -1 for none.
        samples: [N] the position of the sample there.
    """

    folders: tuple[Path, ...]
    source: Ints
    samples: Ints

    @property
    def count(self) -> int:
        """How many samples need not be embedded."""
        return int((self.source >= 0).sum())

    @cached_property
    def _sets(self) -> list[EmbeddingSet]:
        return [EmbeddingSet.load(folder) for folder in self.folders]

    def has(self, samples: Ints) -> NDArray[np.bool_]:
        """Tell which of some samples are there."""
        known: NDArray[np.bool_] = self.source[samples] >= 0
        return known

    def read(self, samples: Ints, captions: Ints) -> Floats32:
        """Return embeddings [n, D] of samples that are there.

        Args:
            samples: [n] their positions.
            captions: [n] which caption of each; 0 where a sample has one embedding.
        """
        rows = np.empty((len(samples), self._sets[0].dimension), np.float32)
        for index in np.unique(self.source[samples]):
            here = np.flatnonzero(self.source[samples] == index)
            found = self._sets[index]
            places = self.samples[samples[here]]
            if found.offsets is not None:
                places = found.offsets[places] + captions[here]
            rows[here] = found.rows(places)
        return rows


def joined(there: NDArray[np.bool_], kept: Floats32 | None, new: Floats32 | None) -> Floats32:
    """Return rows that were taken over and rows that were embedded in one array [n, D]."""
    parts = [part for part in (kept, new) if part is not None]
    shard = np.empty((len(there), parts[0].shape[1]), np.float32)
    for rows, part in ((there, kept), (~there, new)):
        if part is not None:
            shard[rows] = part
    return shard


def find_reusable(store: Store, tower: str, contents: NDArray[np.uint8]) -> Reuse | None:
    """Return what the store has of some contents under an encoder; None if it has nothing.

    What is to be taken over is compared with its checksums in full; broken embeddings are quarantined.

    Args:
        store: holds embeddings.
        tower: identity of the encoder, as it stands in the record of its embeddings.
        contents: [N, 16] hashes of the payloads.
    """
    earlier, folders = list(_embedded(store.root / STAGE, tower)), list[Path]()
    if not earlier:
        return None
    wanted = _beginnings(contents)
    source, samples = np.full(len(wanted), -1, np.int64), np.zeros(len(wanted), np.int64)
    for folder in earlier:
        try:
            known = read_array(folder / CONTENTS)
            have = _beginnings(known)
        except (OSError, ValueError, EOFError):  # of hashes that cannot be read, nothing can be known
            continue
        order = np.argsort(have, kind="stable")
        places = np.minimum(np.searchsorted(have, wanted, sorter=order), len(have) - 1)
        alike = np.flatnonzero((have[order[places]] == wanted) & (source < 0))
        places = order[places[alike]]
        same = np.concatenate(
            [np.zeros(0, bool), *((known[places[p]] == contents[alike[p]]).all(axis=1) for p in chunks(len(alike)))]
        )
        if same.any() and store.is_sound(Key(STAGE, folder.name)):
            source[alike[same]], samples[alike[same]] = len(folders), places[same]
            folders.append(folder)
    return Reuse(tuple(folders), source, samples) if folders else None


def _embedded(root: Path, tower: str) -> Sequence[Path]:
    """Return whole embeddings of an encoder, the newest first."""
    found: list[tuple[float, Path]] = []
    for folder in root.glob("*"):
        try:
            meta = read_meta(folder)
        except CorruptArtefactError:
            continue
        if meta["about"].get("tower") == tower and CONTENTS in meta["files"] and not faults(folder, deep=False):
            found.append((float(meta["made"]), folder))
    return [folder for _, folder in sorted(found, reverse=True)]


def _beginnings(contents: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return [N] the first half of each hash, which can be sorted."""
    return np.ascontiguousarray(np.ascontiguousarray(contents).view(np.uint64)[:, 0])
