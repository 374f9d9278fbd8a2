"""Collecting in rounds: what to buy now so that a target is reached within a number of rounds at the least expected cost.

Learn, optimize, collect (Mahmood et al. 2022). A planner turns a budget into class sizes, so that what is to be decided is
one number per round. With F(b) the probability that what a budget of b buys reaches the target, c(b) its price and the target
checked after every round, rounds that end at b_1 ≤ … ≤ b_T cost on average

    Σ_t (c(b_t) − c(b_{t−1})) (1 − F(b_{t−1})) + P (1 − F(b_T)),    b_0 = 0,

where P is what missing the target costs. Without a P, b_T is the least budget with F(b_T) ≥ `confidence`, and the rounds
before it are the cheapest. Only b_1 is bought: the next round starts from new probes, and from what this one has taught.

F follows from forecast gains (`scar.completion.forecast`), normal around their value. That the surface is wrong by a share
of every gain, s ~ N(1, `MODEL_ERROR`²), is what earlier rounds teach: with forecasts f_i, outcomes g_i and the errors e_i that
remain, s has the precision ``1/m² + Σ f_i²/e_i²`` and the mean ``(1/m² + Σ f_i g_i/e_i²)`` divided by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from scar.common.types import Floats, Ints
from scar.completion.forecast import HALF_WIDTH, MODEL_ERROR, REACH, REFUSALS, Forecaster, NoForecaster
from scar.completion.forecast_settings import SCORES
from scar.completion.planner import Planner
from scar.completion.problem import CompletionProblem

if TYPE_CHECKING:
    import pandas as pd

GRID = 32
"""Budgets that are considered."""
SMALLEST = 0.02
"""Least budget considered, as a share of the present training set's cost."""
BUY, STOP, REACHED, CANNOT_TELL = "buy", "stop", "reached", "cannot tell"
PROSPECTS = ("budget", "cost", "gain", "low", "high", "probability")
"""Columns of `NextRound.prospects`."""


@dataclass(frozen=True, kw_only=True)
class PastRound:
    """A round that is over: what it was to gain, and what it gained; shares.

    Attributes:
        gain: forecast.
        low, high: its 90 % interval.
        measured: gain of the score on the test part.
    """

    gain: float
    low: float
    high: float
    measured: float


@dataclass(frozen=True, kw_only=True)
class RoundsConfig:
    """What collecting is for, and what it may cost.

    Attributes:
        target: of the score, a share.
        score: one of `scar.completion.forecast_settings.SCORES`.
        horizon: rounds that are left, this one included.
        penalty: what missing the target costs, in the unit of the budget; None asks for `confidence` instead.
        confidence: probability to have reached the target by the horizon, where there is no penalty.
        past: rounds that are over, ``(gain, low, high, measured)`` of `PastRound` each.
    """

    target: float
    score: str = "matched_balanced_accuracy"
    horizon: int = 3
    penalty: float | None = None
    confidence: float = 0.9
    past: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "past", tuple(tuple(map(float, each)) for each in self.past))
        if not 0 < self.target <= 1:
            raise ValueError(f"target={self.target} must be a share between 0 and 1, e.g. 0.9 for 90 %")
        if self.score not in SCORES:
            raise ValueError(f"score={self.score!r} is not forecast; use one of {', '.join(SCORES)}")
        if self.horizon < 1:
            raise ValueError(f"horizon={self.horizon} must be at least 1 round")
        if self.penalty is not None and not 0 < self.penalty < math.inf:
            raise ValueError(f"penalty={self.penalty} must be above 0 and finite, or None")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence={self.confidence} must lie between 0 and 1, e.g. 0.9")
        for each in self.past:
            if len(each) != 4 or not each[1] <= each[0] <= each[2] or each[1] == each[2]:
                raise ValueError(
                    f"past: {list(each)} must be four shares: the gain that was forecast, the ends of its interval, and the "
                    "gain that was measured, e.g. [0.02, 0.01, 0.03, 0.015]"
                )

    @property
    def past_rounds(self) -> tuple[PastRound, ...]:
        """Rounds that are over, of which forecasts are corrected."""
        return tuple(PastRound(gain=gain, low=low, high=high, measured=got) for gain, low, high, got in self.past)


