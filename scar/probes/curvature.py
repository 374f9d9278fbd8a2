"""The curvature of the objective where training begins, which L-BFGS takes for its first estimate."""

from __future__ import annotations

import torch
from torch import Tensor

RANK, SPARE, ROUNDS = 32, 8, 2
# Eigenvectors that are kept; directions beyond them, and rounds, of the iteration that finds them (Halko et al. 2011).
ROWS = 2000
# Training rows whose covariance stands for that of all. A probe on no more rows does not gain by it.
HIGHEST = 1e30
# Curvature that float32 holds with what it is multiplied by.
SPAN = 1e5
# No direction is taken to be flatter by more than this than the steepest: `solve` would be rounding error in float32.


class StartingCurvature:
    """The Hessian ``c XᵀX/n + λ`` of each class for weights of zero, from the largest eigenvalues of XᵀX/n.

    The smallest eigenvalue that is kept stands for all beyond it, so that no step is longer than it should be.

    Args:
        rows: [P, m, W] some training rows, all of the same weight.
        variance: c [P], the mean over classes of ``p (1 - p)`` with p their frequencies.
    """

    def __init__(self, rows: Tensor, variance: Tensor) -> None:
        count, taken, width = rows.shape
        size = min(RANK + SPARE, taken, width)
        largest = rows.abs().amax(dim=(1, 2), keepdim=True)
        rows = rows / largest  # whose squares float32 holds, whatever the scale of the features
        draw = torch.randn(width, size, generator=torch.Generator().manual_seed(0))
        basis = draw.to(rows.device).expand(count, -1, -1)
        for _ in range(ROUNDS):
            basis = torch.linalg.qr(rows.mT @ (rows @ basis))[0]
        seen = rows @ basis
        values, vectors = torch.linalg.eigh((seen.mT @ seen).double() / taken)
        kept = min(RANK, size)
        self._vectors = basis @ vectors[:, :, -kept:].float()
        values = variance[:, None] * values[:, -kept:].clamp(min=0.0) * largest[:, 0].double().square()
        self._values = values.clamp(max=HIGHEST).float()

    def solve(self, gradient: Tensor, penalty: Tensor) -> Tensor:
        """Return the inverse of the Hessian at penalties [P] times [P, C, W]."""
        curvature = self._values + penalty[:, None]
        inverse = 1 / curvature.clamp(min=curvature[:, -1:] / SPAN)
        rest = inverse[:, :1, None]
        product: Tensor = torch.baddbmm(
            rest * gradient, (gradient @ self._vectors) * (inverse[:, None, :] - rest), self._vectors.mT
        )
        return product
