"""What a plan promises, and the shopping list."""

import csv

import numpy as np
import pytest
from gaussian_classes import GaussianClasses
from states import LABELLED, curves, problem, shuffled

from scar.completion.forecast import NoForecaster
from scar.completion.outlook import Outlook, look_ahead, shopping_list, to_collect, write_shopping_list
from scar.completion.planners import ScarPlanner
from scar.completion.slice_tuner import SliceTunerPlanner
from scar.completion.tempered import TAUS

COUNTS, RESERVE, NEEDS = [50, 200, 300], [100, 100, 100], [400, 400, 400]
FORECASTER = GaussianClasses(classes=3, seed=1).forecaster(COUNTS, compositions=30)
REFUSING = NoForecaster(reason="not_asked")


def outlook(planner, **given):
    state = problem(COUNTS, RESERVE, NEEDS, learned=curves(COUNTS, drop=[0.3, 0.1, 0.05]), **given)
    return look_ahead(
        planner, state, to_collect(state), FORECASTER, order=shuffled(RESERVE), fractions=(0.1, 0.5, 1.0), collect=None
    )


@pytest.mark.parametrize("planner", LABELLED, ids=lambda p: p.name)
def test_every_planner_looks_ahead_from_the_reserve_and_beyond_it(planner):
    ahead = outlook(planner)
    assert ahead.reserve.costs.tolist() == [30, 150, 300]
    assert ahead.collect.costs.tolist() == [55, 275, 550]
    assert np.all(np.diff(ahead.collect.forecast.matched_balanced_gain[:, 0]) > 0)
    assert ahead.shopping.add.sum() == (350 + 200 + 100)


def test_an_outlook_survives_the_disk(tmp_path):
    ahead = outlook(ScarPlanner())
    ahead.save(tmp_path / "outlook.npz")
    read = Outlook.load(tmp_path / "outlook.npz")
    for name, value in vars(ahead.reserve.forecast).items():
        assert np.array_equal(getattr(read.reserve.forecast, name), value), name
    assert read.shopping.forecast.matched_gain.tolist() == ahead.shopping.forecast.matched_gain.tolist()
    assert read.shopping.class_names == ahead.shopping.class_names
    assert read.shopping.flags == ahead.shopping.flags
    assert np.array_equal(read.shopping.add, ahead.shopping.add)
    for part in ("reserve", "collect", "mixes"):
        assert np.array_equal(getattr(read, part).added, getattr(ahead, part).added)
    assert (read.reserve.added.sum(axis=1) + sum(COUNTS)).tolist() == read.reserve.sizes.tolist()


def test_target_mixes_run_from_equal_classes_to_the_mix_of_deployment():
    mix = np.array([0.1, 0.2, 0.7])
    ahead = outlook(ScarPlanner(), deployment=mix).mixes
    assert ahead.taus.tolist() == [tau for tau in TAUS for _ in range(3)]
    assert ahead.fractions.tolist() == [0.1, 0.5, 1.0] * len(TAUS)
    assert (ahead.added.sum(axis=1) == ahead.costs).all()
    half = ahead.added[ahead.fractions == 0.5] + COUNTS
    apart = np.abs(half / half.sum(axis=1, keepdims=True) - mix).sum(axis=1)
    assert apart[-1] < apart[0]
    assert np.isnan(ahead.forecast.gain).all()
    assert np.isfinite(ahead.forecast.matched_balanced_gain).all()
    assert len(outlook(ScarPlanner(), deployment=np.full(3, 1 / 3)).mixes.taus) == 0


def test_a_shopping_list_keeps_to_its_budget_and_is_a_table_for_people(tmp_path):
    state = to_collect(problem(COUNTS, RESERVE, NEEDS, unit="money", costs=np.array([2.0, 1.0, 1.0])))
    listed = shopping_list(SliceTunerPlanner(), state, 90.0, FORECASTER)
    assert listed.add @ listed.costs <= 90
    assert listed.add.sum() > 0
    write_shopping_list(tmp_path / "list.csv", listed, "slice_tuner")
    with (tmp_path / "list.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class_name"] for row in rows] == list(state.class_names)
    assert sum(float(row["cost"]) for row in rows) == pytest.approx(listed.add @ listed.costs)
    assert "expected with the whole list: matched accuracy +" in rows[0]["reason"]


def test_met_and_unreachable_needs_are_said_and_ask_for_nothing():
    met = shopping_list(ScarPlanner(), to_collect(problem(COUNTS, RESERVE, [1, 1, 1])), None, REFUSING)
    assert (met.add.sum(), met.flags) == (0, ("met",))
    unreachable = to_collect(problem(COUNTS, RESERVE, [np.inf, 1, 1]))
    listed = shopping_list(ScarPlanner(), unreachable, None, REFUSING)
    assert (listed.add.sum(), listed.flags) == (0, ("unreachable:0",))


def test_budgets_that_cannot_buy_the_minimum_are_left_out_of_the_curve_and_refused_for_the_list():
    ahead = outlook(ScarPlanner(), minimum=np.array([40, 0, 0]))
    assert ahead.reserve.fractions.tolist() == [0.5, 1.0]
    state = to_collect(problem(COUNTS, RESERVE, NEEDS, minimum=np.array([40, 0, 0])))
    with pytest.raises(ValueError, match=r"budgets\.collect is 10 samples, but budgets\.minimum asks for 40"):
        shopping_list(ScarPlanner(), state, 10, REFUSING)


def test_what_is_not_forecast_says_why_and_is_planned_all_the_same(tmp_path):
    state = problem(COUNTS, RESERVE, NEEDS)
    ahead = look_ahead(
        ScarPlanner(), state, to_collect(state), REFUSING, order=shuffled(RESERVE), fractions=(0.5,), collect=None
    )
    assert np.isnan(ahead.reserve.forecast.gain).all()
    assert set(ahead.reserve.forecast.refused) == {"not_asked"}
    assert ahead.shopping.add.sum() == 650
    write_shopping_list(tmp_path / "list.csv", ahead.shopping, "scar")
    assert "not forecast: no forecast was asked for" in (tmp_path / "list.csv").read_text()
