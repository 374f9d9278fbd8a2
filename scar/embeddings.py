"""Extraction into memory-mapped shards, and the set that reads them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.data.checks import non_finite_rows
from scar.data.samples import Samples
from scar.encoders.base import Embed, Encoder
from scar.progress import progress_bar
from scar.store import read_json, replacing, write_json

Floats = NDArray[np.float32]

MANIFEST = "manifest.parquet"
_PLAN = "extraction.json"
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Embeddings of the samples of one source, aligned with their ids and read from disk as needed.

    Attributes:
        ids: [N] of the samples.
        shards: memory-mapped parts, in the order of the ids.
    """

    ids: NDArray[np.str_]
    shards: tuple[Floats, ...] = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> EmbeddingSet:
        """Open what `extract` wrote.

        Raises:
            FileNotFoundError: the extraction has not been finished.
            ValueError: a shard is not what the manifest says.
        """
        manifest = folder / MANIFEST
        if not manifest.is_file():
            raise FileNotFoundError(f"{folder} holds no finished embeddings: {MANIFEST} is missing")
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(manifest).read()  # read_table imports pandas
            ids = np.asarray(table["id"].to_pylist(), dtype=np.str_)
            sizes = np.bincount(table["shard"].to_pylist())
            shards = tuple(_map(folder, index) for index in range(len(sizes)))
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{folder} holds damaged embeddings: {error}; delete it and run again") from error
        for index, (shard, size) in enumerate(zip(shards, sizes, strict=True)):
            if shard.ndim != 2 or len(shard) != size or shard.shape[1] != shards[0].shape[1]:
                raise ValueError(
                    f"{folder / _shard_name(index)} has the shape {shard.shape}, but the manifest says "
                    f"({size}, {shards[0].shape[-1]}); delete the folder and run again"
                )
        return cls(ids, shards)

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
    def _array(self) -> Floats:
        return self.shards[0] if len(self.shards) == 1 else np.concatenate(self.shards)

    def array(self) -> Floats:
        """Return all embeddings [N, D]: the mapped file of a single shard, else one copy in memory."""
        return self._array

    def take(self, indices: NDArray[np.int64]) -> Floats:
        """Return the embeddings [n, D] at the given positions, reading no others."""
        indices = np.asarray(indices)
        rows = np.empty((len(indices), self.dimension), np.float32)
        shard_of = np.searchsorted(self._starts, indices, side="right") - 1
        for index in np.unique(shard_of):
            here = np.flatnonzero(shard_of == index)
            rows[here] = self.shards[index][indices[here] - self._starts[index]]
        return rows


def extract(
    samples: Samples,
    encoder: Encoder,
    folder: Path,
    *,
    shard_size: int = 8192,
    progress: bool | None = None,
    partial: Path | None = None,
) -> EmbeddingSet:
    """Embed all samples of a source, shard by shard.

    A shard that is there already is not computed again, so that an interrupted extraction goes on where it
    stopped. Only one shard is in memory at a time. The manifest is written last.

    Args:
        samples: of the source.
        encoder: reads the payloads of its modality.
        folder: of the finished embeddings.
        shard_size: samples per file.
        progress: show a bar with rate and remaining time; None shows it on a terminal.
        partial: folder on the same file system that holds the shards until all are there, for a `folder` that
            does not outlive an interruption; removed at the end.

    Raises:
        ValueError: the samples have no payloads of that modality, or the encoder returned NaN or infinity.
    """
    if encoder.modality not in samples.payloads:
        raise ValueError(
            f"encoder={encoder.name} reads {encoder.modality!r}, but the dataset has "
            f"{', '.join(samples.payloads)}; choose an encoder for one of these"
        )
    if shard_size < 1 or not len(samples):
        raise ValueError(f"shard_size={shard_size} and the {len(samples)} samples must be at least 1")
    work = partial or folder
    _claim(work, samples, encoder, shard_size)
    names = _complete(work, samples, encoder, shard_size, progress)
    if partial is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (partial / name).replace(folder / name)
        shutil.rmtree(partial)
    _write_manifest(folder, samples.ids, shard_size)
    (folder / _PLAN).unlink(missing_ok=True)
    return EmbeddingSet.load(folder)


