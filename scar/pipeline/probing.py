"""Probes on the subsets of a training set, what they showed, and how much data would be enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scar.foundation.estimates import Estimate, estimate, load_estimates, save_estimates
from scar.measures.observations import Observations
from scar.pipeline.inputs import Inputs
from scar.progress import probe_bar
from scar.randomness import derive_seed
from scar.ranks import everywhere
from scar.subsets import draw_subsets

if TYPE_CHECKING:
    from scar.probes import ProbeSet, ProbeTask

Ints = NDArray[np.int64]


class Probing(Inputs):
    """The stages of §3: subsets, probes, measures, Foundation Data Size."""

    def observations(self, subject: str) -> Observations:
        """What the probes on the subsets of a training set showed."""

        def make(folder: Path) -> None:
            from scar.observe import observe

            config, split = self.config, self.split
            subsets = draw_subsets(getattr(split, subject), split.labels, config.subsets, seed=config.seed)
            probes = self._train([(s.rows, derive_seed(config.seed, "probe", s.factor, s.part)) for s in subsets])
            observations = observe(
                probes,
                subsets,
                self.embeddings.array(),
                split.labels,
                num_classes=self.num_classes,
                heldout=split.heldout,
                decision=config.foundation.decision,
                bins=config.foundation.bins,
                min_count=config.foundation.min_count,
            )
            probes.save(folder)
            observations.save(folder / "observations.npz")

        key = self.observations_key(subject)
        return self.store.load(key, make, lambda folder: Observations.load(folder / "observations.npz"))

    def foundation(self, subject: str) -> dict[str, Estimate]:
        """Estimates by every estimator."""

        def make(folder: Path) -> None:
            save_estimates(folder / "foundation.json", estimate(self.observations(subject), self.config.foundation))

        key = self.foundation_key(subject)
        return self.store.load(key, make, lambda folder: load_estimates(folder / "foundation.json"))

    def _train(self, tasks: Sequence[tuple[Ints, int]]) -> ProbeSet:
        from scar.probes import ProbeTask, train_probes

        split = self.split
        bank: list[ProbeTask] = [ProbeTask(train=rows, validation=split.validation, seed=seed) for rows, seed in tasks]
        data = (self.embeddings.array(), split.labels, bank)
        settings: dict[str, Any] = {"num_classes": self.num_classes}
        settings |= {"config": self.config.probe, "trainer": self.config.trainer}
        if self.config.trainer.strategy == "ddp":
            return everywhere(train_probes, *data, **settings)
        with probe_bar(len(bank)) as tell:
            return train_probes(*data, **settings, progress=tell)
