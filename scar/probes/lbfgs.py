"""The optimum of the penalised objective by L-BFGS, for all probes of a block at once.

The objective ``mean cross-entropy + λ/2 · |W|²`` is convex, so that its optimum does not depend on the
optimiser, and ``|∇|² / 2λ`` bounds the distance to its minimum (the biases, which are not penalised, aside).
"""

from __future__ import annotations

import torch
from torch import Tensor

from scar.probes.adam import add_product
from scar.probes.block import Block
from scar.probes.config import ProbeConfig

HISTORY = 20
# Pairs of steps and gradient changes from which the curvature is estimated.
SLACK = 1e-7
# Relative rounding error of the objective, which the line search forgives.
SHORTEST = 1e-8
# A step at which the line search gives up: float32 cannot show a decrease any more.


class LBFGSRun:
    """The solution of one block; `epoch` is one evaluation of the objective, which a finished probe ignores.

    Several penalties are solved in turn, each from the optimum of the one before, until the validation loss
    has not improved for ``patience`` of them.

    Attributes:
        kept: [P, C, W] weights to return.
        epochs, finished, converged, penalty: [P], see `scar.probes.ProbeSet`.
    """

    def __init__(self, block: Block, config: ProbeConfig) -> None:
        self.block, self.config = block, config
        count, device = block.real.shape[0], block.device
        self._penalties = torch.tensor(config.penalties, device=device)
        self._point, self._gradient = block.start(), torch.zeros_like(block.start())
        self._direction = torch.zeros_like(self._point)
        self._share = block.real / block.sizes[:, None, None]
        self._steps = torch.zeros(HISTORY, *self._point.shape, device=device)
        self._changes = torch.zeros_like(self._steps)
        self._curvature = torch.zeros(HISTORY, count, device=device)
        self._value = torch.full((count,), torch.inf, dtype=torch.float64, device=device)
        self._length, self._slope = torch.ones(count, device=device), torch.zeros(count, device=device)
        self._pairs = torch.zeros(count, dtype=torch.int64, device=device)
        self._level, self._spent = self._pairs.clone(), self._pairs.clone()
        self.kept = self._point.clone()
        self.epochs, self._waited = self._pairs.clone(), self._pairs.clone()
        self.finished = torch.zeros(count, dtype=torch.bool, device=device)
        self.converged, self.penalty = self.finished.clone(), self._penalties[self._level]
        self._best = self._value.clone()

    def epoch(self) -> None:
        """Evaluate one trial point: accept it or shorten the step; then keep and stop."""
        live = ~self.finished
        penalty = self._penalties[self._level]
        trial = self._point + _wide(self._length) * self._direction
        value, gradient = self._objective(trial, penalty)
        allowed = self._value + 1e-4 * self._length * self._slope + SLACK * self._value.abs()
        accepted = live & (value <= allowed)
        self._remember(accepted, trial, gradient)
        self._point = torch.where(_wide(accepted), trial, self._point)
        self._gradient = torch.where(_wide(accepted), gradient, self._gradient)
        self._value = torch.where(accepted, value, self._value)
        self._direction = torch.where(_wide(accepted), self._descent(), self._direction)
        self._slope = _dot(self._direction, self._gradient)
        first = torch.where(self._pairs > 0, 1.0, 1 / self._gradient.flatten(1).norm(dim=1).clamp(min=1.0))
        self._length = torch.where(accepted, first, self._length / 2)
        self.epochs += live
        self._spent += live
        solved = _dot(self._gradient, self._gradient) <= 2 * penalty * self.config.tolerance
        over = solved | (self._length < SHORTEST) | (self._spent >= self.config.max_epochs)
        if bool((live & over).any()):
            self._next_level(live & over, solved)

    def _objective(self, weights: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective [P] in float64 and its gradient [P, C, W]."""
        block = self.block
        loss = torch.zeros_like(self._value)
        gradient = torch.empty_like(weights)
        pieces = block.chunks(block.x.shape[1])
        for start in pieces:
            places = slice(start, start + pieces.step)
            x, y, share = block.x[:, places], block.y[:, None, places], self._share[:, :, places]
            logs = torch.log_softmax(torch.bmm(weights.to(x.dtype), x.mT).float(), dim=1)
            loss -= (logs.gather(1, y) * share).sum(dim=(1, 2), dtype=torch.float64)
            error = logs.exp_().scatter_add_(1, y, torch.full_like(share, -1.0)).mul_(share)
            add_product(gradient, error, x, beta=start > 0)
        inner = weights[:, :, : block.dimension]
        gradient[:, :, : block.dimension] += _wide(penalty) * inner
        return loss + penalty / 2 * inner.square().sum(dim=(1, 2), dtype=torch.float64), gradient

    def _remember(self, accepted: Tensor, trial: Tensor, gradient: Tensor) -> None:
        """Store the step and the change of the gradient of each accepted probe in its own ring."""
        step, change = trial - self._point, gradient - self._gradient
        product = _dot(step, change)
        useful = accepted & (product > 1e-10 * _dot(change, change))
        probes, slot = torch.arange(len(accepted), device=accepted.device), self._pairs % HISTORY
        for ring, new in ((self._steps, step), (self._changes, change), (self._curvature, 1 / product)):
            ring[slot, probes] = torch.where(_wide(useful, new.ndim), new, ring[slot, probes])
        self._pairs += useful

    def _descent(self) -> Tensor:
        """Return minus the estimated inverse Hessian times the gradient (the two-loop recursion)."""
        probes = torch.arange(len(self._pairs), device=self._pairs.device)
        result, used = -self._gradient, []
        for back in range(1, HISTORY + 1):
            slot = (self._pairs - back) % HISTORY
            known = self._pairs >= back
            factor = self._curvature[slot, probes] * _dot(self._steps[slot, probes], result)
            factor = torch.where(known, factor, 0)
            result = result - _wide(factor) * self._changes[slot, probes]
            used.append((slot, known, factor))
        newest = (self._pairs - 1) % HISTORY
        change = self._changes[newest, probes]
        scale = 1 / (self._curvature[newest, probes] * _dot(change, change))
        result = result * _wide(torch.where(self._pairs > 0, scale, 1))
        for slot, known, factor in reversed(used):
            back_factor = self._curvature[slot, probes] * _dot(self._changes[slot, probes], result)
            result = result + _wide(torch.where(known, factor - back_factor, 0)) * self._steps[slot, probes]
        return result

    def _next_level(self, over: Tensor, solved: Tensor) -> None:
        """Compare the optimum at this penalty with the best so far; go on to the next penalty, or finish."""
        choosing = len(self._penalties) > 1
        score = self.block.validate(self._point) if choosing else -self._level.double()
        better = over & (score < self._best)
        self._best = torch.where(better, score, self._best)
        self.kept = torch.where(_wide(better), self._point, self.kept)
        self.penalty = torch.where(better, self._penalties[self._level], self.penalty)
        self.converged = torch.where(better, solved, self.converged)
        self._waited = torch.where(better, 0, self._waited + over)
        last = self._level == len(self._penalties) - 1
        self.finished = self.finished | (over & (last | (self._waited >= self.config.patience)))
        self._level += over & ~last
        self._value = torch.where(over, torch.inf, self._value)
        self._direction = torch.where(_wide(over), 0.0, self._direction)
        self._pairs, self._spent = torch.where(over, 0, self._pairs), torch.where(over, 0, self._spent)


def _wide(values: Tensor, ndim: int = 3) -> Tensor:
    """Append axes to values [P]."""
    return values.reshape(-1, *[1] * (ndim - 1))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product [P] of two [P, C, W]."""
    return (a * b).sum(dim=(1, 2))
