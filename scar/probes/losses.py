"""What a probe minimises on its rows: cross-entropy of one class each, or of every label by itself.

Both are means over rows. The second is the sum over K labels of a binary cross-entropy, so that the penalised optimum of
each label is a logistic regression of its own, whatever the other labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scar.probes.decisions import matched_label_shift, matched_shift, smoothed_mix, smoothed_shares

MANY = 128
# Classes beyond which the logits of a row lie side by side, and training takes account of those without rows.
NEVER = 1e-5
# Rows that a class without any counts for, where there are many classes: together they then weigh next to nothing.


def products(weights: Tensor, x: Tensor) -> Tensor:
    """Return the logits [P, C, b] of rows x [P, b, W] or [b, W] by weights [P, C, W]."""
    if weights.shape[1] > MANY:
        return ((x if x.ndim == 3 else x[None]) @ weights.mT).mT
    return weights @ x.mT


class Softmax:
    """One class per row: targets [P, 1, n] are its index."""

    several = False

    def targets(self, count: int, classes: int, rows: int, device: torch.device) -> Tensor:
        """Return room for the targets of P probes."""
        return torch.zeros(count, 1, rows, dtype=torch.int64, device=device)

    def read(self, labels: NDArray[Any]) -> Tensor:
        """Return labels [n] as targets [1, n]."""
        return torch.from_numpy(labels)[None]

    def ordered(self, y: Tensor, order: Tensor) -> Tensor:
        """Return the targets in the order [P, n]."""
        return y.gather(2, order[:, None, :])

    def error(self, logits: Tensor, y: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the derivative by the logits [P, C, b] of the loss of each row, ``softmax - onehot``."""
        error = torch.softmax(logits, dim=1, dtype=dtype)
        return error.scatter_add_(1, y, _minus_one(y, dtype))

    def value_and_error(self, logits: Tensor, y: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss [P] in float64 of rows that count ``share`` [P, 1, b] each, and its derivative."""
        if logits.shape[1] > MANY:
            logs, error = _along_rows(logits, y)
            value = -(logs * share).sum(dim=(1, 2), dtype=torch.float64)
            return value, error.scatter_add_(1, y, torch.full_like(share, -1.0)).mul_(share)
        logs = torch.log_softmax(logits, dim=1)
        value = -(logs.gather(1, y) * share).sum(dim=(1, 2), dtype=torch.float64)
        error = logs.exp_().scatter_add_(1, y, torch.full_like(share, -1.0)).mul_(share)
        return value, error

    def log_likelihood(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return the logarithm [P, 1, b] of the probability of each target."""
        if logits.shape[1] > MANY:
            return _along_rows(logits, y)[0]
        return torch.log_softmax(logits, dim=1).gather(1, y)

    def matched_shift(self, trained: Tensor, seen: Tensor, num_classes: int) -> NDArray[np.float64]:
        """Return [K] what matches logits to the mix of the targets `seen` [1, v], of a probe on `trained` [1, n]."""
        have, there = (torch.bincount(y[0], minlength=num_classes).cpu().numpy() for y in (trained, seen))
        return matched_shift(have, smoothed_mix(there, have))

    def prior(self, y: Tensor, real: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
        """Return biases [P, K] that give every class its frequency among the `real` rows, and the mean [P] of its variance.

        Each class counts half a row more than there are, so that one without any keeps a finite bias. Many classes without rows
        would make a large share of the loss, which falls until their biases are far below all others; they begin there.
        """
        seen = torch.zeros(len(y), num_classes, device=y.device).scatter_add_(1, y[:, 0], real[:, 0].float())
        counts = seen + 0.5 if num_classes <= MANY else torch.where(seen > 0, seen + 0.5, NEVER)
        shares = counts / counts.sum(dim=1, keepdim=True)
        return shares.log(), (shares * (1 - shares)).mean(dim=1)

    def single(self, y: Tensor, real: Tensor) -> Tensor:
        """Return [P] whether the rows that are `real` [P, 1, n] leave nothing to tell apart."""
        return ((y == y[:, :, :1]) | ~real).all(dim=2)[:, 0]

    def decided(self, logits: Tensor) -> Tensor:
        """Return the binary decisions [P, C, b]: the largest logit alone is positive."""
        return logits == logits.amax(dim=1, keepdim=True)

    def constant(self, always: Tensor, never: Tensor) -> Tensor:
        """Return [P] whether decisions that are always, or never, positive [P, C] tell nothing: one class for all rows."""
        return always.any(dim=1)


class Sigmoids:
    """Any number of labels per row: targets [P, C, n] are 1 where a row carries the label, 0 where not."""

    several = True

    def targets(self, count: int, classes: int, rows: int, device: torch.device) -> Tensor:
        """Return room for the targets of P probes."""
        return torch.zeros(count, classes, rows, dtype=torch.uint8, device=device)

    def read(self, labels: NDArray[Any]) -> Tensor:
        """Return labels [n, K] as targets [K, n]."""
        return torch.from_numpy(np.ascontiguousarray(labels.T, dtype=np.uint8))

    def ordered(self, y: Tensor, order: Tensor) -> Tensor:
        """Return the targets in the order [P, n]."""
        return y.gather(2, order[:, None, :].expand(-1, y.shape[1], -1))

    def error(self, logits: Tensor, y: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the derivative by the logits [P, C, b] of the loss of each row, ``sigmoid - target``."""
        return torch.sigmoid(logits.to(dtype)).sub_(y)

    def value_and_error(self, logits: Tensor, y: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss [P] in float64 of rows that count ``share`` [P, 1, b] each, and its derivative."""
        value = -(self.log_likelihood(logits, y) * share).sum(dim=(1, 2), dtype=torch.float64)
        return value, torch.sigmoid(logits).sub_(y).mul_(share)

    def log_likelihood(self, logits: Tensor, y: Tensor) -> Tensor:
        """Return the logarithm [P, C, b] of the probability of each target."""
        return torch.nn.functional.logsigmoid(torch.where(y > 0, logits, -logits))

    def matched_shift(self, trained: Tensor, seen: Tensor, num_classes: int) -> NDArray[np.float64]:
        """Return [K] what matches logits to the frequencies in `seen` [K, v], of a probe on `trained` [C, n]."""
        have, there = (y[:num_classes].sum(dim=1).cpu().numpy() for y in (trained, seen))
        size, others = trained.shape[1], seen.shape[1]
        return matched_label_shift(have, size, smoothed_shares(there, others, have / size))

    def prior(self, y: Tensor, real: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
        """Return biases [P, K] that give every label its frequency among the `real` rows, and the mean [P] of its variance.

        Half a row more than there are carries each label, and half a row does not, so that biases are finite.
        """
        sizes = real.sum(dim=2)
        shares = ((y[:, :num_classes] * real).sum(dim=2) + 0.5) / (sizes + 1)
        return shares.logit(), (shares * (1 - shares)).mean(dim=1)

    def single(self, y: Tensor, real: Tensor) -> Tensor:
        """Return [P] whether the rows that are `real` [P, 1, n] leave nothing to tell apart."""
        return ((y == y[:, :, :1]) | ~real).all(dim=2).all(dim=1)

    def decided(self, logits: Tensor) -> Tensor:
        """Return the binary decisions [P, C, b], each by its own logit."""
        return logits > 0

    def constant(self, always: Tensor, never: Tensor) -> Tensor:
        """Return [P] whether decisions that are always, or never, positive [P, C] tell nothing: no label varies."""
        return (always | never).all(dim=1)


def loss_of(labels: NDArray[Any]) -> Softmax | Sigmoids:
    """Return the loss that fits labels: classes [N], or zeros and ones [N, K]."""
    return Sigmoids() if labels.ndim == 2 else Softmax()


def _along_rows(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logarithms [P, 1, b] of the probabilities of targets, and all probabilities [P, C, b].

    One exponential per logit, row by row in the cache. The logarithm follows from the most likely class, whose
    probability is at least 1 / C, so that one that float32 cannot hold has its logarithm too.
    """
    rows = logits.mT
    shares = torch.softmax(rows, dim=2)
    below = rows.gather(2, y.mT).sub_(rows.amax(dim=2, keepdim=True))
    return below.add_(shares.amax(dim=2, keepdim=True).log()).mT, shares.mT


def _minus_one(y: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.full((), -1.0, dtype=dtype, device=y.device).expand(y.shape)
