"""Pair models of the study, and how well captions fit their images by the model of the full set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scar.common.types import Floats32, Ints
from scar.reduction.pair_score import pair_score
from scar.store.keys import Key, make_key
from scar.studies.reduction.arms import FULL, PairArm
from scar.studies.reduction.captioning import CaptionStages
from scar.studies.reduction.judge import PairResult
from scar.studies.reduction.pair_model_results import judge

if TYPE_CHECKING:
    from scar.reduction.pair_model import PairModel


class PairModelStages(CaptionStages):
    """Pair models by arm and seed; which pairs an arm has is decided further down."""

    def choice_key(self, arm: PairArm, seed: int) -> list[Key]:
        """What decides which training pairs an arm has."""
        return []

    def rows_of(self, arm: PairArm, seed: int) -> Ints:
        """Return positions [m] among the training pairs that an arm trains on."""
        return np.arange(len(self.pairs.train))

    def arm_key(self, arm: PairArm, seed: int) -> Key:
        """The pair model of an arm, with its results."""
        upstream = [self.pairs_key, *self.choice_key(arm, seed), *([self.generated_key] if arm.refined else [])]
        settings = {
            "pairs": arm.pairs,
            "seed": seed,
            "pair_model": self._settings(arm),
            "probe": self.config.probe,
            "share": self.reduction.share if arm.pairs == "random" else None,
            "refine": self.reduction.refine if arm.refined else None,
        }
        return make_key("pair_model", config=settings, upstream=upstream, code=[PairModelStages])

    def _settings(self, arm: PairArm) -> Any:
        config = self.reduction.pair_model
        return replace(config, epochs=max(1, round(self.reduction.share * config.epochs))) if arm.short else config

    def pair_model(self, arm: PairArm, seed: int) -> Path:
        """Return the folder of a pair model and of what it achieves on the test part."""

        def make(folder: Path, partial: Path) -> None:
            from scar.reduction.pair_training import save, train_pair_model
            from scar.reduction.tokens import make_tokenizer

            own, rows, config = self.pairs, self.rows_of(arm, seed), self._settings(arm)
            texts = self.refined if arm.refined else self.original
            model = train_pair_model(
                config,
                own.images[own.train[rows]],
                [texts[row] for row in rows],
                seed=seed,
                folder=partial,
                tokenizer=make_tokenizer(self.original, vocabulary=config.vocabulary),  # the same for every arm
            )
            save(model, folder)
            judge(model, own, self.config, seed=seed).save(folder / "result.npz")

        return self._obtain(self.arm_key(arm, seed), make)

    def open_pair_model(self, arm: PairArm, seed: int) -> PairModel:
        """Return a trained pair model."""
        from scar.reduction.pair_training import load

        return load(self.pair_model(arm, seed))

    def result(self, arm: PairArm, seed: int) -> PairResult:
        """Return what the pair model of an arm achieves on the test part."""
        return PairResult.load(self.pair_model(arm, seed) / "result.npz")

    def scores_key(self, *, refined: bool) -> Key:
        """How well the captions of the training pairs fit."""
        upstream = [self.arm_key(FULL, self.reduction.seeds[0]), *([self.generated_key] if refined else [])]
        settings = {"refine": self.reduction.refine if refined else None}
        return make_key("pair_scores", config=settings, upstream=upstream, code=[PairModelStages])

    def pair_scores(self, *, refined: bool) -> Floats32:
        """Return [n] the pair score of every training pair: the cosine by the first pair model of the full set.

        That model has seen the original captions of these pairs, and none of the refined ones.
        """

        def make(folder: Path) -> None:
            model = self.open_pair_model(FULL, self.reduction.seeds[0])
            texts = model.embed_texts(self.refined if refined else self.original)
            scores = pair_score(model.embed_images(self._images()), texts)
            np.save(folder / "scores.npy", scores, allow_pickle=False)

        def read(folder: Path) -> Floats32:
            scores: Floats32 = np.load(folder / "scores.npy", allow_pickle=False)
            return scores

        return self.store.load(self.scores_key(refined=refined), make, read)
