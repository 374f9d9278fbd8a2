"""The optimum of the penalised objective by L-BFGS, for all probes of a block at once.

The objective ``mean cross-entropy + λ/2 · |W|²`` is convex, so that its optimum does not depend on the
optimiser, and ``|∇|² / 2λ`` bounds the distance to its minimum (the biases, which are not penalised, aside).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scar.probes.adam import add_product, record
from scar.probes.block import Block
from scar.probes.curvature import ROWS, StartingCurvature
from scar.probes.losses import MANY, products
from scar.probes.probe_set import ProbeTask
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
EASIER, NEAR, FARTHEST = 10**0.5, 0.3, 16
# Of a given penalty and many classes: from one penalty on the way to it to the next; how far above its minimum, in
# parts of the objective, one may be left; and how many steps a way may have. Features that nobody scaled may ask for more.


class LBFGSRun:
    """The solution of one block; `epoch` is one evaluation of the objective, which a finished probe ignores.

    Several penalties are solved in turn, each from the optimum of the one before with the curvature found there, until the validation loss of
    matched decisions has not improved for ``patience`` of them. A penalty that is given is the last of several where there are many classes
    (`_path`): those before it are solved roughly, which takes half the evaluations where the last is weak, and else as many. They count towards its
    ``max_epochs``.

    Attributes:
        kept: [P, C, W] weights to return.
        epochs, finished, converged, penalty, curve: see `ProbeSet`.
    """

    def __init__(self, block: Block, config: ProbeConfig) -> None:
        self.block, self.config = block, config
        count, device = block.real.shape[0], block.device
        self._point, variance = self._beginning()
        paths = [self._path(p, variance) for p in range(count)]
        self._last = torch.tensor([len(path) - 1 for path in paths], device=device)
        longest = max(map(len, paths))
        self._penalties = torch.tensor([[*path, *path[-1:] * (longest - len(path))] for path in paths], device=device)
        self._chooses = torch.tensor([self._chooses_of(task) for task in block.tasks], device=device)
        self._has_way = bool((~self._chooses & (self._last > 0)).any())
        self._curvature = self._starting_curvature(variance)
        self._gradient, self._direction = torch.zeros_like(self._point), torch.zeros_like(self._point)
        self._share = block.real / block.sizes[:, None, None]
        self._steps, self._changes = _Recent(self._point), _Recent(self._point)
        self._value = torch.full((count,), torch.inf, dtype=torch.float64, device=device)
        self._length, self._slope = torch.ones(count, device=device), torch.zeros(count, device=device)
        self._level = torch.zeros(count, dtype=torch.int64, device=device)
        self.kept = self._point.clone()
        self.epochs, self._spent, self._waited = (self._level.clone() for _ in range(3))
        self.finished = torch.zeros(count, dtype=torch.bool, device=device)
        self.converged = self.finished.clone()
        self.penalty = torch.where(self._chooses, self._penalties[:, 0], self._penalties[:, -1])
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
        self._length = torch.where(accepted, 1.0, self._length / 2)
        self.epochs += live
        record(self.curve, self.epochs, self._value, live)
        self._spent += live
        tolerance = self._tolerance() if self._has_way else self.config.tolerance
        solved = _dot(self._gradient, self._gradient) <= 2 * penalty * tolerance
        over = live & (solved | (self._length < SHORTEST) | (self._spent >= self.config.max_epochs))
        if bool(over.any()):
            self._next_level(over, solved)
        turned = (accepted | over) & ~self.finished
        if bool(turned.any()):
            self._direction = torch.where(_wide(turned), self._descent(), self._direction)
            self._slope = _dot(self._direction, self._gradient)
            self._length = torch.where(turned, 1.0, self._length)

    def _path(self, p: int, variance: Tensor) -> tuple[float, ...]:
        """Return the penalties of probe p, the last one the weakest.

        The first on the way to a given one outweighs the loss: it is the trace ``c · mean |x|²`` of the Hessian of a class where
        training begins, or the next below it.
        """
        task, penalties = self.block.tasks[p], self.config.penalties
        if self._chooses_of(task):
            return penalties
        last = penalties[-1] if task.penalty is None else task.penalty
        if self.block.num_classes <= MANY:
            return (last,)
        ratio = float(variance[p]) * self._mean_square(p) / last
        if not ratio < EASIER ** (FARTHEST + 1):
            return (last,)
        steps = int(math.log(max(ratio, 1.0), EASIER))
        return tuple(last * EASIER**step for step in range(steps, -1, -1))

    def _chooses_of(self, task: ProbeTask) -> bool:
        """Tell whether the validation loss chooses among penalties of a probe."""
        return task.penalty is None and len(self.config.penalties) > 1

    def _mean_square(self, p: int) -> float:
        """Return the mean squared length of the training rows of probe p, the one that stands for the bias left out."""
        block = self.block
        pieces = (x[p, :, : block.dimension] for x in block.rows.pieces(block.piece))
        return sum(float(x.double().square().sum()) for x in pieces) / int(block.sizes[p])

    def _tolerance(self) -> Tensor:
        """Return how far above its minimum the objective [P] may be left, at the penalty at which each probe is."""
        rough = NEAR * self._value.abs().float()
        return torch.where(self._on_the_way(), rough.clamp(min=self.config.tolerance), self.config.tolerance)

    def _on_the_way(self) -> Tensor:
        """Return [P] whether a probe is at a penalty before the one that is given."""
        return ~self._chooses & (self._level < self._last)

    def _beginning(self) -> tuple[Tensor, Tensor]:
        """Return weights [P, C, W] that give every class its frequency, and the variance [P] of that."""
        block = self.block
        biases, variance = block.loss.prior(block.y, block.real, block.num_classes)
        point = block.start()
        point[:, : block.num_classes, block.dimension] = biases
        return point, variance

    def _starting_curvature(self, variance: Tensor) -> StartingCurvature | None:
        """Return the curvature, from evenly spaced rows; None for few rows, which do not repay it."""
        block = self.block
        if int(block.sizes.min()) <= ROWS:  # of stacked probes either all have more rows or none has
            return None
        sizes = block.sizes[:, None].double()
        spaced = (torch.arange(ROWS, device=block.device) * (sizes / ROWS)).long()
        return StartingCurvature(next(iter(block.rows.batches(spaced, ROWS))).float(), variance)

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
            logits = products(weights.to(x.dtype), x).float()
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

        With the steps S and changes Y as columns, R the upper triangle of SᵀY, D its diagonal and M the first estimate
        of the inverse, scaled to the newest pair, it is ``z + S R⁻ᵀ(D u - Yᵀz)`` with ``z = M (g - Y u)`` and
        ``u = R⁻¹ Sᵀg`` (Byrd, Nocedal and Schnabel 1994, in other brackets). A pair not yet there is zero; so is its part.
        """
        s, y, g = self._steps.rows, self._changes.rows, self._gradient.flatten(1)[:, :, None]
        sy = (s @ y.mT).double()
        diagonal = sy.diagonal(dim1=1, dim2=2)
        known = diagonal > 0
        upper = sy.triu() + torch.diag_embed((~known).double())
        u = torch.linalg.solve_triangular(upper, (s @ g).double(), upper=True)
        z = self._first(g - y.mT @ u.float(), y[:, -1], diagonal[:, -1])
        w = torch.linalg.solve_triangular(upper.mT, diagonal[:, :, None] * u - (y @ z).double(), upper=False)
        descent: Tensor = -(z + s.mT @ w.float()).view_as(self._gradient)
        return descent

    def _first(self, vector: Tensor, change: Tensor, along: Tensor) -> Tensor:
        """Return the first estimate of the inverse Hessian times a vector [P, C · W, 1].

        Args:
            vector: what is multiplied.
            change: [P, C · W] of the gradient over the newest step; zero without one.
            along: [P] the product of both.
        """
        penalty, known = self._penalty(), along > 0
        if self._curvature is None:
            unknown, product, own = 1 / self._gradient.flatten(1).norm(dim=1).clamp(min=1.0), vector, change
        else:
            wide = self._gradient.shape
            unknown = torch.ones_like(penalty)
            product = self._curvature.solve(vector.view(wide), penalty).view_as(vector)
            own = self._curvature.solve(change.reshape(wide), penalty).view_as(change)
        scale = torch.where(known, along.float() / (change * own).sum(dim=1), unknown)
        return _wide(scale) * product

    def _next_level(self, over: Tensor, solved: Tensor) -> None:
        """Compare the optimum at this penalty with the best so far; go on to the next penalty, or finish."""
        score = -self._level.double()
        if bool(self._chooses.any()):
            score = torch.where(self._chooses, self.block.validate(self._point, matched=True), score)
        better = over & (score < self._best)
        self._best = torch.where(better, score, self._best)
        self.kept = torch.where(_wide(better), self._point, self.kept)
        self.penalty = torch.where(better & self._chooses, self._penalty(), self.penalty)
        self.converged = torch.where(better, solved & ~self._on_the_way(), self.converged)
        self._waited = torch.where(better, 0, self._waited + over)
        last = self._level == self._last
        given_up = torch.where(
            self._chooses, self._waited >= self.config.patience, self._spent >= self.config.max_epochs
        )
        self.finished = self.finished | (over & (last | given_up))
        self._spent = torch.where(over & self._chooses, 0, self._spent)
        self._steps.forget(over & ~solved)
        self._changes.forget(over & ~solved)
        before = self._penalty()
        self._level += over & ~last
        self._change_penalty(self._penalty() - before)

    def _change_penalty(self, added: Tensor) -> None:
        """Turn value, gradient and the changes of gradients into those of penalties that are larger by [P]."""
        if not bool(added.any()):
            return
        inside = slice(self.block.dimension)
        inner = self._point[:, :, inside]
        self._value += added / 2 * inner.square().sum(dim=(1, 2), dtype=torch.float64)
        self._gradient[:, :, inside] += _wide(added) * inner
        shape = (len(added), HISTORY, *self._point.shape[1:])
        changes, steps = (recent.rows.view(shape)[..., inside] for recent in (self._changes, self._steps))
        for change, step in zip(changes.unbind(1), steps.unbind(1), strict=True):  # each stays in the cache
            change += _wide(added) * step


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
        if bool(over.any()):
            self.rows[over] = 0.0


def _wide(values: Tensor) -> Tensor:
    """Return values [P] as [P, 1, 1]."""
    return values[:, None, None]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product [P] of two [P, C, W]."""
    return (a * b).sum(dim=(1, 2))
