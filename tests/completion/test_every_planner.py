"""What holds for every planner (§4.2, rules of ours), on random problems."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from states import LABELLED, curves, problem, shuffled

from scar.completion import slice_tuner
from scar.completion.allocation import completion_caps
from scar.completion.planners import ScarPlanner
from scar.completion.problem import resolve_budgets
from scar.completion.slice_tuner import SliceTunerPlanner

NEED_DRIVEN = ("scar", "scar_class_mix", "scar_even")
ON_CURVES = ("slice_tuner", "oracle")
every_planner = pytest.mark.parametrize("planner", LABELLED, ids=lambda p: p.name)


@st.composite
def states(draw, money=False, bounded=False):
    size = draw(st.integers(1, 8))
    numbers = lambda low, high: draw(st.lists(st.integers(low, high), min_size=size, max_size=size))  # noqa: E731
    counts, reserve = np.array(numbers(0, 300)), np.array(numbers(0, 200))
    counts[0] = max(counts[0], 1)
    needs = np.array(numbers(0, 900), float)
    needs[np.array(numbers(0, 9)) == 0] = np.nan
    needs[np.array(numbers(0, 9)) == 0] = np.inf
    undefined = np.array(numbers(0, 9)) == 0
    flat = np.array(numbers(0, 4)) == 0
    learned = curves(
        counts, limit=np.where(undefined, np.nan, 0.9), drop=np.where(undefined, np.nan, np.where(flat, 0, 0.3))
    )
    more = {}
    if money:
        more |= {"unit": "money", "costs": np.array(numbers(1, 40)) / 4}
    if bounded:
        least = np.minimum(reserve, numbers(0, 12))
        more |= {"minimum": least, "maximum": least + np.array(numbers(0, 150))}
    miss = np.where(undefined, np.nan, np.array(numbers(1, 99)) / 100)
    return problem(counts, reserve, needs, miss=miss, learned=learned, **more)


def caps_of(planner, state):
    """What each planner may add at most: the reserve, or what its own information allows."""
    least, upper = state.limits.lower, state.limits.upper
    if planner.name in NEED_DRIVEN:
        return state.limits.within(completion_caps(state.step_sizes, state.counts, state.reserve)).upper
    if planner.name in ON_CURVES and not state.curves.defined.any():
        return least
    if planner.name == "tempered":
        return np.where(state.deployment > 0, upper, least)
    return upper


def allocate(planner, state, budget):
    """Plan; without any curve `tempered` needs a tau."""
    if planner.name == "tempered" and not state.curves.defined.any():
        planner = replace(planner, tau=0.25)
    return planner.allocate(state, budget, shuffled(state.reserve))


@every_planner
@settings(max_examples=40)
@given(state=states(), share=st.floats(0, 1))
def test_the_total_is_what_budget_and_caps_allow(planner, state, share):
    budget = int(share * state.reserve.sum())
    added = allocate(planner, state, budget).counts
    assert np.all(added >= 0)
    assert np.all(added <= state.reserve)
    caps = caps_of(planner, state)
    if planner.name in ("scar_class_mix", "scar_even"):  # a gap may exist in their own units alone
        assert min(budget, caps.sum()) <= added.sum() <= budget
    else:
        assert added.sum() == min(budget, caps.sum())


@every_planner
@settings(max_examples=40)
@given(state=states(money=True, bounded=True), share=st.floats(0, 1))
def test_money_is_spent_within_the_limits_down_to_the_price_of_a_sample(planner, state, share):
    limits = state.limits
    budget = max(share * limits.cost(limits.upper), limits.cost(limits.lower))
    added = allocate(planner, state, budget).counts
    assert np.all((added >= limits.lower) & (added <= limits.upper))
    rest = budget - limits.cost(added)
    assert rest >= -1e-6
    open_ = added < caps_of(planner, state)
    assert not open_.any() or rest < limits.prices[open_].min() + 1e-6


@every_planner
@settings(max_examples=30)
@given(state=states())
def test_a_class_of_which_too_little_is_known_is_flagged(planner, state):
    result = allocate(planner, state, int(state.reserve.sum()))
    unknown = {
        **dict.fromkeys(NEED_DRIVEN, ("undefined", np.isnan(state.step_sizes) & (state.counts > 0))),
        **dict.fromkeys(ON_CURVES, ("no_curve", ~state.curves.defined)),
        "error_proportional": ("not_held_out", np.isnan(state.miss_rates)),
        "tempered": ("not_deployed", state.deployment == 0),
    }
    if planner.name not in unknown:
        return  # these look at counts, which are never undefined
    kind, classes = unknown[planner.name]
    assert {f for f in result.flags if f.startswith(f"{kind}:")} == {f"{kind}:{j}" for j in np.flatnonzero(classes)}


@every_planner
@settings(max_examples=30)
@given(state=states(), fraction=st.sampled_from([0.05, 0.1, 0.25, 1.0]))
def test_every_planner_spends_the_resolved_budget(planner, state, fraction):
    if planner.name in ON_CURVES and not state.curves.defined.any():
        return  # without any curve there is nothing to borrow; the plan carries the flag spent_…
    if planner.name == "tempered" and (state.deployment == 0).any():
        return  # what is never met in use is not bought
    (budget,) = resolve_budgets([fraction], state).values()
    assert allocate(planner, state, budget).counts.sum() == budget


@pytest.mark.parametrize(
    "name", ["water_filling", "class_average", "proportional", "random", "scar", "scar_class_mix", "scar_even"]
)
@settings(max_examples=30)
@given(state=states(), small=st.floats(0, 0.5))
def test_a_larger_budget_takes_nothing_away_but_a_rounding(name, state, small):
    planner = next(p for p in LABELLED if p.name == name)
    order, total = shuffled(state.reserve), int(state.wanted.sum())
    less = planner.allocate(state, int(small * total), order).counts
    assert np.all(planner.allocate(state, total, order).counts >= less - 1)


def test_slice_tuner_solves_a_thousand_classes():
    rng = np.random.default_rng(1)
    counts = rng.integers(5, 500, 1000)
    state = problem(counts, counts, counts * 2.0, learned=curves(counts, drop=rng.uniform(0.0, 0.4, 1000)))
    assert SliceTunerPlanner().allocate(state, 20_000, np.empty(0, np.int64)).counts.sum() == 20_000


@pytest.mark.parametrize("seed", range(40))
def test_slice_tuner_solves_for_empty_classes_beside_tight_limits(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(20, 900, 24)
    counts[rng.choice(24, 2, replace=False)] = 0
    reserve = np.where(rng.random(24) < 0.3, rng.integers(0, 8, 24), rng.integers(20, 900, 24))
    limit, drop = rng.uniform(0.7, 1.0, 24), rng.uniform(0.15, 0.45, 24)
    learned = curves(np.full(24, 150), limit=limit, drop=drop, exponent=0.2)
    state = problem(counts, reserve, [0] * 24, learned=learned)
    for share in (0.02, 0.1, 0.5, 0.9):
        budget = int(share * reserve.sum())
        added = SliceTunerPlanner().allocate(state, budget, shuffled(reserve)).counts
        assert added.sum() == budget
        assert (added <= reserve).all()


def test_slice_tuner_does_not_remember_the_problems_before():
    def sizes(counts, total):
        asked = problem(counts, [9_000] * 4, [0] * 4, learned=curves(counts, drop=[0.1, 0.2, 0.3, 0.4]))
        slices = (asked.counts, asked.limits, total, 1.0, np.ones(4, bool))
        return slice_tuner._solve(asked.curves, *slices)

    slice_tuner._program.cache_clear()
    alone = sizes([467, 0, 31, 779], 882)
    for total in (300, 9_000, 30_000):
        sizes([5, 90, 700, 40], total)
    np.testing.assert_array_equal(sizes([467, 0, 31, 779], 882), alone)


def test_slice_tuner_without_fairness_is_the_greedy_optimum():
    rng = np.random.default_rng(2)
    counts, reserve, drop = rng.integers(20, 400, 6), rng.integers(20, 200, 6), rng.uniform(0.05, 0.3, 6)
    state = problem(counts, reserve, counts * 2.0, learned=curves(counts, drop=drop))
    greedy = np.zeros(6, int)
    for _ in range(150):
        miss = [d * (1 + np.array([g, g + 1]) / m) ** -0.5 for d, g, m in zip(drop, greedy, counts, strict=True)]
        gain = np.where(greedy < reserve, [a - b for a, b in miss], -1)
        greedy[int(np.argmax(gain))] += 1
    added = SliceTunerPlanner(fairness=0.0).allocate(state, 150, shuffled(reserve)).counts
    assert np.abs(added - greedy).max() <= 1


def test_an_even_need_grows_as_the_class_shrinks_where_the_mix_need_does_the_opposite():
    state = problem([400, 40], [500, 500], [800, 80])  # both classes need twice the whole set
    published, mix, even = (
        ScarPlanner(unit=unit).allocate(state, 100, shuffled([500, 500])).counts
        for unit in ("whole_set", "class_mix", "even")
    )
    assert published.tolist() == [36, 64]  # 880 samples of the set less 400 and 40 of the class: 480 and 840
    assert mix.tolist() == [91, 9]
    assert even[1] > even[0]
