"""Principal components of the pixels, learned from the training part of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.encoders._learned import Learned, LearningEncoder, drawn, require_positive
from scar.encoders.encoder import Embed
from scar.encoders.pixels import flatten


@dataclass(frozen=True, kw_only=True)
class PixelsPca(LearningEncoder):
    """Images of one size as coordinates along their principal components.

    It has no weights: mean and components come from the images of the training part of the source, without labels. No
    image of the test part is seen; those of primary set, reserve, validation and held-out part are.

    Attributes:
        dimension: components to keep, fewer where there are fewer pixels or images.
        fit_samples: training images that it learns from at most, drawn from `seed`; None takes all.
    """

    name: str = "pixels_pca"
    modality: str = "image"
    fit_samples: int | None = 20_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "dimension")

    def fit(self, payloads: Sequence[Any]) -> Embed:
        """Learn mean and components from images."""
        from sklearn.decomposition import PCA

        pixels = flatten(drawn(payloads, self.fit_samples, self.seed))
        kept = min(self.dimension, *pixels.shape)
        model = PCA(kept, svd_solver="randomized", random_state=self.seed).fit(pixels)
        mean, components = (np.asarray(each, np.float32) for each in (model.mean_, model.components_))

        def embed(images: Sequence[Any]) -> NDArray[np.float32]:
            return np.asarray((flatten(images) - mean) @ components.T, dtype=np.float32)

        return Learned(embed, parameters=components.size + mean.size)