@dataclass(frozen=True, kw_only=True, eq=False)
class NextRound:
    """What to do in this round.

    Attributes:
        action: ``"buy"``, ``"stop"`` (more of the same is not worth it, or does not get there), ``"reached"`` or ``"cannot
            tell"``.
        why: in a sentence.
        class_names: [K] names.
        counts: [K] samples to buy now.
        cost: of them.
        probability: that the target is reached after this round.
        by_horizon: that it is reached by the last.
        expected_cost: of all rounds, with the penalty if there is one; NaN where nothing is planned.
        gain: forecast of this round (value, low, high), a share.
        schedule: budgets at which the rounds would end, without what they will teach.
        prospects: budget, cost, gain, low, high and probability along the way.
    """

    action: str
    why: str
    class_names: tuple[str, ...]
    counts: Ints
    cost: float = 0.0
    probability: float = float("nan")
    by_horizon: float = float("nan")
    expected_cost: float = float("nan")
    gain: tuple[float, float, float] = (float("nan"),) * 3
    schedule: tuple[float, ...] = ()
    prospects: pd.DataFrame = field(default_factory=lambda: _prospects({}))

    @property
    def to_buy(self) -> pd.Series:
        """Samples to buy of each class."""
        import pandas as pd  # a quarter of a second, which a sweep that is done need not wait for

        return pd.Series(self.counts, index=pd.Index(self.class_names, name="class_name"), name="add")

    def after(self, measured: float) -> PastRound:
        """Return this round as one that is over, for the next.

        Args:
            measured: gain of the score that it brought, a share.
        """
        value, low, high = self.gain
        return PastRound(gain=value, low=low, high=high, measured=measured)

    def __repr__(self) -> str:
        return f"{self.action}: {self.why}"


def next_round(
    forecaster: Forecaster | NoForecaster,
    problem: CompletionProblem,
    planner: Planner,
    order: Ints,
    *,
    score: float,
    settings: RoundsConfig,
    past: Sequence[PastRound] = (),
) -> NextRound:
    """Decide how much to buy now.

    Args:
        forecaster: from compositions of the present training set.
        problem: counts, what can be had, prices.
        planner: divides every budget over the classes.
        order: [R] class of every sample of the pool in random order, for planners that draw.
        score: present value of ``settings.score`` on the test part.
        settings: target, horizon, penalty or confidence.
        past: rounds that are over, of which forecasts are corrected.
    """
    nothing: dict[str, Any] = {"class_names": problem.class_names, "counts": np.zeros(len(problem.counts), np.int64)}
    if score >= settings.target:
        why = f"{settings.score} is {_percent(score)}, the target {_percent(settings.target)}"
        return NextRound(action=REACHED, why=why, probability=1.0, by_horizon=1.0, expected_cost=0.0, **nothing)
    if isinstance(forecaster, NoForecaster):
        return NextRound(action=CANNOT_TELL, why=REFUSALS[forecaster.reason], **nothing)
    if settings.score not in forecaster.scores:
        return NextRound(action=CANNOT_TELL, why=f"{settings.score}: {REFUSALS['not_calibrated']}", **nothing)
    ahead = _look_ahead(forecaster, problem, planner, order, settings, past, gap=settings.target - score)
    if isinstance(ahead, str):
        return NextRound(action=CANNOT_TELL, why=REFUSALS[ahead], **nothing)
    prospects, counts, ends = ahead
    costs, reached = prospects.cost.to_numpy(), prospects.probability.to_numpy()
    way = _way(costs, reached, settings)
    if way is None:
        return _no_way(prospects, counts, nothing, settings, ends=ends)
    steps, expected = way
    first, last = steps[0], float(reached[steps[-1]])
    told: dict[str, Any] = {"by_horizon": last, "expected_cost": expected, "prospects": prospects}
    if first == 0:
        why = (
            f"the most likely way to {_percent(settings.target)} costs more than missing it; "
            f"the largest budget that was looked at reaches it with probability {reached[-1]:.2f}"
        )
        return NextRound(action=STOP, why=why, probability=0.0, **told, **nothing)
    why = (
        f"{counts[first].sum()} samples for {costs[first]:g}; {_percent(settings.target)} is reached now with probability "
        f"{reached[first]:.2f}, by the last of {settings.horizon} rounds with {last:.2f}"
    )
    schedule = tuple(costs[list(steps)].tolist())
    return NextRound(action=BUY, why=why, schedule=schedule, **told, **nothing | _bought(prospects, counts, first))


