"""The optimum of the penalised objective by L-BFGS, for all probes of a block at once.

The objective ``mean cross-entropy + λ/2 · |W|²`` is convex, so that its optimum does not depend on the
optimiser, and ``|∇|² / 2λ`` bounds the distance to its minimum (the biases, which are not penalised, aside).
"""

from __future__ import annotations

import torch
from torch import Tensor

from scar.probes.adam import add_product, record
from scar.probes.block import Block
from scar.probes.settings import ProbeConfig

HISTORY = 10
# Pairs of steps and gradient changes from which the curvature is estimated.
LARGE = 1 << 17
# Weights of a probe whose history leaves the cache, so that it is written in place rather than copied at every step.
ALIGN = 16
# Values between the beginnings of two such vectors are a multiple of it, so that each begins with a cache line.
SLACK = 1e-7
# Relative rounding error of the objective, which the line search forgives.
SHORTEST = 1e-8
# A step at which the line search gives up: float32 cannot show a decrease any more.


class LBFGSRun:
    """The solution of one block; `epoch` is one evaluation of the objective, which a finished probe ignores.

    Several penalties are solved in turn, each from the optimum of the one before, until the validation loss of
    matched decisions has not improved for ``patience`` of them.

    Attributes:
        kept: [P, C, W] weights to return.
        epochs, finished, converged, penalty, curve: see `ProbeSet`.
    """

    def __init__(self, block: Block, config: ProbeConfig) -> None:
        self.block, self.config = block, config
        count, device = block.real.shape[0], block.device
        paths = [config.penalties if task.penalty is None else (task.penalty,) for task in block.tasks]
        self._last = torch.tensor([len(path) - 1 for path in paths], device=device)
        longest = max(map(len, paths))
        self._penalties = torch.tensor([[*path, *path[-1:] * (longest - len(path))] for path in paths], device=device)
        self._point, self._gradient = block.start(), torch.zeros_like(block.start())
        self._direction = torch.zeros_like(self._point)
        self._share = block.real / block.sizes[:, None, None]
        self._steps, self._changes = _Recent(self._point), _Recent(self._point)
        self._value = torch.full((count,), torch.inf, dtype=torch.float64, device=device)
        self._length, self._slope = torch.ones(count, device=device), torch.zeros(count, device=device)
        self._level = torch.zeros(count, dtype=torch.int64, device=device)
        self.kept = self._point.clone()
        self.epochs, self._spent, self._waited = (self._level.clone() for _ in range(3))
        self.finished = torch.zeros(count, dtype=torch.bool, device=device)
        self.converged, self.penalty = self.finished.clone(), self._penalties[:, 0].clone()
        self._best = self._value.clone()
        self.curve = torch.full((count, config.max_epochs * len(config.penalties)), torch.nan, device=device)

    def epoch(self) -> None:
        """Evaluate one trial point: accept it or shorten the step; then keep and stop."""
        live = ~self.finished
        penalty = self._penalty()
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
        self._length = torch.where(accepted, 1.0, self._length / 2)
        self.epochs += live
        record(self.curve, self.epochs, self._value, live)
        self._spent += live
        solved = _dot(self._gradient, self._gradient) <= 2 * penalty * self.config.tolerance
        over = solved | (self._length < SHORTEST) | (self._spent >= self.config.max_epochs)
        if bool((live & over).any()):
            self._next_level(live & over, solved)

    def _penalty(self) -> Tensor:
        """Return the penalty [P] at which each probe is."""
        return self._penalties.gather(1, self._level[:, None])[:, 0]

    def _objective(self, weights: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective [P] in float64 and its gradient [P, C, W]."""
        block = self.block
        loss = torch.zeros_like(self._value)
        gradient = torch.empty_like(weights)
        labels = torch.split(block.y, block.piece, dim=2)
        shares = torch.split(self._share, block.piece, dim=2)
        for index, (x, y, share) in enumerate(zip(block.rows.pieces(block.piece), labels, shares, strict=True)):
            logits = torch.bmm(weights.to(x.dtype), x.mT).float()
            value, error = block.loss.value_and_error(logits, y, share)
            loss += value
            add_product(gradient, error, x, beta=int(index > 0))
        inner = weights[:, :, : block.dimension]
        gradient[:, :, : block.dimension] += _wide(penalty) * inner
        return loss + penalty / 2 * inner.square().sum(dim=(1, 2), dtype=torch.float64), gradient

    def _remember(self, accepted: Tensor, trial: Tensor, gradient: Tensor) -> None:
        """Append the step and the change of the gradient of each accepted probe; the oldest pair goes."""
        step, change = trial - self._point, gradient - self._gradient
        useful = accepted & (_dot(step, change) > 1e-10 * _dot(change, change))
        self._steps.append(step, useful)
        self._changes.append(change, useful)

    def _descent(self) -> Tensor:
        """Return minus the estimated inverse Hessian times the gradient.

        With the steps S and changes Y as columns, R the upper triangle of SᵀY and γ the scale of the newest
        pair, it is ``γ g + S R⁻ᵀ((D + γ YᵀY) u - γ Yᵀg) - γ Y u`` with ``u = R⁻¹ Sᵀg``, D the diagonal of R
        (Byrd, Nocedal and Schnabel 1994). A pair not yet there is zero; so is its part.
        """
        s, y, g = self._steps.rows, self._changes.rows, self._gradient.flatten(1)[:, :, None]
        sy, yy = (s @ y.mT).double(), (y @ y.mT).double()
        diagonal = sy.diagonal(dim1=1, dim2=2)
        known = diagonal > 0
        upper = sy.triu() + torch.diag_embed((~known).double())
        first = 1 / self._gradient.flatten(1).norm(dim=1).clamp(min=1.0)
        scale = torch.where(known[:, -1], diagonal[:, -1] / yy[:, -1, -1], first)[:, None, None]
        u = torch.linalg.solve_triangular(upper, (s @ g).double(), upper=True)
        inner = diagonal[:, :, None] * u + scale * (yy @ u - (y @ g).double())
        w = torch.linalg.solve_triangular(upper.mT, inner, upper=False)
        product = scale.float() * (g - y.mT @ u.float()) + s.mT @ w.float()
        descent: Tensor = -product.view_as(self._gradient)
        return descent

    def _next_level(self, over: Tensor, solved: Tensor) -> None:
        """Compare the optimum at this penalty with the best so far; go on to the next penalty, or finish."""
        choosing = bool((self._last > 0).any())
        score = self.block.validate(self._point, matched=True) if choosing else -self._level.double()
        better = over & (score < self._best)
        self._best = torch.where(better, score, self._best)
        self.kept = torch.where(_wide(better), self._point, self.kept)
        self.penalty = torch.where(better, self._penalty(), self.penalty)
        self.converged = torch.where(better, solved, self.converged)
        self._waited = torch.where(better, 0, self._waited + over)
        last = self._level == self._last
        self.finished = self.finished | (over & (last | (self._waited >= self.config.patience)))
        self._level += over & ~last
        self._value = torch.where(over, torch.inf, self._value)
        self._direction = torch.where(_wide(over), 0.0, self._direction)
        self._spent = torch.where(over, 0, self._spent)
        self._steps.forget(over)
        self._changes.forget(over)


class _Recent:
    """The last `HISTORY` vectors of each of P probes; those not yet there are zero.

    Attributes:
        rows: [P, HISTORY, C · W], the newest last.
    """

    def __init__(self, point: Tensor) -> None:
        self._width, self._start = point[0].numel(), 0
        self._in_place = len(point) == 1 and self._width > LARGE  # of several probes, each has a history of its own
        slots, stride = (2 * HISTORY, -(-self._width // ALIGN) * ALIGN) if self._in_place else (HISTORY, self._width)
        self._room = torch.zeros(len(point), slots, stride, device=point.device)
        self.rows = self._room[:, :HISTORY, : self._width]

    def append(self, new: Tensor, useful: Tensor) -> None:
        """Append vectors [P, C, W] to the probes where they are useful [P]."""
        if not self._in_place:
            longer = torch.cat([self.rows[:, 1:], new.flatten(1)[:, None]], dim=1)
            self.rows = torch.where(_wide(useful), longer, self.rows)
        elif bool(useful):
            if self._start == HISTORY:
                self._room[:, :HISTORY] = self._room[:, HISTORY:]
                self._start = 0
            self._start += 1
            self.rows = self._room[:, self._start : self._start + HISTORY, : self._width]
            self.rows[:, -1] = new.flatten(1)

    def forget(self, over: Tensor) -> None:
        """Set the vectors of some probes [P] to zero."""
        self.rows[over] = 0.0


def _wide(values: Tensor) -> Tensor:
    """Return values [P] as [P, 1, 1]."""
    return values[:, None, None]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product [P] of two [P, C, W]."""
    return (a * b).sum(dim=(1, 2))
