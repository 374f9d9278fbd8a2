"""Extraction: the embeddings of a source in shards, made by one process or by several that share the work."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from scar.artefact import META
from scar.data.checks import non_finite_rows
from scar.data.samples import TRAIN, Samples, take_items
from scar.data.source import Source
from scar.embedding_cost import COST, sum_costs
from scar.embeddings import MANIFEST, EmbeddingSet, shard_name
from scar.encoders.base import Embed, Encoder
from scar.encoders.parameters import count_parameters
from scar.progress import progress_bar
from scar.reuse import Reuse, joined
from scar.store import read_json, replacing, write_json

Floats = NDArray[np.float32]

SHARD = 8192
"""Samples (or captions) per file."""
_PLAN = "extraction.json"
_SHOWN = 5


def extract(
    samples: Samples,
    encoder: Encoder,
    folder: Path,
    *,
    shard_size: int = SHARD,
    progress: bool | None = None,
    partial: Path | None = None,
) -> EmbeddingSet:
    """Embed all samples of a source, shard by shard; of samples with several captions, every caption.

    A shard that is there already is not computed again, so that an interrupted extraction goes on where it
    stopped. Only one shard is in memory at a time. The manifest is written last.

    Args:
        samples: of the source.
        encoder: reads the payloads of its modality.
        folder: of the finished embeddings.
        shard_size: samples (or captions) per file.
        progress: show a bar with rate and remaining time; None shows it on a terminal.
        partial: folder on the same file system that holds the shards until all are there, for a `folder` that
            does not outlive an interruption; removed at the end.

    Raises:
        ValueError: the samples have no payloads of that modality, or the encoder returned NaN or infinity.
    """
    work = partial or folder
    names = embed_shards(samples, encoder, work, shard_size=shard_size, progress=progress)
    if partial is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*names, *(each.name for each in partial.glob(f"*.{COST}"))):
            (partial / name).replace(folder / name)
        shutil.rmtree(partial)
    return _seal(samples, encoder, folder, shard_size)


def embed_shards(
    samples: Samples,
    encoder: Encoder,
    partial: Path,
    *,
    shard_size: int = SHARD,
    progress: bool | None = None,
    finished: Callable[[], bool] = lambda: False,
    reuse: Reuse | None = None,
) -> list[str]:
    """Embed the shards that are missing in a folder, together with every other process that does so.

    Each shard is locked while it is embedded; a shard that another process has in hand is waited for at the end, and
    embedded here if that process died.

    Args:
        samples: of the source.
        encoder: reads the payloads of its modality.
        partial: folder of the shards.
        shard_size: samples (or captions) per file.
        progress: show a bar with rate and remaining time; None shows it on a terminal.
        finished: tells whether another process has taken the shards away, all of them complete.
        reuse: samples whose embeddings are there already; only the others are embedded.

    Returns:
        The names of all shards.

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
    samples = _one_row_per_caption(samples, encoder.modality)
    _claim(partial, samples, encoder, shard_size)
    return _Extraction(partial, samples, encoder, shard_size, finished, reuse).run(progress)


@dataclass(frozen=True)
class KeptSamples:
    """Reads the samples of a source that a catalogue has kept; it can be sent to other processes.

    Attributes:
        source: of the samples.
        data_dir: of fetched data.
        ids: [N] of the samples that were kept, in the order of the source.
    """

    source: Source
    data_dir: Path
    ids: NDArray[np.str_]

    def __call__(self) -> Samples:
        """Read them."""
        samples = self.source.load(self.data_dir)
        kept = len(self.ids) == len(samples)
        return samples if kept else samples.take(np.flatnonzero(np.isin(samples.ids, self.ids)))


def embed_together(
    read: Callable[[], Samples],
    encoder: Encoder,
    partial: Path,
    final: Path | None = None,
    reuse: Reuse | None = None,
) -> None:
    """Embed what is missing of the shards in a folder; any number of processes may do so at once.

    Args:
        read: returns the samples of the source.
        encoder: reads the payloads of its modality.
        partial: folder of the shards.
        final: artefact that they become; once it is there, no shard is missing.
        reuse: samples whose embeddings are there already.
    """

    def finished() -> bool:
        return final is not None and (final / META).is_file()

    if not finished():
        embed_shards(read(), encoder, partial, finished=finished, reuse=reuse)


def merge_shards(
    samples: Samples, encoder: Encoder, partial: Path, folder: Path, *, shard_size: int = SHARD
) -> EmbeddingSet:
    """Make finished embeddings of the shards in a folder, which stay there until whoever calls this removes them."""
    for shard in sorted([*partial.glob("shard-*.npy"), *partial.glob(f"*.{COST}")]):
        (folder / shard.name).hardlink_to(shard)
    return _seal(samples, encoder, folder, shard_size)


def _seal(samples: Samples, encoder: Encoder, folder: Path, shard_size: int) -> EmbeddingSet:
    _write_manifest(folder, _one_row_per_caption(samples, encoder.modality).ids, shard_size)
    sum_costs(folder)
    for passing in (folder / _PLAN, *folder.glob(".shard-*.lock")):
        passing.unlink(missing_ok=True)
    return EmbeddingSet.load(folder)