def _complete(folder: Path, samples: Samples, encoder: Encoder, shard_size: int, progress: bool | None) -> list[str]:
    """Write the shards that are missing and return the names of all."""
    names = []
    embed: Embed | None = None
    with progress_bar(f"embedding with {encoder.name}", len(samples), show=progress) as advance:
        for start in range(0, len(samples), shard_size):
            rows = np.arange(start, min(start + shard_size, len(samples)))
            names.append(_shard_name(start // shard_size))
            if (folder / names[-1]).is_file():
                advance(len(rows))
                continue
            embed = embed or encoder.open()
            _write_shard(folder / names[-1], _embed_rows(samples, rows, encoder, embed, advance))
    return names


def _claim(folder: Path, samples: Samples, encoder: Encoder, shard_size: int) -> None:
    """Note in the folder what its shards are of; refuse shards of something else."""
    digest = hashlib.sha256("\n".join(samples.ids.tolist()).encode()).hexdigest()
    plan = {"ids": digest, "shard_size": shard_size, "encoder": encoder.name, "modality": encoder.modality}
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / _PLAN).is_file():
        if read_json(folder / _PLAN) != plan:
            raise ValueError(f"{folder} holds an unfinished extraction of other samples or settings; delete it")
    elif any(folder.glob("shard-*.npy")):
        raise ValueError(f"{folder} already holds embeddings; choose another folder or delete it")
    else:
        write_json(folder / _PLAN, plan)


def _embed_rows(
    samples: Samples, rows: NDArray[np.int64], encoder: Encoder, embed: Embed, advance: Callable[[int], None]
) -> Floats:
    """Return the embeddings of some samples [n, D], in their order."""
    payloads = samples.payloads[encoder.modality]
    order = _reading_order(payloads, rows, encoder.modality)
    shard: Floats | None = None
    for start in range(0, len(order), encoder.batch_size):
        places = order[start : start + encoder.batch_size]
        batch = embed([payloads[row] for row in rows[places]])
        _check_batch(batch, samples.ids[rows[places]], encoder)
        if shard is None:
            shard = np.empty((len(rows), batch.shape[1]), np.float32)
        shard[places] = batch
        advance(len(places))
    assert shard is not None
    return shard


def _reading_order(payloads: Sequence[Any], rows: NDArray[np.int64], modality: str) -> NDArray[np.int64]:
    """Return positions into `rows`: texts by length, longest first, so that batches hold little padding."""
    if modality != "text":
        return np.arange(len(rows))
    return np.argsort([-len(payloads[row]) for row in rows], kind="stable")


def _check_batch(batch: Floats, ids: NDArray[np.str_], encoder: Encoder) -> None:
    if batch.ndim != 2 or len(batch) != len(ids) or batch.dtype != np.float32:
        raise ValueError(
            f"encoder={encoder.name} returned {batch.dtype} {batch.shape} for {len(ids)} samples; "
            f"expected float32 ({len(ids)}, D)"
        )
    bad = non_finite_rows(batch)
    if len(bad):
        shown = ", ".join(ids[bad[:_SHOWN]].tolist()) + (" …" if len(bad) > _SHOWN else "")
        raise ValueError(
            f"encoder={encoder.name} returned NaN or infinite values for {len(bad)} samples ({shown}); "
            "look at these samples (is one empty?) and leave them out"
        )


def _shard_name(index: int) -> str:
    return f"shard-{index:05d}.npy"


def _map(folder: Path, index: int) -> Floats:
    shard: Floats = np.load(folder / _shard_name(index), mmap_mode="r", allow_pickle=False)
    return shard


def _write_shard(path: Path, shard: Floats) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, shard, allow_pickle=False)


def _write_manifest(folder: Path, ids: NDArray[np.str_], shard_size: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shard, row = np.divmod(np.arange(len(ids)), shard_size)
    table = pa.table({"id": ids.tolist(), "shard": shard.astype(np.int32), "row": row.astype(np.int32)})
    temporary = folder / f".{MANIFEST}"
    pq.write_table(table, temporary)
    temporary.replace(folder / MANIFEST)
