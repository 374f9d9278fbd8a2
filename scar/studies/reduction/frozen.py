"""What is known of the images without training: frozen embeddings, thumbnails, and what a locked pair model reads."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from scar.common.types import Floats32, Ints
from scar.config.nodes import ConfigError
from scar.reduction.choices import thumbnails
from scar.store.keys import Key, make_key
from scar.studies.reduction.captioning import CaptionStages

_IMAGE_DIMENSION = 128


def reduce_frozen(rows: Floats32, train: Ints) -> Floats32:
    """Return embeddings [N, D] as leading principal components, learned from the training part."""
    kept = min(_IMAGE_DIMENSION, rows.shape[1], len(train))
    fitted = PCA(kept, svd_solver="randomized", random_state=0).fit(rows[train])
    return np.asarray(fitted.transform(rows), np.float32)


def lock(frozen: Floats32, images: NDArray[np.uint8], train: Ints) -> Floats32:
    """Return [N, F] what a locked pair model reads: frozen embeddings, which know little of places, and thumbnails.

    Both are centred by the training part and have a mean square of 1 per dimension there.
    """
    parts = []
    for each in (frozen, thumbnails(images)):
        centred = each - each[train].mean(axis=0)
        parts.append(centred / np.sqrt(np.square(centred[train]).mean()))
    return np.concatenate(parts, axis=1).astype(np.float32)


class FrozenStages(CaptionStages):
    """Embeddings of images that nothing here trains."""

    def frozen_key(self) -> Key:
        """Reduced embeddings of the study's encoder."""
        if "image" not in self.job.inputs.towers:
            raise ConfigError(f"encoder={self.config.encoder.name} reads no images; a reduction needs one that does")
        upstream = [self.job.inputs.towers["image"].key, self.pairs_key]
        return make_key(
            "frozen_images", config={"dimension": _IMAGE_DIMENSION}, upstream=upstream, code=[reduce_frozen]
        )

    @cached_property
    def frozen_images(self) -> Floats32:
        """[N, D] of all images: leading principal components, learned from the training part, of the study's encoder."""

        def make() -> Floats32:
            rows = np.asarray(self.job.inputs.towers["image"].value.array())
            return reduce_frozen(rows, self.pairs.train)

        return self.store.load_array(self.frozen_key(), "images.npy", make)

    @property
    def inputs_key(self) -> list[Key]:
        """What decides what a pair model reads of the images."""
        return [self.pairs_key, *([self.frozen_key()] if self._locked else [])]

    @cached_property
    def inputs(self) -> NDArray[Any]:
        """[N, ...] what a pair model reads of all images: pictures, or features where it is locked."""
        return lock(self.frozen_images, self.pairs.images, self.pairs.train) if self._locked else self.pairs.images

    @property
    def _locked(self) -> bool:
        return self.reduction.pair_model.towers == "locked"
