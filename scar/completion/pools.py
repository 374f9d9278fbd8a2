"""Pools: of which mix the reserve is, and whether its labels may be looked at before a sample is bought.

The mix (`scar.sampling.pool_mix`) says what there is to be had. Whether the labels are known is another question. A real reserve usually has none. A plan for it is carried out on predicted classes: the probe that was trained on the
primary set gives every sample of the reserve its calibrated class probabilities, "three of class j" then means three
samples that are predicted as j, and the probabilities say how many of each class will really be among them. A label
becomes known when its sample is bought, for retraining.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Floats, Ints
from scar.completion.calibration import METHODS, Calibration, calibrate
from scar.probes.probe_set import ProbeSet
from scar.sampling.pool_mix import MIXES
from scar.sampling.splits import Split

DRAWS = 40
"""Redraws of the validation part behind the interval of a yield."""


@dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """What every pool has.

    Attributes:
        mix: class mix of the reserve, one of `scar.sampling.pool_mix.MIXES`; None: that of the regime, ``"same"`` for
            long tails and ``"natural"`` for all others (`scar.config.schema.Config` fills it in).
    """

    hides_labels: ClassVar[bool]

    mix: str | None = None

    def __post_init__(self) -> None:
        if self.mix not in (None, *MIXES):
            raise ValueError(f"pool.mix={self.mix!r} is unknown; use one of {', '.join(MIXES)}, or null")


@dataclass(frozen=True, kw_only=True)
class LabelledPool(PoolConfig):
    """The labels of the reserve are known: simulations, and reserves that are labelled but not yet paid for."""

    hides_labels: ClassVar[bool] = False

    name: str = "labelled"


@dataclass(frozen=True, kw_only=True)
class UnlabelledPool(PoolConfig):
    """The labels of the reserve are hidden until a sample is bought; plans are carried out on predicted classes.

    Attributes:
        calibration: of the probabilities on the validation part: ``"bias_corrected"``, ``"temperature"`` or
            ``"isotonic"``, see `scar.completion.calibration.calibrate`.
        level: of the interval of the expected yield.
    """

    hides_labels: ClassVar[bool] = True

    name: str = "unlabelled"
    calibration: str = "bias_corrected"
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.calibration not in METHODS:
            raise ValueError(f"pool.calibration={self.calibration!r} is unknown; use one of {', '.join(METHODS)}")
        if not 0 < self.level < 1:
            raise ValueError(f"pool.level={self.level} must lie strictly between 0 and 1")


@dataclass(frozen=True, eq=False, kw_only=True)
class Yield:
    """What samples of an unlabelled pool are expected to be.

    Attributes:
        expected: [K] samples of each class.
        low, high: [K] interval at `level`.
        level: of the interval.
    """

    expected: Floats
    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True, eq=False, kw_only=True)
class UnlabelledView:
    """The reserve as the probe of the primary set sees it.

    Attributes:
        rows: [R] rows of the reserve, sorted.
        logits: [R, K] of the probe.
        validation_logits: [V, K] of the probe on the validation part.
        validation_labels: [V].
        pool: how the probabilities are calibrated.
        seed: of the redraws.
    """

    rows: Ints
    logits: Floats
    validation_logits: Floats
    validation_labels: Ints
    pool: UnlabelledPool
    seed: int

    @classmethod
    def of(
        cls, pool: UnlabelledPool, probes: ProbeSet, features: NDArray[np.float32], split: Split, *, seed: int
    ) -> UnlabelledView:
        """Look at the reserve through a probe.

        Args:
            pool: how the probabilities are calibrated.
            probes: whose first was trained on the primary set.
            features: [N, D] embeddings.
            split: its labels are read on the validation part and nowhere else.
            seed: of the job.
        """
        logits, seen = (
            probes.logits(0, features[rows]).astype(np.float64) for rows in (split.reserve, split.validation)
        )
        return cls(
            rows=split.reserve,
            logits=logits,
            validation_logits=seen,
            validation_labels=split.labels[split.validation],
            pool=pool,
            seed=seed,
        )

    @cached_property
    def calibration(self) -> Calibration:
        """Fitted to the whole validation part."""
        return calibrate(self.pool.calibration, self.validation_logits, self.validation_labels)

    @cached_property
    def probabilities(self) -> Floats:
        """[R, K] calibrated probabilities of the reserve."""
        return self.calibration(self.logits)

    def labels(self, labels: Ints) -> Ints:
        """Return [N] the classes that planning may see: those of the reserve are the predicted ones."""
        seen = labels.copy()
        seen[self.rows] = self.probabilities.argmax(axis=1)
        return seen

    def expect(self, rows: Ints) -> Yield:
        """Return how many samples of each class are expected among some rows of the reserve.

        The counts are sums of independent draws with the calibrated probabilities, of variance ``Σ p (1 - p)``; what
        calibrating on a finite validation part adds is the variance of ``Σ p`` over redraws of that part.
        """
        from scipy import stats

        places = np.searchsorted(self.rows, rows)
        chosen = self.probabilities[places]
        expected, variance = chosen.sum(axis=0), (chosen * (1 - chosen)).sum(axis=0)
        rng, count = generator(self.seed, "pool"), len(self.validation_labels)
        redrawn = []
        for _ in range(DRAWS):
            drawn = rng.integers(0, count, count)
            again = calibrate(self.pool.calibration, self.validation_logits[drawn], self.validation_labels[drawn])
            redrawn.append(again(self.logits[places]).sum(axis=0))
        half = stats.norm.ppf(0.5 + self.pool.level / 2) * np.sqrt(variance + np.var(redrawn, axis=0, ddof=1))
        return Yield(
            expected=expected,
            low=np.maximum(expected - half, 0.0),
            high=np.minimum(expected + half, len(rows)),
            level=self.pool.level,
        )
