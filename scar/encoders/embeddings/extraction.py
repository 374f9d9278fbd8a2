"""Extraction: the embeddings of a source in shards, made by one process or by several that share the work."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.mapped import joined, places
from scar.data.checks import first_few
from scar.data.samples import Samples
from scar.data.source import Source
from scar.encoders.embeddings._shard_work import ShardWork
from scar.encoders.embeddings.cost import COST, sum_costs
from scar.encoders.embeddings.embedding_set import EmbeddingSet, join_shards, shard_name, write_ids
from scar.encoders.embeddings.reuse import Reuse
from scar.encoders.encoder import Encoder
from scar.store.artefact import META

SHARD = 8192
"""Samples (or captions) per file."""
_PLAN = "extraction.json"


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
    return _seal(samples, encoder, folder)


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

    Each shard is locked while it is embedded; a shard that another process embeds is waited for at the end, and
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
    return ShardWork(partial, samples, encoder, shard_size, finished, reuse).run(progress)


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
        return samples if kept else samples.take(places(samples.ids, self.ids))


def embed_together(
    read: Callable[[], Samples], encoder: Encoder, partial: Path, final: Path | None = None, reuse: Reuse | None = None
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


def merge_shards(samples: Samples, encoder: Encoder, partial: Path, folder: Path) -> EmbeddingSet:
    """Make finished embeddings of the shards in a folder, which stay there until the caller removes them.

    They become one shard, so that a process maps one file and reads the rows that it needs.
    """
    for cost in partial.glob(f"*.{COST}"):
        (folder / cost.name).hardlink_to(cost)
    shards = sorted(partial.glob("shard-*.npy"))
    if len(shards) == 1:
        (folder / shard_name(0)).hardlink_to(shards[0])
    else:
        join_shards(shards, folder / shard_name(0))
    return _seal(samples, encoder, folder)


def _seal(samples: Samples, encoder: Encoder, folder: Path) -> EmbeddingSet:
    write_ids(folder, _one_row_per_caption(samples, encoder.modality).ids)
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
        without = samples.ids[counts == 0].tolist()
        raise ValueError(
            f"{len(without)} samples have no caption ({first_few(without)}); leave them out, or give them one"
        )
    flat = [caption for group in groups for caption in group]
    ids, splits = (np.repeat(each, counts) for each in (samples.ids, samples.splits))
    return replace(samples, ids=ids, splits=splits, payloads={modality: flat})


def _claim(folder: Path, samples: Samples, encoder: Encoder, shard_size: int) -> None:
    """Note in the folder what its shards are of; refuse shards of something else."""
    digest = hashlib.sha256()
    for piece in joined(samples.ids, "\n"):
        digest.update(piece)
    plan = {"ids": digest.hexdigest(), "shard_size": shard_size, "encoder": encoder.name, "modality": encoder.modality}
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / _PLAN).is_file():
        if read_json(folder / _PLAN) != plan:
            raise ValueError(f"{folder} holds an unfinished extraction of other samples or settings; delete it")
    elif any(folder.glob("shard-*.npy")):
        raise ValueError(f"{folder} already holds embeddings; choose another folder or delete it")
    else:
        write_json(folder / _PLAN, plan)
