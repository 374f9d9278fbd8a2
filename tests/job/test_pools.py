"""Pools of several mixes in a job: one primary set, one budget, and nothing that was used before."""

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.job.algorithm import algorithm
from scar.job.measurements import measure_job
from scar.job.run_job import describe
from scar.job.shared_bank import company
from scar.store.store import Store

LIGHT = ["dataset=digits", "regime=long_tailed", "completion=class_average", "foundation.estimators=[heldout]"]
LIGHT += ["subsets=quick", "probe.max_epochs=3", "trainer.threads=1"]
MIXES = ("same", "natural", "balanced", "complement")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def open_job(store, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return algorithm(build(compose("config", [*LIGHT, *overrides])), store)


def test_the_pool_alone_differs_and_takes_nothing_that_is_used(store):
    splits = {mix: open_job(store, f"pool.mix={mix}").split for mix in MIXES}
    complement = splits["complement"]
    for mix, split in splits.items():
        for part in ("primary", "validation", "heldout", "test", "labels"):
            assert np.array_equal(getattr(split, part), getattr(complement, part)), (mix, part)
        used = [getattr(split, part) for part in ("primary", "validation", "heldout", "test")]
        assert not np.isin(split.reserve, np.concatenate(used)).any()
    parts = [getattr(complement, part) for part in ("total", "validation", "heldout", "test")]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(complement.labels)))
    sizes = {mix: len(split.reserve) for mix, split in splits.items()}
    assert sizes["same"] < sizes["balanced"] <= sizes["natural"] < sizes["complement"]
    assert np.array_equal(open_job(store).split.reserve, splits["same"].reserve), "the default under a long tail"


@pytest.mark.parametrize("regime", ["natural", "noisy_20", "shift"])
def test_a_regime_that_keeps_the_mix_keeps_its_whole_reserve(store, regime):
    job = open_job(store, f"regime={regime}")
    assert job.config.pool.mix == "natural"
    split = job.split
    parts = [getattr(split, part) for part in ("primary", "reserve", "validation", "heldout", "test")]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(split.labels)))


def test_budgets_are_equal_in_every_pool_that_is_compared(store):
    jobs = {mix: open_job(store, f"pool.mix={mix}", "budgets=pools") for mix in ("same", "complement")}
    pools = [job.inputs.pools.value for job in jobs.values()]
    assert np.array_equal(*pools)
    for index, mix in enumerate(MIXES):
        own = open_job(store, f"pool.mix={mix}").split.class_sizes("reserve", 10)
        assert np.array_equal(pools[0][index], own), mix
    budgets = [{plan.fraction: plan.budget for plan in job.plans} for job in jobs.values()]
    assert budgets[0] == budgets[1]
    smallest = pools[0].sum(axis=1).min()
    assert all(0 < budget <= round(fraction * smallest) for fraction, budget in budgets[0].items())
    alone = {plan.fraction: plan.budget for plan in open_job(store, "pool.mix=complement").plans}
    assert all(alone[fraction] > budget for fraction, budget in budgets[0].items())


def test_rows_and_terminal_name_the_pool(store):
    job = open_job(store)
    frame = measure_job(job, digest="x").frame()
    assert set(frame.mix) == {"same"}
    assert "long_tailed · same pool · seed 0" in describe(job.config)
    assert "pool" not in describe(open_job(store, "regime=natural").config)


def test_jobs_that_differ_in_their_pool_train_and_test_the_primary_set_once(store):
    same, complement = (
        open_job(store, f"pool.mix={mix}", "completion=class_average") for mix in ("same", "complement")
    )
    for shared in ("primary", "total"):
        keys = [
            [job.characterized[shared].measures.key, next(a for a in job.arms if a.subject == shared).scores.key]
            for job in (same, complement)
        ]
        assert (keys[0] == keys[1]) == (shared == "primary")
    assert company(same) == company(complement)
    assert len(same.split.reserve) != len(complement.split.reserve)
    for arm in same.arms:  # a plan is trained on rows of the reserve
        assert set(arm.rows.value) <= set(same.split.total)
