"""Pair models that score what they were not trained on: two halves of the training pairs, each scored by the other's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scar.common.randomness import generator
from scar.common.types import Floats32, Ints
from scar.reduction.pair_score import pair_score
from scar.store.keys import Key, make_key
from scar.studies.reduction.frozen import FrozenStages
from scar.studies.reduction.pair_model_results import train_plain

if TYPE_CHECKING:
    from scar.reduction.pair_model import PairModel

FOLDS = 2


class ScorerStages(FrozenStages):
    """Scores of pairs by models that have not seen them."""

    @cached_property
    def folds(self) -> Ints:
        """[n] the fold of every training pair; the model of a fold is trained on the other one."""
        order = generator(self.config.seed, "pair scorers").permutation(len(self.pairs.train))
        folds = np.empty(len(order), np.int64)
        folds[order] = np.arange(len(order)) % FOLDS
        return folds

    def scorer_key(self, fold: int) -> Key:
        """The model that scores a fold."""
        settings = {"pair_model": self.reduction.pair_model, "seed": self.config.seed, "fold": fold, "folds": FOLDS}
        return make_key("pair_scorer", config=settings, upstream=self.inputs_key, code=[train_plain])

    def scorer(self, fold: int) -> PairModel:
        """Return the model that scores a fold."""
        from scar.reduction.pair_training import load, save

        def make(folder: Path, partial: Path) -> None:
            rows = np.flatnonzero(self.folds != fold)
            model = train_plain(
                self.reduction.pair_model,
                self.pairs,
                self.inputs,
                rows,
                self.original,
                seed=self.config.seed,
                folder=partial,
            )
            save(model, folder)

        return load(self._obtain(self.scorer_key(fold), make))

    def temperature(self, fold: int) -> float:
        """Return the temperature that the model of a fold has learned."""
        return float((-self.scorer(fold).towers.logit_scale.detach()).exp())

    def out_of_fold(self, texts: Sequence[str] | None = None) -> tuple[Floats32, Floats32]:
        """Return embeddings [n, E] of the training images and of a text for each, by the models that have not seen them.

        Args:
            texts: [n]; None takes the original captions.
        """
        given = self.original if texts is None else texts
        width = self.reduction.pair_model.embed_dim
        images, captions = (np.empty((len(given), width), np.float32) for _ in range(2))
        for fold in range(FOLDS):
            rows, model = np.flatnonzero(self.folds == fold), self.scorer(fold)
            images[rows] = model.embed_images(self.inputs[self.pairs.train[rows]])
            captions[rows] = model.embed_texts([given[int(row)] for row in rows])
        return images, captions

    def score(self, texts: Sequence[str] | None = None) -> Floats32:
        """Return [n] the cosine of every training image and a text for it, by models that have seen neither."""
        return pair_score(*self.out_of_fold(texts)).astype(np.float32)

    @cached_property
    def embedded(self) -> tuple[Floats32, Floats32]:
        """Embeddings [n, E] of the training images and of their original captions, out of fold."""
        key = make_key("pair_embeddings", upstream=self._scorer_keys(), code=[ScorerStages])

        def make(folder: Path) -> None:
            images, captions = self.out_of_fold()
            np.savez(folder / "pairs.npz", images=images, captions=captions, allow_pickle=False)

        def read(folder: Path) -> tuple[Floats32, Floats32]:
            with np.load(folder / "pairs.npz", allow_pickle=False) as archive:
                return archive["images"], archive["captions"]

        return self.store.load(key, make, read)

    def _scorer_keys(self) -> list[Key]:
        return [self.scorer_key(fold) for fold in range(FOLDS)]
