"""Pair models of the study, one per arm and seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scar.common.types import Ints
from scar.store.keys import Key, make_key
from scar.studies.reduction.arms import PairArm
from scar.studies.reduction.judge import PairResult
from scar.studies.reduction.pair_model_results import judge, train_plain
from scar.studies.reduction.refining import RefiningStages


class PairModelStages(RefiningStages):
    """Pair models by arm and seed; which pairs an arm has is decided further down."""

    def choice_key(self, arm: PairArm, seed: int) -> list[Key]:
        """What decides which training pairs an arm has."""
        return []

    def rows_of(self, arm: PairArm, seed: int) -> Ints:
        """Return positions [m] among the training pairs that an arm trains on; one that comes twice counts twice."""
        return np.arange(len(self.pairs.train))

    def captions_of(self, arm: PairArm) -> list[str]:
        """Return [n] captions of all training pairs as an arm has them."""
        if arm.captions == "oracle":
            return self.oracle(arm.wrong)
        return {
            "original": lambda: self.original,
            "refined": lambda: self.refined,
            "collapsed": lambda: self.collapsed,
        }[arm.captions]()

    def captions_key(self, arm: PairArm) -> list[Key]:
        """What decides which captions the pairs of an arm have."""
        if arm.captions == "refined":
            return [self.generated_key]
        return [self.candidates_key(collapsed=True)] if arm.captions == "collapsed" else []

    def arm_key(self, arm: PairArm, seed: int) -> Key:
        """The pair model of an arm, with its results."""
        settings: dict[str, Any] = {
            "pairs": arm.pairs,
            "captions": arm.captions,
            "wrong": arm.wrong,
            "seed": seed,
            "pair_model": self.reduction.pair_model,
            "probe": self.config.probe,
            "share": self.reduction.share if arm.pairs == "random" else None,
            "refine": None if arm.captions == "original" else self.reduction.refine,
        }
        upstream = [*self.inputs_key, *self.choice_key(arm, seed), *self.captions_key(arm)]
        return make_key("pair_model", config=settings, upstream=upstream, code=[train_plain, judge])

    def pair_model(self, arm: PairArm, seed: int) -> Path:
        """Return the folder of a pair model and of what it achieves on the test part."""

        def make(folder: Path, partial: Path) -> None:
            from scar.reduction.pair_training import save

            model = train_plain(
                self.reduction.pair_model, self.pairs, self.inputs, self.rows_of(arm, seed), self.captions_of(arm),
                seed=seed, folder=partial,
            )  # fmt: skip
            save(model, folder)
            judge(model, self.pairs, self.inputs, self.config, seed=seed).save(folder / "result.npz")

        return self._obtain(self.arm_key(arm, seed), make)

    def result(self, arm: PairArm, seed: int) -> PairResult:
        """Return what the pair model of an arm achieves on the test part."""
        return PairResult.load(self.pair_model(arm, seed) / "result.npz")
