"""What the codebook of a trained captioner says of images, computed and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from scar.data.samples import take_items
from scar.encoders.embeddings.embedding_set import shard_name, write_ids, write_shard
from scar.reduction.captioner import CodebookCaptioner
from scar.reduction.codes import Codes
from scar.reduction.pictures import Images, square_images

SHARD = 8192
"""Images per file."""


def encode_images(captioner: CodebookCaptioner, images: Images, batch_size: int = 256) -> Codes:
    """Return the codes of images.

    Args:
        captioner: trained; it works where it is (CPU or GPU).
        images: uint8 array [N, H, W, 3], or arrays or PIL images of any size.
        batch_size: images in one call of the encoder.
    """
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
            write_shard(path, getattr(codes, name))
    for name in names:
        write_ids(folder / name, np.array(ids))
