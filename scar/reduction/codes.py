"""The codes of images, from which pairs are clustered (§3.2)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders.embeddings.embedding_set import EmbeddingSet


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


def read_codes(folder: Path) -> tuple[NDArray[np.str_], Codes]:
    """Return the ids [N] and the codes that `scar.reduction.image_codes.write_codes` wrote.

    Raises:
        FileNotFoundError: they are not all there.
        ValueError: a shard is damaged.
    """
    sets = {each.name: EmbeddingSet.load(folder / each.name) for each in fields(Codes)}
    arrays: dict[str, Any] = {name: np.concatenate(each.shards) for name, each in sets.items()}
    return sets["indices"].ids, Codes(**arrays)
