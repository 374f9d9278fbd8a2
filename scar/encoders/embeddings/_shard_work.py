"""The work of one process on the shards of an extraction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from scar.common.progress import progress_bar
from scar.common.types import Floats32
from scar.data.checks import first_few, non_finite_rows
from scar.data.samples import TRAIN, Samples, take_items
from scar.encoders._parameters import count_parameters
from scar.encoders.embeddings.cost import is_whole, note_cost
from scar.encoders.embeddings.embedding_set import shard_name, write_shard
from scar.encoders.embeddings.reuse import Reuse, joined
from scar.encoders.encoder import Embed, Encoder


@dataclass
class ShardWork:
    """What one process does about the shards of a folder.

    Attributes:
        folder: of the shards.
        samples: of the source, with one row for each caption.
        encoder: reads the payloads of its modality.
        shard_size: rows per file.
        finished: tells whether another process has taken the shards away, all of them complete.
        reuse: samples whose embeddings are there already.
    """

    folder: Path
    samples: Samples
    encoder: Encoder
    shard_size: int
    finished: Callable[[], bool]
    reuse: Reuse | None = None

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """[M] the sample of every row."""
        new = np.ones(len(self.samples), bool)
        new[1:] = self.samples.ids[1:] != self.samples.ids[:-1]
        return np.cumsum(new) - 1

    def caption(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which of the captions of its sample each row is."""
        return rows - np.searchsorted(self.owner, self.owner[rows])

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
        """Embed one shard unless it is there; tells whether it is, False while another process embeds it."""
        path = self.folder / shard_name(index)
        rows = np.arange(index * self.shard_size, min((index + 1) * self.shard_size, len(self.samples)))
        if is_whole(path) or self.finished():
            advance(len(rows))
            return True
        lock = FileLock(self.folder / f".{path.name}.lock")
        try:
            with lock.acquire(blocking=patient):
                if is_whole(path) or self.finished():
                    advance(len(rows))
                    return True
                shard, cost = self._shard(rows, advance)
                write_shard(path, shard)
                note_cost(path, cost)
        except Timeout:
            return False
        return True

    def _shard(self, rows: NDArray[np.int64], advance: Callable[[int], None]) -> tuple[Floats32, dict[str, Any]]:
        """Return the embeddings [n, D] of some rows, taking over what is there, and what the others cost."""
        there = np.zeros(len(rows), bool) if self.reuse is None else self.reuse.has(self.owner[rows])
        cost: dict[str, Any] = {"embedded": int((~there).sum()), "reused": int(there.sum())}
        shard = kept = None
        if self.reuse is not None and there.any():
            kept = self.reuse.read(self.owner[rows[there]], self.caption(rows[there]))
            advance(len(kept))
        if not there.all():
            embed, start = self.embed, time.perf_counter()
            shard = _embed_rows(self.samples, rows[~there], self.encoder, embed, advance)
            cost |= {"seconds": time.perf_counter() - start, "parameters": count_parameters(self.encoder, embed)}
        return joined(there, kept, shard), cost


def _embed_rows(
    samples: Samples, rows: NDArray[np.int64], encoder: Encoder, embed: Embed, advance: Callable[[int], None]
) -> Floats32:
    """Return the embeddings of some samples [n, D], in their order."""
    payloads = samples.payloads[encoder.modality]
    order = _reading_order(payloads, rows, encoder.modality)
    batches = [order[start : start + encoder.batch_size] for start in range(0, len(order), encoder.batch_size)]
    shard: Floats32 | None = None
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


def _check_batch(batch: Floats32, ids: NDArray[np.str_], encoder: Encoder) -> None:
    if batch.ndim != 2 or len(batch) != len(ids) or batch.dtype != np.float32:
        raise ValueError(
            f"encoder={encoder.name} returned {batch.dtype} {batch.shape} for {len(ids)} samples; "
            f"expected float32 ({len(ids)}, D)"
        )
    bad = non_finite_rows(batch)
    if len(bad):
        raise ValueError(
            f"encoder={encoder.name} returned NaN or infinite values for {len(bad)} samples ({first_few(ids[bad].tolist())}); "
            "look at these samples (is one empty?) and leave them out"
        )
