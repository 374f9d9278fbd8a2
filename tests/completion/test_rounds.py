"""Rounds of collection: the cheapest schedule by brute force, what rounds teach, and every way to end."""

from itertools import combinations_with_replacement
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from scar.completion.forecast import MODEL_ERROR, NoForecaster
from scar.completion.planners import WaterFillingPlanner
from scar.completion.problem import UNBOUNDED, CompletionProblem
from scar.completion.rounds import PastRound, RoundsConfig, cheapest, corrected, next_round, probabilities

SCORE = "matched_balanced_accuracy"


def brute_force(costs, reached, rounds, penalty):
    best = (np.inf, None)
    for ends in combinations_with_replacement(range(len(costs)), rounds):
        before = (0, *ends[:-1])
        paid = sum((costs[e] - costs[b]) * (1 - reached[b]) for b, e in zip(before, ends, strict=True))
        best = min(best, (paid + penalty * (1 - reached[ends[-1]]), ends))
    return best


@pytest.mark.parametrize("seed", range(20))
def test_the_schedule_is_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    costs = np.concatenate([[0.0], np.sort(rng.uniform(0, 100, 6))])
    reached = np.concatenate([[0.0], np.sort(rng.uniform(0, 1, 6))])
    rounds, penalty = int(rng.integers(1, 4)), float(rng.uniform(1, 400))
    ends, value = cheapest(costs, reached, rounds, penalty=penalty)
    expected, _ = brute_force(costs, reached, rounds, penalty)
    assert value == pytest.approx(expected)
    assert list(ends) == sorted(ends)
    assert len(ends) == rounds