def _look_ahead(
    forecaster: Forecaster,
    problem: CompletionProblem,
    planner: Planner,
    order: Ints,
    settings: RoundsConfig,
    past: Sequence[PastRound],
    *,
    gap: float,
) -> tuple[pd.DataFrame, Ints, bool] | str:
    """Forecast a grid of budgets, the empty one first; arguments as in `next_round`, `gap` is what the score lacks.

    Returns:
        The prospects, [G, K] what each budget buys, and whether the last buys all that can be had; or one of `REFUSALS`.
    """
    budgets, ends = _budgets(problem)
    plans = [planner.allocate(problem, budget, order).counts for budget in budgets]
    counts = np.stack([np.zeros(len(problem.counts), np.int64), *plans])
    forecast = forecaster.expect(problem.counts + counts)
    told = np.asarray(forecast.refused) == ""
    if told.sum() < 2:
        return str(forecast.refused[-1])
    counts = counts[told]
    value, spread = corrected(getattr(forecast, settings.score.replace("accuracy", "gain"))[told], past)
    prospects = _prospects(
        {
            "budget": np.array([0.0, *budgets])[told],
            "cost": [problem.limits.cost(each) for each in counts],
            "gain": value,
            "low": value - HALF_WIDTH * spread,
            "high": value + HALF_WIDTH * spread,
            "probability": probabilities(value, spread, gap),
        }
    )
    return prospects, counts, ends and bool(told.all())


def _prospects(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns, columns=list(PROSPECTS))


def corrected(gains: Floats, past: Sequence[PastRound]) -> tuple[Floats, Floats]:
    """Return forecast gains [G] and their standard deviations [G], with what earlier rounds teach.

    Args:
        gains: [G, 3] value, low and high of the forecast.
        past: rounds that are over.
    """
    value = gains[:, 0]
    deviation = (gains[:, 2] - gains[:, 1]) / (2 * HALF_WIDTH)
    precision, weighted = MODEL_ERROR**-2.0, MODEL_ERROR**-2.0
    for each in past:
        error = (each.high - each.low) / (2 * HALF_WIDTH)
        own = max(error**2 - (MODEL_ERROR * each.gain) ** 2, 1e-8)
        precision += each.gain**2 / own
        weighted += each.gain * each.measured / own
    rest = np.maximum(deviation**2 - (MODEL_ERROR * value) ** 2, 0.0)
    return value * weighted / precision, np.sqrt(rest + value**2 / precision)


def probabilities(gains: Floats, spread: Floats, gap: float) -> Floats:
    """Return [G] the probability that a gain closes a gap, which no larger budget makes smaller."""
    z = np.where(spread > 0, (gains - gap) / np.maximum(spread, 1e-12), np.where(gains >= gap, np.inf, -np.inf))
    return np.asarray(np.maximum.accumulate(ndtr(z)))


