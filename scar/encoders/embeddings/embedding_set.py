"""The set of embeddings that an extraction leaves: memory-mapped shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import replacing
from scar.common.mapped import read_array, room, taken
from scar.common.types import Floats32

MANIFEST = "ids.npy"
"""File of finished embeddings, written last: [M] the id of every row of the shards, one after the other."""
_MEANS = 8192
"""Samples whose captions are in memory together."""


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Embeddings of the samples of one source, aligned with their ids and read from disk as needed.

    Attributes:
        ids: [N] of the samples.
        shards: memory-mapped parts, in the order of the ids; they hold one row per sample, or per caption.
        offsets: [N + 1] where the captions of each sample begin, and where the last ones end; None for one row per
            sample.
    """

    ids: NDArray[np.str_]
    shards: tuple[Floats32, ...] = field(repr=False)
    offsets: NDArray[np.int64] | None = None

    @classmethod
    def load(cls, folder: Path) -> EmbeddingSet:
        """Open what `extract` wrote.

        Raises:
            FileNotFoundError: the extraction has not been finished.
            ValueError: a shard is not what the manifest says.
        """
        if not (folder / MANIFEST).is_file():
            raise FileNotFoundError(f"{folder} holds no finished embeddings: {MANIFEST} is missing")
        try:
            ids = read_array(folder / MANIFEST)
            shards = tuple(_map(folder, index) for index in range(len(list(folder.glob("shard-*.npy")))))
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{folder} holds damaged embeddings: {error}; delete it and run again") from error
        shapes = [shard.shape for shard in shards]
        fit = all(len(shape) == 2 and shape[1] == shapes[0][1] for shape in shapes)
        if not shards or not fit or ids.ndim != 1 or sum(shape[0] for shape in shapes) != len(ids):
            raise ValueError(
                f"{folder} holds damaged embeddings: shards of the shapes {', '.join(map(str, shapes[:5]))} for {ids.shape} "
                "ids; delete it and run again"
            )
        new = np.ones(len(ids), bool)
        new[1:] = ids[1:] != ids[:-1]  # captions of a sample follow each other
        if new.all():
            return cls(ids, shards)
        starts = np.flatnonzero(new)
        return cls(taken(ids, starts), shards, np.append(starts, len(ids)))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Numbers D per sample."""
        return int(self.shards[0].shape[1])

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *(len(shard) for shard in self.shards)])

    @cached_property
    def _array(self) -> Floats32:
        if self.offsets is not None:
            return self.take(np.arange(len(self)))
        if len(self.shards) == 1:
            return self.shards[0]
        return np.concatenate(self.shards, out=room((len(self), self.dimension), np.float32))

    def array(self) -> Floats32:
        """Return all embeddings [N, D], of several captions their mean.

        It is the mapped file of a single shard, else a copy: in memory or, if it is large, mapped, too.
        """
        return self._array

    def captions(self, indices: NDArray[np.int64] | None = None) -> tuple[Floats32, NDArray[np.int64]]:
        """Return the embedding of every caption of some samples [M, D], and the sample [M] that each belongs to.

        Args:
            indices: positions of the samples; None takes all. There is one row per sample where there are no captions.
        """
        indices = np.arange(len(self)) if indices is None else np.asarray(indices)
        rows, counts = self.caption_rows(indices)
        return self.rows(rows), np.repeat(indices, counts)

    def caption_rows(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the stored rows [M] of some samples, one sample after the other, and how many each has: one, or its captions."""
        if self.offsets is None:
            return indices, np.ones(len(indices), np.int64)
        counts = self.offsets[indices + 1] - self.offsets[indices]
        starts = self.offsets[indices] - (np.cumsum(counts) - counts)
        return np.repeat(starts, counts) + np.arange(counts.sum()), counts

    def take(self, indices: NDArray[np.int64]) -> Floats32:
        """Return the embeddings [n, D] at the given positions, of several captions their mean, reading no others."""
        indices = np.asarray(indices)
        if self.offsets is None:
            return self.rows(indices)
        means: Floats32 = room((len(indices), self.dimension), np.float32)
        for start in range(0, len(indices), _MEANS):
            part = slice(start, start + _MEANS)
            rows, counts = self.caption_rows(indices[part])
            means[part] = np.add.reduceat(self.rows(rows), np.cumsum(counts) - counts, axis=0) / counts[:, None]
        return means

    def rows(self, indices: NDArray[np.int64]) -> Floats32:
        """Return the stored rows [n, D] at the given positions: one per sample, or per caption."""
        if len(self.shards) == 1:
            return np.asarray(self.shards[0])[indices]
        rows = np.empty((len(indices), self.dimension), np.float32)
        shard_of = np.searchsorted(self._starts, indices, side="right") - 1
        for index in np.unique(shard_of):
            here = np.flatnonzero(shard_of == index)
            rows[here] = self.shards[index][indices[here] - self._starts[index]]
        return rows


def shard_name(index: int) -> str:
    """Return the name of the file of a shard."""
    return f"shard-{index:05d}.npy"


def write_shard(path: Path, shard: NDArray[Any]) -> None:
    """Write one shard [n, D] whole, or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, shard, allow_pickle=False)


def write_ids(folder: Path, ids: NDArray[np.str_]) -> None:
    """Write the ids [M] of the rows of shards that are all there; it makes them finished embeddings."""
    with replacing(folder / MANIFEST) as temporary, temporary.open("wb") as file:
        np.save(file, np.asarray(ids, np.str_), allow_pickle=False)


def join_shards(shards: Sequence[Path], path: Path) -> None:
    """Write the rows of some shards, one after the other, as one; a shard at a time is in memory."""
    mapped = [np.load(shard, mmap_mode="r", allow_pickle=False) for shard in shards]
    header = {"descr": "<f4", "fortran_order": False, "shape": (sum(map(len, mapped)), mapped[0].shape[1])}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for shard in mapped:
            file.write(np.ascontiguousarray(shard, "<f4").data)


def _map(folder: Path, index: int) -> Floats32:
    shard: Floats32 = np.load(folder / shard_name(index), mmap_mode="r", allow_pickle=False)
    return shard
