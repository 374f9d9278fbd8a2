"""What `scar.characterize` found: measures, sizes, needs and scores as frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scar.common.types import Floats, Ints
from scar.completion.forecast import Forecaster, NoForecaster
from scar.evaluation.item_intervals import score_interval
from scar.evaluation.label_scores import LabelScores
from scar.evaluation.scores import Scores, raw_and_decision
from scar.foundation.estimates import Estimate
from scar.foundation.settings import RECOMMENDED
from scar.measures.observations import Observations, probe_warnings
from scar.measures.steps import MEASURES
from scar.probes.probe_set import ProbeSet
from scar.reporting.decision import Interval
from scar.sampling.class_sizes import ClassSizes
from scar.sampling.indicators import dataset_indicators


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeFindings:
    """What probes on samples found, as frames.

    Attributes:
        class_names: [K] names.
        counts: [K] samples of each class that the probes were trained on; those that carry it where there may be several.
        samples: that the probes were trained on.
        observations: what the probes showed.
        estimates: by estimator.
        mix: [K] class frequencies where a classifier will be used.
        declared: whether they were given by class, so that `matched_accuracy` weights recalls by them.
        test_scores: of the probe trained on everything.
        probe: that probe, to `predict` with.
        driver: estimator whose needs `plan` answers.
        pool: [M] classes of the pool, or [M, K] zeros and ones, or None where there is none or it has no labels.
        pool_size: samples in the pool, or None where there is none.
        random_state: seed.
        forecasts: makes what forecasts: trains probes on compositions when it is first asked.
        pool_features: [M, D] embeddings of the pool, for selections that look at them.
        training_features: [n, D] embeddings that the probe was trained on.
        training_labels: [n] their classes, or [n, K] zeros and ones.
        test_labels: [n_test] classes of the test part, which intervals of scores rest on; [n_test, K] zeros and ones.
    """

    class_names: tuple[str, ...]
    counts: Ints
    samples: int
    mix: Floats
    observations: Observations
    estimates: dict[str, Estimate]
    test_scores: Scores | LabelScores
    probe: ProbeSet
    driver: str
    pool: Ints | None
    pool_size: int | None
    random_state: int
    forecasts: Callable[[], Forecaster | NoForecaster]
    pool_features: NDArray[np.float32] | None = None
    training_features: NDArray[np.float32] | None = None
    training_labels: Ints | None = None
    test_labels: Ints | None = None
    declared: bool = False

    @property
    def several(self) -> bool:
        """Whether a sample may carry several labels, or none: each is then a decision of its own."""
        return self.observations.several

    @property
    def labels(self) -> pd.DataFrame:
        """Test scores of each label where a sample may carry several; see `scar.evaluation.label_scores`.

        Raises:
            ValueError: the samples are of one class each.
        """
        if not isinstance(self.test_scores, LabelScores):
            raise ValueError("the samples are of one class each; test_scores holds their scores")
        index = pd.Index(self.class_names, name="label")
        return pd.DataFrame({"samples": self.counts, **self.test_scores.by_label}, index=index)

    @property
    def indicators(self) -> pd.Series:
        """Dataset-scale indicators of the samples that the probes were trained on: class sizes, skew, tails."""
        return pd.Series(dataset_indicators(ClassSizes(self.counts, self.samples)), name="value")

    @property
    def measures(self) -> pd.DataFrame:
        """Measures per factor, part and class (§3.2)."""
        seen = self.observations
        parts = []
        for p in range(len(seen.factors)):
            columns = {m: getattr(seen, m)[p] for m in MEASURES}
            about = {"factor": seen.factors[p], "part": seen.parts[p], "class_name": self.class_names}
            parts.append(pd.DataFrame({**about, "samples": seen.class_sizes[p], **columns}))
        return pd.concat(parts, ignore_index=True)

    @property
    def foundation(self) -> pd.DataFrame:
        """Foundation Data Size of the set per estimator, with interval and flags."""
        records = [
            (name, each.foundation_size, *each.interval, "; ".join(each.flags)) for name, each in self.estimates.items()
        ]
        columns = ["estimator", "foundation_size", "low", "high", "flags"]
        return pd.DataFrame.from_records(records, columns=columns, index="estimator")

    @property
    def prospect(self) -> pd.DataFrame:
        """What multiples of the data are expected to bring, at the same class mix; see `scar.foundation.prospect`.

        ``enough`` is the probability that the gap is within the tolerance; ``gap`` and ``accuracy`` are medians, with
        the ends of their intervals. Where a sample may carry several labels the latter is ``balanced_accuracy``. Empty where
        `recommended` is not among the estimators.
        """
        ahead = None if (each := self.estimates.get(RECOMMENDED)) is None else each.prospect
        columns = ["enough", *(f"{name}{end}" for name in ("gap", self._ahead) for end in ("", "_low", "_high"))]
        if ahead is None:
            return pd.DataFrame(columns=columns, index=pd.Index([], name="samples"))
        values = np.column_stack([ahead.probability, ahead.gap, ahead.accuracy])
        samples = np.rint(ahead.multiples * self.samples).astype(np.int64)
        return pd.DataFrame(values, columns=columns, index=pd.Index(samples, name="samples"))

    def chance_of_enough(self, samples: float) -> float:
        """Return the probability that a set of so many samples, mixed as this one, is enough.

        Raises:
            ValueError: `recommended` is not among the estimators or has no answer, or `samples` is not positive.
        """
        each = self.estimates.get(RECOMMENDED)
        if each is None or each.prospect is None:
            raise ValueError(
                f"foundation.estimators={list(self.estimates)}: {RECOMMENDED!r}, with a held-out part and two sizes or more, "
                "is what tells a probability"
            )
        return float(each.prospect.chance(samples))

    @property
    def needs(self) -> pd.DataFrame:
        """What each class has and how many samples of it would be enough at the present class mix, by the driver.

        ``enough`` is 0 where the need is met, and NaN where too little is known to tell (``cannot_tell``, ``few_samples``,
        ``undefined``); for such a class a plan takes the largest need that is defined.
        """
        each = self.estimates[self.driver]
        share = self.counts / self.samples
        return pd.DataFrame(
            {
                "have": self.counts,
                "enough": each.class_needs(self.counts, self.samples),
                "low": each.step_intervals[:, 0] * share,
                "high": each.step_intervals[:, 1] * share,
                "flags": ["; ".join(flags) for flags in each.step_flags],
            },
            index=pd.Index(self.class_names, name="class_name"),
        )

    @property
    def _ahead(self) -> str:
        """What the prospect forecasts beside the gap."""
        return "balanced_accuracy" if self.several else "accuracy"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the answers doubtful, and what to do about it; empty where nothing does."""
        return probe_warnings(self.observations)

    @property
    def scores(self) -> pd.DataFrame:
        """Every accuracy on the test part with the 95 % interval that its items leave, and how many they are.

        By score of `scar.evaluation.scores.SCORES` that is a mean over items: ``value``, ``low`` and ``high`` as shares,
        ``tested``. Another split, or another draw of the training samples, is no part of the interval.
        """
        kinds = ("balanced_accuracy",) if self.several else ("accuracy", "balanced_accuracy")
        found = {name: self._interval(name) for kind in kinds for name in (f"matched_{kind}", kind)}
        columns = {end: [float(getattr(each, end)) for each in found.values()] for end in ("value", "low", "high")}
        tested = len(self.test_scores.predictions.raw)
        return pd.DataFrame({**columns, "tested": tested}, index=pd.Index(list(found), name="score"))

    def _interval(self, metric: str) -> Interval:
        """Return a score with the 95 % interval that the test items leave, for this split."""
        value = float(getattr(self.test_scores, metric))
        if self.test_labels is None:
            return Interval(value=value)
        (name, decision), truth = raw_and_decision(metric), self.test_labels
        decided = np.asarray(getattr(self.test_scores.predictions, decision), np.int64)
        mix = self.mix if self.declared and metric == "matched_accuracy" else None
        low, high = score_interval(decided, truth, name, mix=mix)
        return Interval(value=value, low=low, high=high)
