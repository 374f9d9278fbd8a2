"""Algorithm 1, to its end: retrain on what the plans add, and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scar.evaluation import Scores, score
from scar.pipeline.keys import Arm
from scar.pipeline.planning import Planning
from scar.randomness import derive_seed
from scar.store import Key

if TYPE_CHECKING:
    from scar.probes import ProbeSet

Ints = NDArray[np.int64]

PREDICTIONS = "predictions.npy"
# Of an arm: its [n_test] predicted classes.


class Job(Planning):
    """The stages of one configuration over one store, the last of them the evaluation (§5.2)."""

    def training_rows(self, arm: Arm) -> Ints:
        """Rows that an arm trains on."""
        if arm.fraction is None:
            rows: Ints = getattr(self.split, arm.subject)
            return rows
        plan = next(plan for plan in self.plans if plan.fraction == arm.fraction)
        return np.sort(np.concatenate([self.split.primary, plan.rows]))

    def evaluate(self) -> dict[Arm, Scores]:
        """Train the arms that are missing, together, and score all of them on the test part."""
        by_key = {arm.key: arm for arm in self.arms}
        with self.store.claim(list(by_key)) as missing:
            self.train_arms({key: self.training_rows(by_key[key]) for key in missing})
        truth = self.split.labels[self.split.test]
        return {arm: score(self._predictions(arm), truth) for arm in self.arms}

    def _predictions(self, arm: Arm) -> Ints:
        """Read what an arm predicts for the test part."""

        def make(folder: Path) -> None:
            self._save_arm(folder, self._train_rows([self.training_rows(arm)]))

        def read(folder: Path) -> Ints:
            predictions: Ints = np.load(folder / PREDICTIONS, allow_pickle=False)
            return predictions

        return self.store.load(arm.key, make, read)

    def train_arms(self, rows: Mapping[Key, Ints]) -> None:
        """Train one probe per training set in one call, and publish each with its predictions on the test part."""
        if not rows:
            return
        probes = self._train_rows(list(rows.values()))
        for index, key in enumerate(rows):
            with self.store.writing(key) as folder:
                self._save_arm(folder, probes.select([index]))

    def _train_rows(self, rows: Sequence[Ints]) -> ProbeSet:
        seed = derive_seed(self.config.seed, "evaluation")
        return self._train([(each, seed) for each in rows])

    def _save_arm(self, folder: Path, probe: ProbeSet) -> None:
        test = self.embeddings.array()[self.split.test]
        probe.save(folder)
        np.save(folder / PREDICTIONS, probe.predict(0, test), allow_pickle=False)