def _one_row_per_caption(samples: Samples, modality: str) -> Samples:
    """Return the samples with one row for each caption, where texts come as tuples; else as they are."""
    payloads = samples.payloads[modality]
    if modality != "text" or isinstance(payloads[0], str):
        return samples
    groups = [captions if isinstance(captions, tuple | list) else (captions,) for captions in payloads]
    counts = np.array([len(group) for group in groups])
    if not counts.all():
        without = samples.ids[counts == 0]
        shown = ", ".join(without[:_SHOWN].tolist()) + (" …" if len(without) > _SHOWN else "")
        raise ValueError(f"{len(without)} samples have no caption ({shown}); leave them out, or give them one")
    flat = [caption for group in groups for caption in group]
    ids, splits = (np.repeat(each, counts) for each in (samples.ids, samples.splits))
    return replace(samples, ids=ids, splits=splits, payloads={modality: flat})


@dataclass
class _Extraction:
    """The work of one process on the shards of a folder."""

    folder: Path
    samples: Samples
    encoder: Encoder
    shard_size: int
    finished: Callable[[], bool]
    reuse: Reuse | None = None

    def __post_init__(self) -> None:
        starts = np.append(True, self.samples.ids[1:] != self.samples.ids[:-1])
        self.owner = np.cumsum(starts) - 1  # sample of every row, and which of its captions the row is
        self.caption = np.arange(len(self.samples)) - np.flatnonzero(starts)[self.owner]

    @cached_property
    def embed(self) -> Embed:
        """The encoder, opened once; one that learns is fitted on the training part of the source."""
        if not self.encoder.learns:
            return self.encoder.open()
        train = np.flatnonzero(self.samples.splits == TRAIN)
        return self.encoder.fit(take_items(self.samples.payloads[self.encoder.modality], train))

    def run(self, progress: bool | None) -> list[str]:
        """Embed what is missing and return the names of all shards."""
        indices = range(-(-len(self.samples) // self.shard_size))
        waiting = list(indices)
        with progress_bar(f"embedding with {self.encoder.name}", len(self.samples), show=progress) as advance:
            for patient in (False, True):
                waiting = [index for index in waiting if not self._make(index, advance, patient=patient)]
        return [shard_name(index) for index in indices]

    def _make(self, index: int, advance: Callable[[int], None], *, patient: bool) -> bool:
        """Embed one shard unless it is there; tells whether it is, False while another process has it in hand."""
        path = self.folder / shard_name(index)
        rows = np.arange(index * self.shard_size, min((index + 1) * self.shard_size, len(self.samples)))
        if path.is_file() or self.finished():
            advance(len(rows))
            return True
        lock = FileLock(self.folder / f".{path.name}.lock")
        try:
            with lock.acquire(blocking=patient):
                if path.is_file() or self.finished():
                    advance(len(rows))
                    return True
                _write_shard(path, self._shard(rows, path.stem, advance))
        except Timeout:
            return False
        return True

    def _shard(self, rows: NDArray[np.int64], name: str, advance: Callable[[int], None]) -> Floats:
        """Return the embeddings [n, D] of some rows, taking over what is there, and note what the others cost."""
        there = np.zeros(len(rows), bool) if self.reuse is None else self.reuse.has(self.owner[rows])
        cost: dict[str, Any] = {"embedded": int((~there).sum()), "reused": int(there.sum())}
        shard = kept = None
        if self.reuse is not None and there.any():
            kept = self.reuse.read(self.owner[rows[there]], self.caption[rows[there]])
            advance(len(kept))
        if not there.all():
            embed, start = self.embed, time.perf_counter()
            shard = _embed_rows(self.samples, rows[~there], self.encoder, embed, advance)
            cost |= {"seconds": time.perf_counter() - start, "parameters": count_parameters(self.encoder, embed)}
        write_json(self.folder / f"{name}.{COST}", cost)
        return joined(there, kept, shard)


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
    batches = [order[start : start + encoder.batch_size] for start in range(0, len(order), encoder.batch_size)]
    shard: Floats | None = None
    for places, items in zip(batches, _read_ahead(payloads, [rows[places] for places in batches]), strict=True):
        batch = embed(items)
        _check_batch(batch, samples.ids[rows[places]], encoder)
        if shard is None:
            shard = np.empty((len(rows), batch.shape[1]), np.float32)
        shard[places] = batch
        advance(len(places))
    assert shard is not None
    return shard


def _read_ahead(payloads: Sequence[Any], batches: Sequence[NDArray[np.int64]]) -> Iterator[list[Any]]:
    """Yield the items of each batch; the next batch is decoded while the encoder has this one."""

    def read(batch: NDArray[np.int64]) -> list[Any]:
        return [payloads[row] for row in batch]

    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, batches[0])
        for batch in batches[1:]:
            items, ahead = ahead.result(), reader.submit(read, batch)
            yield items
        yield ahead.result()


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
