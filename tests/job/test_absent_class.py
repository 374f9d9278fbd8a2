"""A class that the primary set does not hold: every stage copes with it and says so."""

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.completion.allocation import define_needs
from scar.config.build import build
from scar.foundation.estimates import Estimate
from scar.job.algorithm import algorithm
from scar.job.measurements import measure_job
from scar.measures.steps import MEASURES
from scar.store.store import Store

LIGHT = ["dataset=digits", "regime=missing_class", "subsets=quick", "probe.max_epochs=20"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def open_job(store, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return algorithm(build(compose("config", [*LIGHT, *overrides])), store)


@pytest.fixture(scope="module")
def job(store):
    return open_job(store)


@pytest.fixture(scope="module")
def absent(job):
    classes = job.split.class_sizes("primary", 10) == 0
    assert classes.sum() == 2
    return classes


def test_no_subset_and_no_measure_invents_it(job, absent):
    seen = job.observations("primary")
    assert (seen.class_sizes[:, absent] == 0).all()
    for measure in MEASURES:
        assert np.isnan(getattr(seen, measure)[:, absent]).all()
    assert (seen.heldout_class_sizes[absent] > 0).all()


def test_every_estimator_leaves_it_undefined_and_flags_it(job, absent):
    for name, each in job.foundation("primary").items():
        assert np.isnan(each.step_sizes[absent]).all(), name
        assert all(each.step_flags[j] for j in np.flatnonzero(absent)), name
        assert "undefined_steps" in each.flags, name
        told = np.isfinite(each.step_sizes[~absent]).any()
        assert told or all("cannot_tell" in each.step_flags[j] for j in np.flatnonzero(~absent)), name


def test_its_need_is_undefined_and_a_plan_counts_it_as_the_largest(job, absent):
    counts = job.split.class_sizes("primary", 10)
    for each in job.foundation("primary").values():
        needs = each.class_needs(counts)
        assert np.isnan(needs[absent]).all()
        defined, flags = define_needs(needs, counts)
        assert (defined[absent] >= np.where(np.isfinite(needs), needs, 0).max()).all()
        assert {f"unseen:{j}" for j in np.flatnonzero(absent)} <= set(flags)


def test_a_step_without_any_bound_does_not_poison_the_need_of_an_absent_class():
    sizes = np.array([np.inf, 100.0, np.inf])
    estimate = Estimate(
        foundation_size=1.0, interval=(0.0, 2.0), step_sizes=sizes, step_intervals=np.zeros((3, 2)), flags=(),
        step_flags=((), (), ()), level=0.95,
    )  # fmt: skip
    needs = estimate.class_needs(np.array([0, 50, 50]))
    np.testing.assert_array_equal(needs, [np.nan, 50.0, np.inf])
    assert define_needs(needs, np.array([0, 50, 50]))[0].tolist() == [50.0, 50.0, 51.0]


@pytest.mark.parametrize(
    "completion",
    [
        *(
            "scar",
            "scar_class_mix",
            "scar_even",
            "tempered",
            "random",
            "class_average",
            "proportional",
            "water_filling",
            "long_tail_first",
        ),
        *("error_proportional", "slice_tuner", "oracle"),
    ],
)
def test_every_planner_plans_and_every_arm_is_scored(store, absent, completion):
    job = open_job(store, f"completion={completion}")
    plan = job.plans[-1]
    assert len(plan.rows) == plan.counts.sum() > 0
    assert np.array_equal(plan.counts, np.bincount(job.split.labels[plan.rows], minlength=10))
    if completion in ("scar", "class_average", "water_filling", "long_tail_first"):
        assert (plan.counts[absent] > 0).all()
    if completion == "scar":
        assert {f"unseen:{j}" for j in np.flatnonzero(absent)} <= set(plan.flags)
    scores = {(arm.subject, arm.fraction): each for arm, each in ((arm, arm.scores.value) for arm in job.arms)}
    assert scores["primary", None].worst_class_accuracy == 0.0
    frame = measure_job(job, digest="x").frame()
    sizes = frame[(frame.metric == "class_size") & (frame.subject == "primary")].sort_values("class_id")
    assert (sizes.flag[absent.tolist()] == "absent_from_primary").all()


def test_buying_it_is_what_helps_most(store):
    gains = {}
    for completion in ("class_average", "proportional"):
        scores = [arm.scores.value for arm in open_job(store, f"completion={completion}", "pool.mix=complement").arms]
        gains[completion] = scores[-1].balanced_accuracy - scores[0].balanced_accuracy
    assert gains["class_average"] > gains["proportional"] + 0.05