def test_more_rounds_never_cost_more_and_a_low_penalty_buys_nothing():
    costs, reached = np.linspace(0, 100, 11), np.linspace(0, 0.95, 11) ** 2
    values = [cheapest(costs, reached, rounds, penalty=300)[1] for rounds in (1, 2, 3, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    assert cheapest(costs, reached, 3, penalty=5)[0] == (0, 0, 0)


def test_a_sure_need_is_bought_at_once():
    costs, reached = np.linspace(0, 100, 11), (np.arange(11) >= 4).astype(float)
    ends, value = cheapest(costs, reached, 3, penalty=1000)
    assert ends == (4, 4, 4)
    assert value == pytest.approx(40)


def interval(gain, sd):
    half = norm.ppf(0.95) * sd
    return [gain, gain - half, gain + half]


def test_without_earlier_rounds_the_forecast_stays():
    sd = np.hypot(MODEL_ERROR * 0.04, 0.003)
    value, spread = corrected(np.array([interval(0.04, sd)]), ())
    assert value[0] == pytest.approx(0.04)
    assert spread[0] == pytest.approx(sd)


def test_rounds_that_gained_half_of_the_forecast_lower_the_next_and_narrow_it():
    own = np.hypot(MODEL_ERROR * 0.04, 0.002)
    past = PastRound(gain=0.04, low=interval(0.04, own)[1], high=interval(0.04, own)[2], measured=0.02)
    once, twice = (corrected(np.array([interval(0.04, own)]), [past] * n) for n in (1, 2))
    assert 0.02 < twice[0][0] < once[0][0] < 0.03
    assert twice[1][0] < once[1][0] < own


def test_what_rounds_teach_is_the_posterior_of_the_model():
    """Simulated truths: the corrected forecast has no bias and its spread is the error that is left."""
    rng = np.random.default_rng(0)
    z = []
    for _ in range(4000):
        share = rng.normal(1, MODEL_ERROR)
        noise = rng.normal(scale=0.005, size=2)
        sd = np.hypot(MODEL_ERROR * 0.03, 0.005)
        _, low, high = interval(0.03, sd)
        past = PastRound(gain=0.03, low=low, high=high, measured=0.03 * share + noise[0])
        value, spread = corrected(np.array([interval(0.03, sd)]), [past])
        z.append((0.03 * share + noise[1] - value[0]) / spread[0])
    assert np.mean(z) == pytest.approx(0, abs=0.06)
    assert np.std(z) == pytest.approx(1, abs=0.04)


def test_probabilities_do_not_fall_with_the_budget():
    found = probabilities(np.array([0.0, 0.02, 0.018, 0.05]), np.array([0.0, 0.01, 0.01, 0.01]), 0.02)
    assert found[0] == 0
    assert found[1] == pytest.approx(0.5)
    assert list(found) == sorted(found)


class Curve:
    """A forecaster with a known curve: each doubling of the set gains `slope`."""

    scores = ("matched_balanced_accuracy",)

    def __init__(self, counts, slope=0.03, reach=np.inf):
        self.counts, self.slope, self.reach = counts, slope, reach

    def expect(self, sizes, now=None):
        total, start = np.asarray(sizes).sum(axis=1), self.counts.sum()
        gain = self.slope * np.log2(total / start)
        rows = np.array([interval(g, np.hypot(MODEL_ERROR * g, 1e-4)) for g in gain])
        refused = np.where(total > self.reach * start, "too_large", "")
        rows[refused != ""] = np.nan
        return SimpleNamespace(matched_balanced_gain=rows, refused=refused)


def problem(reserve, **named):
    counts = np.array([100, 100])
    return CompletionProblem(
        counts=counts, reserve=np.array(reserve), step_sizes=np.full(2, np.nan), class_names=("a", "b"), **named
    )


def ask(settings, reserve=(1000, 1000), *, score=0.8, slope=0.03, reach=np.inf, past=(), **named):
    stated = problem(reserve, **named)
    return next_round(
        Curve(stated.counts, slope, reach), stated, WaterFillingPlanner(), np.zeros(0, np.int64),
        score=score, settings=settings, past=past,
    )  # fmt: skip


def test_it_buys_what_the_target_needs():
    found = ask(RoundsConfig(target=0.82, horizon=1))
    assert found.action == "buy"
    assert found.by_horizon >= 0.9
    assert found.counts.sum() == found.cost
    needed = 200 * (2 ** (0.02 / 0.03) - 1)
    assert needed < found.cost < 3 * needed
    several = ask(RoundsConfig(target=0.82, horizon=3))
    assert several.cost < found.cost
    assert several.expected_cost < found.expected_cost
    assert list(several.schedule) == sorted(several.schedule)
    assert (several.prospects.probability.diff().dropna() >= 0).all()


def test_prices_are_paid():
    dear = ask(RoundsConfig(target=0.82, horizon=1), costs=np.array([3.0, 3.0]), unit="money")
    cheap = ask(RoundsConfig(target=0.82, horizon=1))
    assert dear.cost == pytest.approx(3 * dear.counts.sum())
    assert dear.cost == pytest.approx(3 * cheap.cost, rel=0.25)


def test_a_target_out_of_reach_stops():
    found = ask(RoundsConfig(target=0.99), reserve=(50, 50))
    assert found.action == "stop"
    assert "will not reach 99.0 %" in found.why
    assert found.counts.sum() == 0
    assert found.by_horizon < 0.9


def test_a_target_that_is_not_worth_it_stops():
    assert ask(RoundsConfig(target=0.83, penalty=1.0)).action == "stop"
    assert ask(RoundsConfig(target=0.83, penalty=1e5)).action == "buy"


def test_beyond_what_can_be_forecast_it_buys_to_look_again():
    found = ask(RoundsConfig(target=0.95), reserve=(UNBOUNDED, UNBOUNDED), reach=2.5)
    assert found.action == "buy"
    assert "beyond what can be forecast" in found.why
    assert 0 < found.counts.sum() < 300


def test_a_target_that_is_reached_buys_nothing():
    assert ask(RoundsConfig(target=0.8)).action == "reached"


def test_without_a_forecast_it_cannot_tell():
    found = next_round(
        NoForecaster(reason="not_at_optimum"), problem((10, 10)), WaterFillingPlanner(), np.zeros(0, np.int64),
        score=0.5, settings=RoundsConfig(target=0.9),
    )  # fmt: skip
    assert found.action == "cannot tell"
    assert "probe=converged" in found.why


def test_a_score_that_is_not_calibrated_is_refused_by_name():
    found = ask(RoundsConfig(target=0.9, score="balanced_accuracy"))
    assert found.action == "cannot tell"
    assert found.why.startswith("balanced_accuracy: its intervals held too seldom")


def test_what_a_round_gained_goes_into_the_next():
    settings = RoundsConfig(target=0.82, horizon=2)
    first = ask(settings)
    poor, good = (ask(settings, past=[first.after(first.gain[0] * share)]) for share in (0.6, 1.3))
    assert poor.cost > first.cost > good.cost


@pytest.mark.parametrize(
    "values",
    [
        {"target": 0},
        {"target": 1.2},
        {"target": 0.9, "horizon": 0},
        {"target": 0.9, "penalty": 0},
        {"target": 0.9, "confidence": 1},
    ],
)
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(ValueError, match="|".join(values)):
        RoundsConfig(**values)
