"""A plan for an unlabelled reserve: calibrated, honest about its yield, and blind to the labels it may not see."""

from dataclasses import replace

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.completion.calibration import METHODS, calibrate, softmax
from scar.completion.pools import UnlabelledPool, UnlabelledView
from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.job.algorithm import algorithm
from scar.job.measurements import measure_job
from scar.job.run_job import write_plans
from scar.store.store import Store

LIGHT = [
    "dataset=digits",
    "regime=long_tailed",
    "subsets=quick",
    "probe.max_epochs=30",
    "pool=unlabelled",
    "forecast.compositions=0",
]


def planted(rng, count, *, temperature, classes=4):
    """Logits whose true probabilities are the softmax of ``logits / temperature``, and labels drawn from them."""
    logits = rng.normal(0, 4, (count, classes))
    p = softmax(logits / temperature)
    labels = (p.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return logits, labels, p


@pytest.mark.parametrize("temperature", [0.7, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found_again(temperature):
    logits, labels, _ = planted(np.random.default_rng(0), 4000, temperature=temperature)
    calibrated = calibrate("temperature", logits, labels)(logits[:50])
    np.testing.assert_allclose(calibrated, softmax(logits[:50] / temperature), atol=0.03)


def test_isotonic_calibration_mends_a_class_that_is_promised_too_often():
    rng = np.random.default_rng(1)
    logits, labels, p = planted(rng, 6000, temperature=1.0)
    tilted = logits + np.array([2.0, 0, 0, 0])
    promised = {m: calibrate(m, tilted, labels)(tilted)[:, 0].mean() for m in METHODS}
    error = {method: abs(value - p[:, 0].mean()) for method, value in promised.items()}
    assert error["temperature"] > 0.05
    assert error["isotonic"] < 0.03
    assert error["bias_corrected"] < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_sum_to_one_also_for_a_class_that_calibration_never_saw(method):
    logits, labels, _ = planted(np.random.default_rng(2), 500, temperature=1.0)
    seen = labels != 3
    p = calibrate(method, logits[seen], labels[seen])(logits)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)


def test_an_unknown_method_and_an_empty_validation_part_are_refused():
    with pytest.raises(ValueError, match="method='platt'"):
        calibrate("platt", np.zeros((1, 2)), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="labels is empty"):
        calibrate("temperature", np.zeros((0, 2)), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match=r"pool\.calibration='platt'"):
        UnlabelledPool(calibration="platt")


@pytest.mark.parametrize("method", METHODS)
def test_the_interval_of_the_yield_holds_what_comes(method):
    """90 % intervals over 60 worlds × 4 classes; the true labels are drawn anew in each."""
    held = []
    for world in range(60):
        rng = np.random.default_rng([7, world])
        seen, labels, _ = planted(rng, 600, temperature=2.0)
        logits, truth, _ = planted(rng, 300, temperature=2.0)
        view = UnlabelledView(
            rows=np.arange(300), logits=logits, validation_logits=seen, validation_labels=labels,
            pool=UnlabelledPool(calibration=method, level=0.9), seed=world,
        )  # fmt: skip
        bought = np.flatnonzero(view.labels(np.zeros(300, np.int64)) == world % 4)
        said, came = view.expect(bought), np.bincount(truth[bought], minlength=4)
        assert said.expected.sum() == pytest.approx(len(bought))
        held += list((said.low <= came) & (came <= said.high))
    assert 0.85 <= np.mean(held) <= 0.97


def settings(*overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return build(compose("config", [*LIGHT, *overrides]))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("completion", ["scar", "class_average", "random"])
def test_poisoned_reserve_labels_do_not_change_the_plan(store, tmp_path, completion):
    clean = algorithm(settings(f"completion={completion}"), store)
    poisoned = algorithm(settings(f"completion={completion}"), Store(tmp_path / "poisoned"))
    labels = clean.split.labels.copy()
    labels[clean.split.reserve] = np.random.default_rng(0).integers(0, 10, len(clean.split.reserve))
    poisoned.inputs.split.__dict__["_value"] = replace(clean.split, labels=labels)
    assert not np.array_equal(labels, clean.split.labels)
    for one, other in zip(clean.plans, poisoned.plans, strict=True):
        assert len(one.rows) > 0
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(one.counts, other.counts)
    folders = [tmp_path / "clean", tmp_path / "other"]
    for folder, job in zip(folders, (clean, poisoned), strict=True):
        folder.mkdir()
        write_plans(folder, job)
    for file in folders[0].iterdir():
        assert file.read_bytes() == (folders[1] / file.name).read_bytes()


def test_planned_expected_and_obtained_counts_are_reported(store):
    job = algorithm(settings("completion=class_average", "pool.mix=complement"), store)  # large enough for counts
    rows = measure_job(job, digest="x").frame()
    plan = job.plans[-1]
    mine = rows[(rows.stage == "plan") & (rows.fraction == plan.fraction)]
    counts = {
        m: mine[mine.metric == m].sort_values("class_id").value.to_numpy() for m in ("added", "obtained", "expected")
    }
    assert all(values.sum() == pytest.approx(len(plan.rows)) for values in counts.values())
    assert np.array_equal(counts["added"], plan.counts)
    assert np.array_equal(counts["obtained"], np.bincount(job.split.labels[plan.rows], minlength=10))
    assert not np.array_equal(counts["added"], counts["obtained"]), "the digits are not predicted that well"
    expected = mine[mine.metric == "expected"]
    assert ((expected.low <= expected.value) & (expected.value <= expected.high)).all()
    assert np.abs(counts["expected"] - counts["obtained"]).sum() < 0.25 * len(plan.rows)


def test_classes_that_the_primary_set_lacks_are_found_only_as_far_as_they_are_predicted(store):
    found = {}
    for method in ("temperature", "bias_corrected"):
        job = algorithm(
            settings("regime=missing_class", "completion=class_average", f"pool.calibration={method}"), store
        )
        absent = job.split.class_sizes("primary", 10) == 0
        assert absent.sum() == 2
        found[method] = job.completion.problem.value.reserve[absent].sum()
        assert (job.plans[-1].counts[absent] <= job.completion.problem.value.reserve[absent]).all()
    assert found["temperature"] < found["bias_corrected"] <= job.split.class_sizes("reserve", 10)[absent].sum()


def test_what_needs_the_labels_is_refused():
    with pytest.raises(ConfigError, match=r"completion=oracle sees the labels.*pool=labelled"):
        settings("completion=oracle")
