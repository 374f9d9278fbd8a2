"""Scale, Coverage, Authenticity and Richness of K step functions, in one streaming pass (§3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scar.common.types import Bools, Floats, Ints
from scar.measures.coverage import step_coverage

MEASURES = ("scale", "coverage", "authenticity", "richness")
"""The four measures, of a step function as of a whole dataset, in the order of their acronym."""
DECISIONS = ("argmax", "threshold")
"""How logits become binary decisions: only the largest is positive, or every logit above 0."""
CHUNK = 1 << 20
"""Logits that the threshold decisions hold at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StepMeasures:
    """The measures of K step functions on one set of samples.

    Attributes:
        scale: [K] share of the samples that are valid or semi-valid, times the share 1/r that the set is of
            the whole.
        coverage: [K] 1 - JSD₂ between the logits of the true positives and a normal; NaN where undefined.
        authenticity: [K] share of right binary decisions.
        richness: [K] authenticity plus, for every wrong decision, the share of the other steps that are right
            there.
        true_positives: [K] samples of the class that arg-max classifies rightly, with a positive logit; of several labels
            those that carry the label and have a positive logit.
        coverage_defined: [K] whether the coverage is defined: at least `min_count` true positives, not all
            equal.
    """

    scale: Floats
    coverage: Floats
    authenticity: Floats
    richness: Floats
    true_positives: Ints
    coverage_defined: Bools


def scar_measures(
    logits: ArrayLike, labels: ArrayLike, *, decision: str = "argmax", bins: int = 100, min_count: int = 30
) -> StepMeasures:
    """Return the measures of every step function on a set of samples (§3.2).

    The set counts as the whole (r = 1 in the scale); `StepStatistics` gives the same for subsets and batches.

    Args:
        logits: [N, K] of a probe on the samples it was trained on, K ≥ 2.
        labels: [N] classes 0..K-1, integers; or [N, K] zeros and ones where a sample carries any number of labels, which
            takes ``decision="threshold"``.
        decision: ``"argmax"`` (the paper's) or ``"threshold"`` (a step decides by its own logit, z > 0).
        bins: histogram bins of the coverage.
        min_count: true positives that a defined coverage needs.

    Raises:
        ValueError: an empty array, shapes that do not fit, a logit that is not finite, a label that is no
            class.
    """
    logits = np.asarray(logits)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"logits has shape {logits.shape}; it must be [N, K] with K ≥ 2")
    statistics = StepStatistics(logits.shape[1], decision=decision)
    statistics.update(logits, labels)
    return statistics.compute(bins=bins, min_count=min_count)


