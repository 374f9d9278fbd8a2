"""The manifest of a reduction: what became of every pair; `dataset=pairs_manifest` reads it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from scar.common.files import replacing
from scar.data.checks import validate_aligned

COLUMNS = ("id", "cluster", "kept", "reason", "original", "generated", "refined", "pair_score", "image", "times")
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, eq=False, kw_only=True)
class Manifest:
    """What became of N pairs.

    Attributes:
        ids: [N] of the source.
        cluster: [N] cluster; -1 for pairs that were left out before.
        kept: [N].
        reason: [N] why a pair is kept or not.
        original: [N] captions of the source, of several the first.
        generated: [N] captions of the captioner; empty where none was made.
        refined: [N] captions to train on; empty for pairs that are not kept.
        pair_score: [N] of the original caption; NaN where it was not computed.
        image: [N] reference of the image: a path relative to the manifest, or empty where the id is enough.
        times: [N] how often a pair is trained on, 0 where it is not kept; above 1 under a soft cap.
    """

    ids: NDArray[np.str_]
    cluster: NDArray[np.int64]
    kept: NDArray[np.bool_]
    reason: Sequence[str]
    original: Sequence[str]
    generated: Sequence[str]
    refined: Sequence[str]
    pair_score: NDArray[np.float64]
    image: Sequence[str]
    times: NDArray[np.int64]

    def __post_init__(self) -> None:
        validate_aligned(**vars(self))
        if len(np.unique(self.ids)) < len(self.ids):
            raise ValueError(f"{len(self.ids)} pairs have {len(np.unique(self.ids))} ids; ids must be unique")
        if ((self.times > 0) != self.kept).any() or (self.times < 0).any():
            row = (
                int(np.flatnonzero((self.times > 0) != self.kept)[0])
                if (self.times >= 0).all()
                else int(self.times.argmin())
            )
            raise ValueError(
                f"times[{row}]={self.times[row]} does not fit kept={bool(self.kept[row])}; a pair is kept once or more, or "
                "not at all"
            )
        bare = [row for row in np.flatnonzero(self.kept).tolist() if not self.refined[row].strip()]
        if bare:
            raise ValueError(
                f"the kept pair {str(self.ids[bare[0]])!r} (row {bare[0]}) has no refined caption; every one needs it"
            )


def make_manifest(
    *,
    ids: ArrayLike,
    cluster: ArrayLike,
    kept: ArrayLike,
    reason: Sequence[str],
    original: Sequence[str],
    generated: Sequence[str] | None = None,
    refined: Sequence[str] | None = None,
    pair_score: ArrayLike | None = None,
    image: Sequence[str] | None = None,
    times: ArrayLike | None = None,
) -> Manifest:
    """Make a manifest of aligned columns; what is not given is empty, and refined captions are then the original ones.

    Args:
        ids: [N].
        cluster: [N].
        kept: [N] flags, or the positions of the kept pairs.
        reason: [N].
        original: [N].
        generated: [N].
        refined: [N]; those of pairs that are not kept are dropped.
        pair_score: [N].
        image: [N].
        times: [N]; None takes every kept pair once.

    Raises:
        ValueError: lengths differ, ids repeat, a kept pair has no caption.
    """
    names = np.asarray(ids, dtype=np.str_)
    flags = np.asarray(kept)
    if flags.dtype != bool:
        flags = np.isin(np.arange(len(names)), flags)
    nothing = [""] * len(names)
    captions = original if refined is None else refined
    validate_aligned(ids=names, refined=captions, kept=flags)
    return Manifest(
        ids=names,
        cluster=np.asarray(cluster, np.int64),
        kept=flags,
        reason=[str(each) for each in reason],
        original=list(original),
        generated=nothing if generated is None else list(generated),
        refined=[caption if flag else "" for caption, flag in zip(captions, flags.tolist(), strict=True)],
        pair_score=np.full(len(names), np.nan) if pair_score is None else np.asarray(pair_score, np.float64),
        image=nothing if image is None else list(image),
        times=flags.astype(np.int64) if times is None else np.asarray(times, np.int64),
    )


def write_manifest(manifest: Manifest, path: Path) -> Path:
    """Write a manifest atomically, as Parquet or CSV by its suffix, in the order of the ids.

    Raises:
        ValueError: the suffix is another.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: a manifest is {' or '.join(SUFFIXES)}")
    order = np.argsort(manifest.ids, kind="stable").tolist()
    values = {"id": manifest.ids.tolist(), "cluster": manifest.cluster.tolist(), "pair_score": _scores(manifest)}
    values["times"] = manifest.times.tolist()
    values["kept"] = ["yes" if kept else "no" for kept in manifest.kept.tolist()]
    for name in ("reason", "original", "generated", "refined", "image"):
        values[name] = list(getattr(manifest, name))
    columns = {name: [values[name][row] for row in order] for name in COLUMNS}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        (_write_parquet if path.suffix == ".parquet" else _write_csv)(columns, temporary)
    return path


def _scores(manifest: Manifest) -> list[float | None]:
    return [None if np.isnan(score) else score for score in manifest.pair_score.tolist()]


def _write_csv(columns: dict[str, list[Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(zip(*columns.values(), strict=True))


def _write_parquet(columns: dict[str, list[Any]], path: Path) -> None:
    types = {"cluster": pa.int64(), "pair_score": pa.float64(), "times": pa.int64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    pq.write_table(pa.table(columns, schema=schema), path)
