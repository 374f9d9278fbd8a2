"""Tempered filling: sizes in proportion to a power of the deployment mix."""

from dataclasses import replace

import numpy as np
import pytest
from gaussian_classes import GaussianClasses
from hypothesis import given, settings
from hypothesis import strategies as st
from states import curves, problem, shuffled

from scar.completion.planners import WaterFillingPlanner
from scar.completion.tempered import OBJECTIVES, TemperedPlanner

MIX = np.array([0.6, 0.3, 0.1])


def plan(planner, state, budget):
    return planner.allocate(state, budget, shuffled(state.reserve))


@settings(max_examples=60)
@given(counts=st.lists(st.integers(1, 300), min_size=1, max_size=8), seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_without_a_power_it_is_water_filling(counts, seed, share):
    rng = np.random.default_rng(seed)
    reserve, mix = rng.integers(0, 200, len(counts)), rng.dirichlet(np.ones(len(counts)))
    state = problem(counts, reserve, [0] * len(counts), deployment=mix)
    budget = int(share * reserve.sum())
    ours, water = plan(TemperedPlanner(tau=0.0), state, budget), plan(WaterFillingPlanner(), state, budget)
    assert ours.counts.tolist() == water.counts.tolist()


@pytest.mark.parametrize("tau", [0.25, 0.5, 1.0])
def test_sizes_come_in_proportion_to_the_power_of_the_mix(tau):
    counts = np.array([100, 100, 100])
    added = plan(TemperedPlanner(tau=tau), problem(counts, [9_000] * 3, [0] * 3, deployment=MIX), 9_000).counts
    sizes = counts + added
    assert sizes / sizes.sum() == pytest.approx(MIX**tau / np.sum(MIX**tau), abs=2e-4)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_what_is_not_deployed_is_not_bought_but_for_its_minimum(tau):
    state = problem(
        [5, 100, 100], [500] * 3, [0] * 3, deployment=np.array([0.0, 0.5, 0.5]), minimum=np.array([3, 0, 0])
    )
    result = plan(TemperedPlanner(tau=tau), state, 200)
    assert result.counts[0] == 3
    assert result.counts.sum() == 200
    assert "not_deployed:0" in result.flags


def chosen(**given):
    """Two frequent classes that are flat and a rare one that grows, or the opposite."""
    counts = np.array([400, 400, 40])
    learned = curves(counts, limit=0.95, drop=given.pop("drop"))
    state = problem(counts, [600] * 3, [900, 900, 90], learned=learned, deployment=np.array([0.48, 0.48, 0.04]))
    return plan(TemperedPlanner(**given), state, 300)


def test_the_power_is_the_one_that_the_curves_expect_most_of_and_is_said():
    rare, frequent = (chosen(drop=drop) for drop in ([0.01, 0.01, 0.6], [0.3, 0.3, 0.01]))
    assert rare.flags == ("tau=0",)
    assert frequent.flags == ("tau=1",)
    assert rare.counts[2] > 250 > frequent.counts[2]


def test_the_objective_decides_what_counts():
    picked = {each: chosen(drop=[0.15, 0.15, 0.3], objective=each).counts[2] for each in OBJECTIVES}
    assert picked["accuracy"] < picked["balanced_accuracy"]
    assert picked["worst_class"] >= picked["mean"] >= picked["accuracy"]


def test_a_class_that_has_no_curve_at_all_is_planned_for():
    counts = np.array([300, 300, 5])
    learned = curves([300] * 3, limit=[0.9, 0.9, np.nan], drop=[0.2, 0.2, np.nan])
    assert plan(TemperedPlanner(), problem(counts, [400] * 3, [400] * 3, learned=learned), 100).counts[2] > 50


def test_what_cannot_be_chosen_is_refused():
    blind = replace(problem([10, 20], [50, 50], [30, 30]), curves=None)
    with pytest.raises(ValueError, match=r"or give completion\.tau"):
        plan(TemperedPlanner(), blind, 10)
    assert plan(TemperedPlanner(tau=0.5), blind, 10).counts.sum() == 10
    for given_, message in (
        ({"tau": 1.5}, r"completion\.tau=1\.5 must lie in \[0, 1\]"),
        ({"objective": "f1"}, r"completion\.objective='f1'.*worst_class, mean"),
    ):
        with pytest.raises(ValueError, match=message):
            TemperedPlanner(**given_)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_surface_chooses_the_power_where_there_is_one(objective):
    """The same choice as trying every power and asking the surface."""
    counts, reserve = np.array([160, 60, 20]), np.array([300, 300, 300])
    forecaster = GaussianClasses(classes=3, seed=2).forecaster(counts, compositions=30, deployment=MIX)
    state = problem(counts, reserve, [0] * 3, deployment=MIX, forecaster=forecaster)

    def worth(added):
        even = forecaster.recalls("matched_balanced_accuracy", counts + added)
        deployed = MIX @ forecaster.recalls("matched_accuracy", counts + added)
        told = {"accuracy": deployed, "balanced_accuracy": even.mean(), "worst_class": even.min()}
        return told.get(objective, (deployed + even.mean()) / 2)

    tried = {tau: plan(TemperedPlanner(tau=tau), state, 200).counts for tau in (0.0, 0.25, 0.5, 0.75, 1.0)}
    best = max(tried, key=lambda tau: worth(tried[tau]))
    chosen_by_surface = plan(TemperedPlanner(objective=objective), replace(state, curves=None), 200)
    assert chosen_by_surface.flags[0] == f"tau={best:g}"
    assert chosen_by_surface.counts.tolist() == tried[best].tolist()
