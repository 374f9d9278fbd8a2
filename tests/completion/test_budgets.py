"""Prices and limits, by the names of classes and modalities."""

from dataclasses import fields

import numpy as np
import pytest
from states import problem

from scar.completion.budgets import BudgetsConfig
from scar.completion.plan import plan_completion
from scar.completion.planners import ScarPlanner, WaterFillingPlanner
from scar.completion.problem import resolve_budgets

NAMES = ("cat", "dog", "owl")


def test_a_pair_costs_what_its_class_and_all_its_modalities_cost():
    config = BudgetsConfig(cost=2.0, costs={"dog": 5.0}, modality_costs={"text": 0.5, "image": 0.25})
    assert config.class_costs(NAMES, ("image", "text")).tolist() == [2.75, 5.75, 2.75]


def test_limits_hold_for_the_classes_they_name():
    least, most = BudgetsConfig(minimum={"owl": 3}, maximum={"cat": 7}).class_limits(NAMES)
    assert least.tolist() == [0, 0, 3]
    assert most[0] == 7
    assert most[1] > 10**9
    assert BudgetsConfig().class_limits(NAMES) == (None, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unit": "hours"}, r"budgets\.unit='hours' is unknown; use one of samples, money"),
        ({"cost": 0.0}, r"budgets\.cost=0\.0"),
        ({"costs": {"cat": -1.0}}, r"budgets\.costs\.cat=-1\.0"),
        ({"minimum": {"cat": -1}}, r"budgets\.minimum\.cat=-1"),
        ({"collect": 0.0}, r"budgets\.collect=0\.0"),
        ({"what_if": (2.0,)}, r"budgets\.what_if=\[2\.0\]"),
    ],
)
def test_values_out_of_range_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        BudgetsConfig(**given)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BudgetsConfig(costs={"dgo": 1.0}), r"budgets\.costs: 'dgo' is no class of the dataset; did you mean 'dog'"),
        (BudgetsConfig(costs={"zebra": 1.0}), r"'zebra' is no class of the dataset; there are .*, fish\d and 2 more$"),
        (BudgetsConfig(modality_costs={"smell": 1.0}), r"budgets\.modality_costs: 'smell' is no modality"),
    ],
)
def test_unknown_names_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        config.class_costs([*NAMES, *(f"fish{n}" for n in range(10 - len(NAMES)))], ("image",))


def test_infeasible_limits_name_the_limit_and_the_class():
    with pytest.raises(ValueError, match=r"budgets\.minimum: 50 samples of class 'class 1' is more than the 40 in"):
        problem([10, 10], [99, 40], [50, 50], minimum=np.array([0, 50]))
    with pytest.raises(
        ValueError, match=r"budgets\.minimum: 5 samples of class 'class 0' is more than the maximum of 4"
    ):
        problem([10, 10], [99, 40], [50, 50], minimum=np.array([5, 0]), maximum=np.array([4, 9]))
    state = problem([10, 10], [99, 40], [500, 500], minimum=np.array([30, 0]))
    with pytest.raises(
        ValueError, match=r"budgets\.fractions: 0\.1 of the reserve is 14 samples, .*minimum asks for 30"
    ):
        resolve_budgets([0.1], state)


def test_the_published_rule_refuses_what_it_does_not_know():
    state = problem([10, 10], [99, 40], [500, 500], maximum=np.array([4, 9]))
    with pytest.raises(ValueError, match=r"completion\.rule=published"):
        ScarPlanner(rule="published").allocate(state, 10, np.empty(0, np.int64))


def test_a_budget_in_money_buys_more_of_what_is_cheap():
    state = problem([100, 100], [400, 400], [500, 500], unit="money", costs=np.array([1.0, 4.0]))
    assert resolve_budgets([0.25], state) == {0.25: 500.0}
    rows = np.arange(800)
    (plan,) = plan_completion(
        WaterFillingPlanner(), state, {0.25: 500.0}, reserve=rows, labels=np.repeat([0, 1], 400), seed=0
    )
    assert plan.counts.tolist() == [100, 100]
    assert plan.cost == 500.0
    assert plan.flags == ()


def test_what_decides_a_plan_is_separate_from_what_is_forecast():
    names = {f.name for f in fields(BudgetsConfig)}
    assert set(BudgetsConfig().planned) == names - {"what_if", "collect"}


POOLS = np.array([[200, 100, 100], [600, 600, 600], [150, 150, 150]])


@pytest.mark.parametrize("unit", ["samples", "money"])
@pytest.mark.parametrize("needs", [[9000, 9000, 9000], [9000, 130, 0], [110, 130, 0]])
def test_a_share_of_the_smallest_pool_is_the_same_in_every_pool(unit, needs):
    common = {"unit": unit, "costs": np.array([1.0, 2.0, 4.0]), "pools": POOLS}
    found = [resolve_budgets([0.05, 0.25], problem([100, 100, 100], own, needs, **common)) for own in POOLS]
    assert found[0] == found[1] == found[2]
    alone = {**common, "pools": None}
    own = [resolve_budgets([0.05, 0.25], problem([100, 100, 100], sizes, needs, **alone)) for sizes in POOLS]
    assert found[0] == {fraction: min(each[fraction] for each in own) for fraction in (0.05, 0.25)}


def test_a_minimum_that_another_pool_could_not_meet_is_no_matter():
    found = [
        resolve_budgets([0.5], problem([100] * 3, own, [9000] * 3, minimum=np.array([160, 0, 0]), pools=POOLS))
        for own in POOLS[:2]
    ]
    assert found[0] == found[1] == {0.5: 200}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"of": ("sane",)}, r"budgets\.of: 'sane' is no mix.*same, natural, balanced, complement"),
        ({"of": ("same",), "fractions": (0.05, 0.6)}, r"budgets\.fractions: 0\.6 of the smallest pool.*leave it out"),
    ],
)
def test_pools_are_compared_by_name_and_below_half_of_the_smallest(given, message):
    with pytest.raises(ValueError, match=message):
        BudgetsConfig(**given)
