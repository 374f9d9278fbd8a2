from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.completion.allocation import Allocation
from scar.completion.plan import CompletionPlan, plan_completion, write_plan
from scar.completion.planner import Planner
from scar.completion.planners import ClassAveragePlanner, RandomPlanner, ScarPlanner
from scar.completion.problem import CompletionProblem, resolve_budgets

NAMES = ("cat", "dog", "owl")
PLANNERS = (ScarPlanner(), RandomPlanner(), ClassAveragePlanner())


def problem(needs=(200.0, 60.0, 0.0), counts=(100, 50, 10), reserve=(100, 40, 60)):
    counts = np.array(counts)
    sizes = np.array(needs, float) * counts.sum() / np.maximum(counts, 1)
    return CompletionProblem(counts=counts, reserve=np.array(reserve), step_sizes=sizes, class_names=NAMES)


def carry_out(planner, given, budgets, seed=0):
    labels = np.repeat([0, 1, 2], given.reserve)
    return plan_completion(planner, given, budgets, reserve=np.arange(len(labels)), labels=labels, seed=seed)


def test_a_budget_never_exceeds_what_is_needed_and_available():
    budgets = resolve_budgets([0.05, 0.25, 1.0], problem())
    assert budgets == {0.05: 10, 0.25: 50, 1.0: 110}


def test_budgets_are_zero_when_every_need_is_met():
    assert set(resolve_budgets([0.1, 0.5], problem(needs=(1, 1, 1))).values()) == {0}


def test_an_undefined_need_asks_for_as_much_as_the_largest():
    assert resolve_budgets([1.0], problem(needs=(150, 60, np.nan))) == {1.0: 50 + 10 + 60}
    assert resolve_budgets([1.0], problem(needs=(150, 60, np.nan), reserve=(100, 40, 300))) == {1.0: 50 + 10 + 140}


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: p.name)
@given(seed=st.integers(0, 10**6), fraction=st.sampled_from([0.05, 0.1, 0.25, 1.0]))
def test_every_strategy_spends_exactly_the_budget_within_the_reserve(planner, seed, fraction):
    given_problem = problem()
    budgets = resolve_budgets([fraction], given_problem)
    (plan,) = carry_out(planner, given_problem, budgets, seed)
    labels = np.repeat([0, 1, 2], given_problem.reserve)
    assert len(plan.rows) == len(np.unique(plan.rows)) == plan.counts.sum() == budgets[fraction]
    assert np.all(plan.counts <= given_problem.reserve)
    assert np.array_equal(np.bincount(labels[plan.rows], minlength=3), plan.counts)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: p.name)
def test_a_larger_budget_contains_the_smaller_one(planner):
    small, large = carry_out(planner, problem(), {0.1: 20, 0.25: 50})
    assert set(small.rows) <= set(large.rows)


def test_strategies_of_one_seed_take_the_samples_of_a_class_in_the_same_order():
    plans = [carry_out(planner, problem(), {0.25: 50})[0] for planner in PLANNERS]
    for step, start in enumerate((0, 100, 140)):
        chosen = sorted(
            (set(p.rows[(p.rows >= start) & (p.rows < start + [100, 40, 60][step])]) for p in plans), key=len
        )
        assert chosen[0] <= chosen[1] <= chosen[2]


def test_scar_gives_to_the_starved_class_and_class_average_to_all():
    needs = problem(needs=(500.0, 50.0, 10.0))
    assert carry_out(ScarPlanner(), needs, {0.1: 30})[0].counts.tolist() == [22, 3, 5]  # as 800, 160, 160 less counts
    assert carry_out(ScarPlanner(unit="class_mix"), needs, {0.1: 30})[0].counts.tolist() == [30, 0, 0]
    assert carry_out(ClassAveragePlanner(), needs, {0.1: 30})[0].counts.tolist() == [10, 10, 10]


def test_the_published_rule_reads_whole_set_sizes_and_no_others():
    given = problem(needs=(500.0, 50.0, 10.0))
    (plan,) = carry_out(ScarPlanner(rule="published"), given, {0.25: 50})
    gaps = np.array([800, 160, 160]) - given.counts
    assert plan.counts.tolist() == np.floor(50 * gaps / gaps.sum()).tolist()
    with pytest.raises(ValueError, match=r"completion\.unit='class_mix' goes with rule=capped"):
        ScarPlanner(rule="published", unit="class_mix")


def test_what_the_own_unit_leaves_follows_the_published_gaps_and_says_so():
    given = problem(needs=(110.0, 50.0, 10.0))  # in the class mix ten samples of the first class are lacking
    (plan,) = carry_out(ScarPlanner(unit="class_mix"), given, {0.25: 50})
    assert plan.counts.sum() == 50
    assert plan.counts[0] >= 10
    assert "beyond_class_mix" in plan.flags
    assert carry_out(ScarPlanner(unit="class_mix"), given, {0.05: 10})[0].flags == ()


def test_an_unseen_class_takes_the_largest_need_and_is_flagged():
    (plan,) = carry_out(ScarPlanner(), problem(needs=(150, 60, 0), counts=(100, 50, 0)), {0.25: 50})
    assert plan.counts[2] > 0
    assert "unseen:2" in plan.flags


def test_a_plan_survives_the_disk_and_is_a_table_for_people(tmp_path):
    (plan,) = carry_out(ScarPlanner(), problem(), {0.25: 50})
    plan.save(tmp_path / "plan.npz")
    read = CompletionPlan.load(tmp_path / "plan.npz")
    assert (read.strategy, read.fraction, read.budget, read.flags) == ("scar", 0.25, 50, plan.flags)
    assert np.array_equal(read.rows, plan.rows)
    ids = np.array([f"id{i}" for i in range(200)])
    write_plan(tmp_path / "plan.csv", plan, ids=ids, labels=np.repeat([0, 1, 2], [100, 40, 60]), names=NAMES)
    lines = (tmp_path / "plan.csv").read_text().splitlines()
    assert lines[0] == "id,class_name,reason,cost"
    assert len(lines) == 51
    assert lines[1].split(",")[1] == "cat"


def test_an_unreachable_need_leaves_all_arms_equal_in_size():
    starved = problem(needs=(np.inf, 60.0, 0.0))
    budgets = resolve_budgets([0.5, 1.0], starved)
    sizes = {planner.name: [len(p.rows) for p in carry_out(planner, starved, budgets)] for planner in PLANNERS}
    assert len({tuple(each) for each in sizes.values()}) == 1


def test_a_budget_that_is_not_spent_is_flagged_and_impossible_counts_are_refused():
    @dataclass(frozen=True, kw_only=True)
    class Odd(Planner):
        name: str = "odd"
        counts: list[int]

        def allocate(self, problem, budget, order):
            return Allocation(counts=np.array(self.counts))

    assert "spent_3_of_10" in carry_out(Odd(counts=[1, 1, 1]), problem(), {0.05: 10})[0].flags
    for counts in ([200, 0, 0], [-1, 0, 0], [1, 1]):
        with pytest.raises(ValueError, match="completion=odd"):
            carry_out(Odd(counts=counts), problem(), {0.05: 10})
