"""The measures of step functions as torchmetrics metrics (§3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from scar.measures.coverage import step_coverage
from scar.measures.steps import StepStatistics, check_histogram

COUNTS = ("samples", "invalid")
CLASS_COUNTS = ("misses", "false_alarms", "others_right")


class _StepMetric(Metric):
    """Common part: every batch goes through `StepStatistics`, so that the results equal `scar_measures`."""

    is_differentiable = False
    full_state_update = False

    def __init__(self, num_classes: int, decision: str = "argmax", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        StepStatistics(num_classes, decision)  # checks both
        self.num_classes = num_classes
        self.decision = decision

    def _statistics(self, logits: Tensor, labels: Tensor) -> StepStatistics:
        """Return the statistics of one batch, logits [n, K] and labels [n]."""
        scores = logits.detach()
        scores = scores if scores.dtype in (torch.float32, torch.float64) else scores.float()
        statistics = StepStatistics(self.num_classes, self.decision)
        statistics.update(scores.cpu().numpy(), labels.detach().cpu().numpy())
        return statistics


class _CountMetric(_StepMetric):
    """A measure that counts determine; in a `MetricCollection` these share one state and one update."""

    samples: Tensor
    invalid: Tensor
    misses: Tensor
    false_alarms: Tensor
    others_right: Tensor

    def __init__(self, num_classes: int, decision: str = "argmax", **kwargs: Any) -> None:
        super().__init__(num_classes, decision, **kwargs)
        for name in COUNTS:
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        for name in CLASS_COUNTS:
            self.add_state(name, torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch of logits [n, K] and labels [n]."""
        statistics = self._statistics(logits, labels)
        for name in (*COUNTS, *CLASS_COUNTS):
            state = getattr(self, name)
            setattr(self, name, state + torch.as_tensor(getattr(statistics, name), device=state.device))


class StepScale(_CountMetric):
    """[K] share of valid and semi-valid samples, times the share 1/r that the set is of the whole (§3.2.1).

    Args:
        num_classes: K.
        decision: ``"argmax"`` or ``"threshold"``, see `scar_measures`.
        fraction: 1/r.
        kwargs: of `torchmetrics.Metric`.
    """

    def __init__(self, num_classes: int, decision: str = "argmax", *, fraction: float = 1.0, **kwargs: Any) -> None:
        super().__init__(num_classes, decision, **kwargs)
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction={fraction} must be 1/r of the whole set, in (0, 1]")
        self.fraction = fraction

    def compute(self) -> Tensor:
        """Return the scale of every step."""
        share = (self.samples - self.invalid).double() / self.samples * self.fraction
        return share.repeat(self.num_classes)


class StepAuthenticity(_CountMetric):
    """[K] share of right binary decisions (§3.2.3).

    Args:
        num_classes: K.
        decision: ``"argmax"`` or ``"threshold"``, see `scar_measures`.
        kwargs: of `torchmetrics.Metric`.
    """

    def compute(self) -> Tensor:
        """Return the authenticity of every step."""
        return (self.samples - self.misses - self.false_alarms).double() / self.samples


class StepRichness(_CountMetric):
    """[K] authenticity, plus the share of other steps that are right where this one is wrong (§3.2.4).

    Args:
        num_classes: K.
        decision: ``"argmax"`` or ``"threshold"``, see `scar_measures`.
        kwargs: of `torchmetrics.Metric`.
    """

    def compute(self) -> Tensor:
        """Return the richness of every step."""
        right = (self.samples - self.misses - self.false_alarms).double()
        return (right + self.others_right.double() / (self.num_classes - 1)) / self.samples


class StepCoverage(_StepMetric):
    """[K] nearness of the true positives' logits to a normal distribution, NaN where undefined (§3.2.2).

    The state holds one logit and one class index per true positive.

    Args:
        num_classes: K.
        decision: accepted for symmetry; the true positives are those of arg-max under every decision.
        bins: histogram bins.
        min_count: true positives that a defined coverage needs.
        kwargs: of `torchmetrics.Metric`.
    """

    logits: list[Tensor]
    steps: list[Tensor]

    def __init__(
        self, num_classes: int, decision: str = "argmax", *, bins: int = 100, min_count: int = 30, **kwargs: Any
    ) -> None:
        super().__init__(num_classes, decision, **kwargs)
        check_histogram(bins, min_count)
        self.bins = bins
        self.min_count = min_count
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("steps", [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch of logits [n, K] and labels [n]."""
        own, steps = self._statistics(logits, labels).true_positives()
        self.logits.append(torch.as_tensor(own, device=self.device))
        self.steps.append(torch.as_tensor(steps, device=self.device))

    def compute(self) -> Tensor:
        """Return the coverage of every step."""
        coverage, _ = step_coverage(
            _joined(self.logits),
            _joined(self.steps),
            num_steps=self.num_classes,
            bins=self.bins,
            min_count=self.min_count,
        )
        return torch.as_tensor(coverage, device=self.device)


def _joined(state: list[Tensor] | Tensor) -> np.ndarray[Any, Any]:
    """Return a state of the kind "cat" as an array; after synchronisation it is one tensor."""
    joined: np.ndarray[Any, Any] = (state if isinstance(state, Tensor) else torch.cat(state)).cpu().numpy()
    return joined
