"""The manifest of finished embeddings: which row of which shard each id has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from scar.common.files import replacing
from scar.common.types import Ints


def write_manifest(path: Path, ids: Sequence[str], shard_size: int) -> None:
    """Write the manifest of shards that are all there; it makes them finished embeddings."""
    shard, row = np.divmod(np.arange(len(ids), dtype=np.int32), np.int32(shard_size))
    with replacing(path) as temporary:
        pq.write_table(
            pa.table({"id": list(map(str, ids)), "shard": shard, "row": row}), temporary, write_page_checksum=True
        )


def read_manifest(path: Path) -> tuple[NDArray[np.str_], Ints]:
    """Return the ids [M] of all rows, and how many rows each shard has.

    Raises:
        OSError: it is no Parquet file.
        KeyError: it lacks a column.
    """
    table = pq.ParquetFile(path, page_checksum_verification=True).read()  # read_table imports pandas
    return np.asarray(table["id"].to_pylist(), dtype=np.str_), np.bincount(table["shard"].to_pylist())