class StepStatistics:
    """What the measures need of a stream of logits: counts, and one logit per true positive.

    Memory is O(N + K · bins). The result does not depend on how the samples are batched or divided among
    merged accumulators.

    Attributes:
        num_classes: K.
        decision: ``"argmax"`` or ``"threshold"``.
        samples: samples N seen.
        correct: samples whose arg-max is their class; of several labels those on which every decision is right.
        invalid: samples on which every binary decision is wrong.
        class_sizes: [K] samples of each class.
        misses: [K] samples of class j that are not decided as j.
        false_alarms: [K] samples of other classes that are decided as j.
        others_right: [K] right decisions of the other steps, summed over the samples on which step j is
            wrong.
    """

    def __init__(self, num_classes: int, decision: str = "argmax") -> None:
        if num_classes != int(num_classes) or num_classes < 2:
            raise ValueError(f"num_classes={num_classes} must be a whole number of at least 2")
        if decision not in DECISIONS:
            raise ValueError(f"decision={decision!r} must be one of {list(DECISIONS)}")
        self.num_classes = int(num_classes)
        self.decision = decision
        self.samples = self.correct = self.invalid = 0
        self.class_sizes, self.misses, self.false_alarms, self.others_right = (
            np.zeros(self.num_classes, dtype=np.int64) for _ in range(4)
        )
        self._logits: list[NDArray[np.floating]] = []
        self._steps: list[NDArray[np.integer]] = []

    def update(self, logits: ArrayLike, labels: ArrayLike) -> None:
        """Add samples.

        Args:
            logits: [n, K].
            labels: [n] classes 0..K-1, integers; or [n, K] zeros and ones.

        Raises:
            ValueError: an empty array, shapes that do not fit, a logit that is not finite, a label that is no
                class.
        """
        if np.ndim(labels) == 2:
            self._update_several(np.asarray(logits), np.asarray(labels))
            return
        scores, classes = check_batch(np.asarray(logits), np.asarray(labels), self.num_classes)
        predicted = scores.argmax(axis=1)
        largest = scores.reshape(-1).take(np.arange(0, scores.size, self.num_classes) + predicted)
        if not (np.isfinite(largest).all() and np.isfinite(scores.min())):  # arg-max finds NaN and +inf, min -inf
            bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
            raise ValueError(f"logits holds NaN or infinite values in rows {bad[:10].tolist()}")
        right = predicted == classes
        rightly = classes[right]
        positive = right & (largest > 0)
        self._logits.append(largest[positive])
        self._steps.append(classes[positive].astype(np.int32))
        sizes = self._count(classes)
        self.samples += len(classes)
        self.correct += len(rightly)
        self.class_sizes += sizes
        if self.decision == "argmax":
            self._count_argmax(sizes, self._count(predicted), self._count(rightly))
        else:
            rows = max(1, CHUNK // self.num_classes)
            for start in range(0, len(classes), rows):
                self._count_threshold(scores[start : start + rows] > 0, classes[start : start + rows])

    def merge(self, other: StepStatistics) -> None:
        """Add the samples of another accumulator, for example of another process."""
        if (other.num_classes, other.decision) != (self.num_classes, self.decision):
            raise ValueError(
                f"other has num_classes={other.num_classes} and decision={other.decision!r}, this one "
                f"{self.num_classes} and {self.decision!r}"
            )
        for name in ("samples", "correct", "invalid", "class_sizes", "misses", "false_alarms", "others_right"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._logits += other._logits
        self._steps += other._steps

    def compute(self, scale: float = 1.0, *, bins: int = 100, min_count: int = 30) -> StepMeasures:
        """Return the measures of all samples so far.

        Args:
            scale: fraction 1/r that the samples are of the whole training set.
            bins: histogram bins of the coverage.
            min_count: true positives that a defined coverage needs.

        Raises:
            ValueError: no samples yet, or an argument out of range.
        """
        if not 0 < scale <= 1:
            raise ValueError(f"scale={scale} must be the fraction 1/r of the whole set, in (0, 1]")
        check_histogram(bins, min_count)
        logits, steps = self.true_positives()
        coverage, defined = step_coverage(logits, steps, num_steps=self.num_classes, bins=bins, min_count=min_count)
        right = self.samples - self.misses - self.false_alarms
        return StepMeasures(
            scale=np.full(self.num_classes, (self.samples - self.invalid) / self.samples * scale),
            coverage=coverage,
            authenticity=right / self.samples,
            richness=(right + self.others_right / (self.num_classes - 1)) / self.samples,
            true_positives=np.bincount(steps, minlength=self.num_classes),
            coverage_defined=defined,
        )

    def true_positives(self) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
        """Return logit [M] and class [M] of the samples that arg-max gets right with a positive logit.

        Raises:
            ValueError: no samples yet.
        """
        if self.samples == 0:
            raise ValueError("logits: no samples have been added yet")
        return np.concatenate(self._logits), np.concatenate(self._steps)

    def _count(self, classes: NDArray[np.integer]) -> Ints:
        return np.bincount(classes, minlength=self.num_classes)

    def _update_several(self, logits: NDArray[Any], labels: NDArray[Any]) -> None:
        """Add samples that carry any number of labels [n, K]: every step decides by its own logit."""
        if self.decision != "threshold":
            raise ValueError("several labels per sample are decided one by one; use decision='threshold'")
        if logits.shape != labels.shape or logits.shape[1:] != (self.num_classes,) or not labels.size:
            raise ValueError(f"logits {logits.shape} and labels {labels.shape} must both be [n, {self.num_classes}]")
        if np.isnan(logits).any():
            raise ValueError(f"logits holds NaN in rows {np.flatnonzero(np.isnan(logits).any(axis=1))[:10].tolist()}")
        carried, fired = labels.astype(bool), logits > 0
        both, wrong = carried & fired, carried ^ fired
        right = self.num_classes - np.count_nonzero(wrong, axis=1)
        rows, steps = np.nonzero(both)
        self._logits.append(logits[rows, steps])
        self._steps.append(steps.astype(np.int32))
        self.samples += len(labels)
        self.correct += int(np.count_nonzero(right == self.num_classes))
        self.invalid += int(np.count_nonzero(right == 0))
        self.class_sizes += np.count_nonzero(carried, axis=0)
        self.misses += np.count_nonzero(carried & ~fired, axis=0)
        self.false_alarms += np.count_nonzero(fired & ~carried, axis=0)
        self.others_right += right @ wrong

    def _count_argmax(self, sizes: Ints, predicted: Ints, correct: Ints) -> None:
        """A wrong prediction is one miss and one false alarm, and leaves the other K - 2 decisions right."""
        wrong = sizes + predicted - 2 * correct
        self.misses += sizes - correct
        self.false_alarms += predicted - correct
        self.others_right += (self.num_classes - 2) * wrong
        self.invalid += int((sizes - correct).sum()) if self.num_classes == 2 else 0

    def _count_threshold(self, fired: Bools, classes: Ints) -> None:
        """Count decisions ``fired`` [n, K], sample by sample right or wrong on every step."""
        own = fired[np.arange(len(classes)), classes]
        hits = self._count(classes[own])
        errors = np.count_nonzero(fired, axis=1) + 1 - 2 * own  # false alarms, and the miss if its own step is silent
        right = (self.num_classes - errors).astype(np.float64)
        # Σ right_i over the samples on which step j is wrong: those where it fired, less those of class j
        # where it fired, plus those of class j where it did not. Sums of integers are exact in float64.
        partial = right @ fired.astype(np.float64)
        partial += np.bincount(classes, np.where(own, -right, right), minlength=self.num_classes)
        self.misses += self._count(classes) - hits
        self.false_alarms += np.count_nonzero(fired, axis=0) - hits
        self.others_right += np.rint(partial).astype(np.int64)
        self.invalid += int(np.count_nonzero(right == 0))


def check_batch(logits: NDArray[Any], labels: NDArray[Any], num_classes: int) -> tuple[NDArray[np.floating], Ints]:
    """Return logits as floats [n, K] and labels as int64 [n]; a ValueError names the bad argument."""
    if logits.ndim != 2 or logits.shape[1] != num_classes:
        raise ValueError(f"logits has shape {logits.shape}; it must be [n, {num_classes}]")
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels has shape {labels.shape}; logits {logits.shape} needs {logits.shape[:1]}")
    if labels.size == 0:
        raise ValueError("logits and labels are empty")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels has dtype {labels.dtype}; classes must be integers")
    classes = labels.astype(np.int64)
    if classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(f"labels spans {classes.min()}..{classes.max()}; classes must be 0..{num_classes - 1}")
    scores = logits.astype(logits.dtype if logits.dtype.kind == "f" else np.float64, copy=False)
    return scores, classes


def check_histogram(bins: int, min_count: int) -> None:
    """Raise a ValueError unless both are whole numbers of at least 1 (`bins` 2)."""
    for name, value, least in (("bins", bins, 2), ("min_count", min_count, 1)):
        if value != int(value) or value < least:
            raise ValueError(f"{name}={value} must be a whole number of at least {least}")
