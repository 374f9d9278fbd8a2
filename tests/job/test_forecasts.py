"""What a forecast costs a job: whose key it changes, when its probes are trained, and what its rows say."""

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.completion.forecast import NoForecaster
from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.job.algorithm import algorithm
from scar.job.flow import artefacts
from scar.job.measurements import measure_job
from scar.store.store import Store

LIGHT = ["dataset=digits", "completion=class_average", "foundation.estimators=[heldout]", "subsets=quick"]


def open_job(store, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return algorithm(build(compose("config", [*LIGHT, "trainer.threads=1", *overrides])), store)


def stages_of(job):
    return {key.stage for key in artefacts(job.final)}


def test_one_seed_of_a_sweep_trains_probes_on_compositions(tmp_path):
    store = Store(tmp_path)
    assert "composition_probes" in stages_of(open_job(store))
    assert "composition_probes" not in stages_of(open_job(store, "seed=1"))
    assert "composition_probes" in stages_of(open_job(store, "seed=1", "forecast.seeds=all"))
    assert "composition_probes" not in stages_of(open_job(store, "forecast.compositions=0"))
    assert "composition_probes" not in stages_of(open_job(store, "probe=linear"))


def test_a_forecast_changes_no_plan_but_that_of_who_chooses_by_it(tmp_path):
    store = Store(tmp_path)

    def keys(*overrides):
        job = open_job(store, *overrides)
        return str(job.completion.plans.key), str(job.completion.outlook.key)

    (plan, outlook), (same, other) = keys(), keys("forecast.compositions=30")
    assert plan == same
    assert outlook != other
    assert keys("forecast.seeds=all")[0] == plan
    tempered = "completion=tempered"
    assert keys(tempered)[0] == keys(tempered, "forecast.compositions=30")[0]
    assert keys(tempered)[0] != keys(tempered, "forecast.seeds=all")[0]


@pytest.mark.parametrize("part", ["dataset.seed=0", "seed=0"])
def test_what_has_nothing_to_do_with_a_forecast_keeps_its_key(tmp_path, part):
    store = Store(tmp_path)
    one, other = (open_job(store, part, f"forecast.compositions={count}") for count in (0, 90))
    assert [arm.predictions.key for arm in one.arms] == [arm.predictions.key for arm in other.arms]
    assert one.characterized["primary"].foundation.key == other.characterized["primary"].foundation.key


def test_unknown_settings_are_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"forecast\.scores: 'worst_class_accuracy' is not forecast"):
        open_job(Store(tmp_path), "forecast.scores=[worst_class_accuracy]")


@pytest.mark.slow
def test_rows_say_why_a_budget_is_not_forecast(tmp_path):
    job = open_job(Store(tmp_path), "probe=linear", "probe.max_epochs=3")
    assert job.completion.forecaster.value == NoForecaster(reason="not_at_optimum")
    assert set(job.completion.outlook.value.reserve.forecast.refused) == {"not_at_optimum"}
    frame = measure_job(job, digest="x").frame()
    expected = frame[frame.metric == "expected_matched_balanced_gain"]
    assert np.isnan(expected.value).all()
    assert set(expected[expected.stage == "plan"].flag) == {"refused_not_at_optimum"}


def test_rows_hold_the_plan_by_class_of_every_budget_that_is_looked_at(tmp_path):
    asked = open_job(Store(tmp_path), "forecast.compositions=30")
    frame = measure_job(asked, digest="x").frame()
    primary = frame[frame.metric == "n_primary"].value.iloc[0]
    planned = frame[frame.metric == "what_if_added"].groupby(["stage", "subject", "fraction"])
    ahead = asked.completion.outlook.value
    assert len(planned) == sum(len(part.fractions) for part in (ahead.reserve, ahead.collect, ahead.mixes))
    for (stage, *_), own in planned:
        assert own.value.min() > 0
        if stage != "collect":
            assert primary + own.value.sum() == own.n.iloc[0]
    silent = measure_job(open_job(Store(tmp_path), "forecast.compositions=0"), digest="x").frame()
    assert "what_if_added" not in set(silent.metric)


def test_probes_that_did_not_reach_their_optimum_forecast_nothing(tmp_path):
    job = open_job(Store(tmp_path), "probe.max_epochs=2", "forecast.compositions=30")
    assert job.completion.forecaster.value == NoForecaster(reason="not_at_optimum")


def test_what_would_cost_too_much_is_refused_by_name_and_trains_nothing(tmp_path):
    store = Store(tmp_path)
    classes = open_job(store).num_classes
    job = open_job(store, "forecast.compositions=30", "forecast.largest=100", f"forecast.most={100 * classes - 1}")
    assert job.completion.forecaster.value == NoForecaster(reason="too_costly")
    assert set(job.completion.outlook.value.reserve.forecast.refused) == {"too_costly"}
    asked = open_job(store, "forecast.compositions=30", "forecast.largest=100", f"forecast.most={100 * classes}")
    assert asked.completion.forecaster.value != job.completion.forecaster.value
