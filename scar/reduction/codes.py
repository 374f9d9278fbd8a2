"""The codes of images, from which pairs are clustered (§3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.data.samples import take_items
from scar.embeddings import MANIFEST, EmbeddingSet, shard_name
from scar.files import replacing
from scar.reduction.pictures import Images, square_images

if TYPE_CHECKING:
    from scar.reduction.captioner import CodebookCaptioner

SHARD = 8192
"""Images per file."""


@dataclass(frozen=True, eq=False)
class Codes:
    """What a captioner says of N images.

    Attributes:
        indices: [N, L] code of each token, the index vectors of the paper.
        quantised_mean: [N, d] mean of the codes.
        image_embeddings: [N, d] mean of the tokens before they were quantised.
    """

    indices: NDArray[np.int32]
    quantised_mean: NDArray[np.float32]
    image_embeddings: NDArray[np.float32]


def encode_images(captioner: CodebookCaptioner, images: Images, batch_size: int = 256) -> Codes:
    """Return the codes of images.

    Args:
        captioner: trained; it works where it is (CPU or GPU).
        images: uint8 array [N, H, W, 3], or arrays or PIL images of any size.
        batch_size: images in one call of the encoder.
    """
    import torch

    pixels = square_images(images, captioner.config.image_size)
    size = captioner.config.width
    codes = Codes(
        np.empty((len(pixels), captioner.config.tokens), np.int32),
        np.empty((len(pixels), size), np.float32),
        np.empty((len(pixels), size), np.float32),
    )
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            rows = slice(start, start + batch_size)
            tokens = captioner.encode(torch.from_numpy(np.array(pixels[rows])).to(captioner.device))
            indices = captioner.codebook(tokens).indices
            codes.indices[rows] = indices.cpu().numpy()
            codes.quantised_mean[rows] = captioner.codebook.codes[indices].mean(dim=1).float().cpu().numpy()
            codes.image_embeddings[rows] = tokens.mean(dim=1).float().cpu().numpy()
    return codes


def write_codes(
    captioner: CodebookCaptioner,
    images: Images,
    ids: Sequence[str],
    folder: Path,
    *,
    batch_size: int = 256,
    shard_size: int = SHARD,
) -> None:
    """Write the codes of images as npy shards beside their ids, one folder for each field of `Codes`.

    A shard that is there is not made again, so that an interrupted call goes on where it stopped; the lists of the ids
    are written last. Each folder can be opened by `EmbeddingSet.load`.

    Args:
        captioner: trained.
        images: [N] as for `encode_images`.
        ids: [N] of the images, each once.
        folder: of the codes.
        batch_size: images in one call of the encoder.
        shard_size: images per file, of which one is in memory.

    Raises:
        ValueError: there are not as many ids as images, or an id repeats.
    """
    if len(ids) != len(images) or len(set(ids)) < len(ids) or not len(ids):
        raise ValueError(f"{len(images)} images with {len(set(ids))} distinct ids; give each image one of its own")
    names = [each.name for each in fields(Codes)]
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index, start in enumerate(range(0, len(ids), shard_size)):
        paths = {name: folder / name / shard_name(index) for name in names}
        if all(path.is_file() for path in paths.values()):
            continue
        rows = np.arange(start, min(start + shard_size, len(ids)))
        codes = encode_images(captioner, take_items(images, rows), batch_size)
        for name, path in paths.items():
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, getattr(codes, name), allow_pickle=False)
    for name in names:
        _write_manifest(folder / name / MANIFEST, ids, shard_size)


def read_codes(folder: Path) -> tuple[NDArray[np.str_], Codes]:
    """Return the ids [N] and the codes that `write_codes` wrote.

    Raises:
        FileNotFoundError: they are not all there.
        ValueError: a shard is damaged.
    """
    sets = {each.name: EmbeddingSet.load(folder / each.name) for each in fields(Codes)}
    arrays: dict[str, Any] = {name: np.concatenate(each.shards) for name, each in sets.items()}
    return sets["indices"].ids, Codes(**arrays)


def _write_manifest(path: Path, ids: Sequence[str], shard_size: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shard, row = np.divmod(np.arange(len(ids), dtype=np.int32), np.int32(shard_size))
    with replacing(path) as temporary:
        pq.write_table(pa.table({"id": [str(each) for each in ids], "shard": shard, "row": row}), temporary)
