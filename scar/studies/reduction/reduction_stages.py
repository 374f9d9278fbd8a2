"""Which pairs are kept: every reduction of the study, and the random sets that they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import derive_seed, generator
from scar.common.types import Floats32, Ints
from scar.encoders.tfidf import TfidfSvd
from scar.reduction.cluster_features import cluster_features
from scar.reduction.keep import Kept, find_rule, keep
from scar.reduction.pair_score import filter_pairs
from scar.reduction.settings import ReductionConfig
from scar.sampling.clusters import KMeans, fit_clusters
from scar.store.keys import Key, make_key
from scar.studies.reduction.arms import PairArm
from scar.studies.reduction.pair_models import PairModelStages

CHOOSING = (
    *("share", "clusters", "features", "components", "keep", "duplicate_threshold"),
    *("pair_filter_share", "pair_threshold"),
)
"""Settings that decide which pairs are kept."""
_TEXT_DIMENSION = 64
_TEXT_CLUSTERS = 24
"""Clusters of captions that the probe of the rules ``hard`` and ``gradient`` predicts from the images."""


class ReductionStages(PairModelStages):
    """Everything that a study of a reduction reads, made where the store lacks it."""

    @cached_property
    def text_encoder(self) -> Callable[[list[str]], Floats32]:
        """TF-IDF reduced by an SVD, learned from the original training captions."""
        return TfidfSvd(dimension=_TEXT_DIMENSION).fit(self.original)

    @cached_property
    def text_clusters(self) -> Ints:
        """Cluster [n] of the caption of every training pair."""
        rows = self.text_encoder(self.original)
        k = max(2, min(_TEXT_CLUSTERS, len(rows) // 8))
        return fit_clusters(rows, k, seed=derive_seed(self.config.seed, "caption clusters"), settings=KMeans()).labels

    def kept_key(self, reduction: ReductionConfig, seed: int, *, encoder_images: bool = False) -> Key:
        """Which pairs a reduction keeps."""
        settings = {name: getattr(reduction, name) for name in CHOOSING} | {"seed": seed, "encoder": encoder_images}
        upstream = [self.captioner_key(reduction)]
        upstream += [self.frozen_key()] if encoder_images else []
        upstream += self._scorer_keys() if self._filters(reduction) else []
        return make_key("kept", config=settings, upstream=upstream, code=[ReductionStages])

    def kept(self, reduction: ReductionConfig, seed: int, *, encoder_images: bool = False) -> Kept:
        """Return which of the training pairs are kept, by their positions, and the cluster of every one."""

        def make(folder: Path) -> None:
            own, ids = self.pairs, self.pairs.ids[self.pairs.train]
            image = self.frozen_images[own.train] if encoder_images else None
            text = self.text_encoder(self.original) if reduction.features == "text" else None
            features = cluster_features(
                reduction.features, self.codes(reduction), image, text, ids=ids, components=reduction.components
            )
            whole = reduction.keep == "random"
            found = keep(
                features, share=reduction.share, clusters=1 if whole else reduction.clusters,
                rule=find_rule(reduction.keep, duplicate_threshold=reduction.duplicate_threshold), seed=seed, ids=ids,
                allowed=self._allowed(reduction), targets=self.text_clusters,
            )  # fmt: skip
            np.savez_compressed(folder / "kept.npz", allow_pickle=False, **vars(found))

        def read(folder: Path) -> Kept:
            with np.load(folder / "kept.npz", allow_pickle=False) as archive:
                return Kept(**archive)

        return self.store.load(self.kept_key(reduction, seed, encoder_images=encoder_images), make, read)

    def _filters(self, reduction: ReductionConfig) -> bool:
        return bool(reduction.pair_filter_share) or reduction.pair_threshold is not None

    def _allowed(self, reduction: ReductionConfig) -> NDArray[np.bool_] | None:
        if not self._filters(reduction):
            return None
        return filter_pairs(
            self.pair_scores(refined=False), share=reduction.pair_filter_share, threshold=reduction.pair_threshold
        )

    def choice_key(self, arm: PairArm, seed: int) -> list[Key]:
        """What decides which training pairs an arm has."""
        if arm.pairs != "reduced":
            return []
        return [self.kept_key(self.reduction, seed, encoder_images=arm.encoder_images)]

    def rows_of(self, arm: PairArm, seed: int) -> Ints:
        """Return positions [m] among the training pairs that an arm trains on."""
        count = len(self.pairs.train)
        if arm.pairs == "full":
            return np.arange(count)
        if arm.pairs == "random":
            size = round(self.reduction.share * count)
            return np.sort(generator(seed, "random pairs").permutation(count)[:size])
        return self.kept(self.reduction, seed, encoder_images=arm.encoder_images).rows