def cheapest(
    costs: Floats, reached: Floats, rounds: int, *, penalty: float = 0.0, last: int | None = None
) -> tuple[tuple[int, ...], float]:
    """Return where each round ends on a grid of budgets at the least expected cost, and that cost.

    Args:
        costs: [G] of the budgets, ascending from 0.
        reached: [G] probability that a budget reaches the target, ascending.
        rounds: T.
        penalty: for missing the target after the last.
        last: where the last round has to end; None leaves it free.
    """
    missing = 1.0 - reached
    step = np.maximum(costs[None, :] - costs[:, None], 0.0) * missing[:, None]
    step -= 1e-9 * costs[-1] * reached[None, :]  # of equal schedules the one that gets there first
    step[np.tril_indices(len(costs), -1)] = np.inf
    value = penalty * missing
    if last is not None:
        value = np.where(np.arange(len(costs)) == last, value, np.inf)
    choices = []
    for _ in range(rounds):
        total = step + value[None, :]
        choices.append(total.argmin(axis=1))
        value = total.min(axis=1)
    ends, place = [], 0
    for choice in reversed(choices):
        place = int(choice[place])
        ends.append(place)
    return tuple(ends), float(value[0])


def _way(costs: Floats, reached: Floats, settings: RoundsConfig) -> tuple[tuple[int, ...], float] | None:
    """Return where the rounds end; None where no budget reaches the target with the confidence that is asked for."""
    if settings.penalty is not None:
        return cheapest(costs, reached, settings.horizon, penalty=settings.penalty)
    enough = np.flatnonzero(reached >= settings.confidence)
    return cheapest(costs, reached, settings.horizon, last=int(enough[0])) if len(enough) else None


def _no_way(
    prospects: pd.DataFrame, counts: Ints, nothing: dict[str, Any], settings: RoundsConfig, *, ends: bool
) -> NextRound:
    """Say that the target is out of reach; or where only the forecasts end, buy as far as they teach most."""
    most = float(prospects.probability.iloc[-1])
    if ends:
        why = (
            f"more of the same will not reach {_percent(settings.target)}: with all that can be had the probability is {most:.2f}, "
            f"less than {settings.confidence:g}"
        )
        return NextRound(action=STOP, why=why, probability=0.0, by_horizon=most, prospects=prospects, **nothing)
    total = float(prospects.cost.iloc[-1])
    place = int(np.searchsorted(prospects.cost, total * (np.sqrt(REACH) - 1) / (REACH - 1)))
    why = (
        f"{_percent(settings.target)} lies beyond what can be forecast from here (probability {most:.2f} at {REACH:g} times "
        f"the present size): {counts[place].sum()} samples, to look again from there"
    )
    schedule = (float(prospects.cost[place]),)
    return NextRound(
        action=BUY, why=why, by_horizon=most, schedule=schedule, prospects=prospects,
        **nothing | _bought(prospects, counts, place),
    )  # fmt: skip


def _bought(prospects: pd.DataFrame, counts: Ints, place: int) -> dict[str, Any]:
    """Return what `NextRound` says of buying the budget at a place."""
    row = prospects.loc[place]
    return {
        "counts": counts[place],
        "cost": float(row.cost),
        "probability": float(row.probability),
        "gain": (float(row.gain), float(row.low), float(row.high)),
    }


def _budgets(problem: CompletionProblem) -> tuple[list[float], bool]:
    """Return the budgets to consider, ascending, and whether the largest buys all that can be had."""
    whole = problem.unit == "samples"
    present = problem.limits.cost(problem.counts)
    price = present / max(int(problem.counts.sum()), 1)
    all_of_it = problem.limits.cost(problem.reserve)
    most = min(all_of_it, (REACH - 1) * int(problem.counts.sum()) * price)
    least = min(max(SMALLEST * present, problem.limits.cost(problem.limits.lower), price), most)
    grid = np.geomspace(least, most, GRID) if most > 0 else np.zeros(1)
    budgets = dict.fromkeys(int(b) if whole else float(b) for b in grid)
    return list(budgets), most == all_of_it


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
