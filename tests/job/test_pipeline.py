"""The main job on scikit-learn's digits, from composition to rows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.completion.by_name import PLANNERS
from scar.config.build import build
from scar.foundation.settings import ESTIMATORS
from scar.job.algorithm import algorithm
from scar.job.gains import gains
from scar.job.rows import load_predictions, load_rows
from scar.job.run_job import run_job
from scar.job.training_curves import arm_curves
from scar.probes.probe_set import ProbeSet
from scar.store.store import Store

LIGHT = ["dataset=digits", "regime=long_tailed", "subsets=quick", "logger=csv", "study=test", "probe.max_epochs=30"]


def settings(folder, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return compose("config", [*LIGHT, f"paths.output_dir={folder}", *overrides])


def run(folder, *overrides, name="job"):
    composed = settings(folder, *overrides)
    job_folder = folder / "test" / "jobs" / name
    run_job(build(composed), job_folder, settings=composed, overrides=overrides)
    return job_folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    for name in ("scar", "random", "class_average"):
        run(folder, f"completion={name}", name=name)
    return folder


def test_a_job_leaves_rows_outcomes_plans_and_its_record(finished):
    job = finished / "test" / "jobs" / "scar"
    status = json.loads((job / "status.json").read_text())
    assert status["status"] == "done"
    assert status["versions"]["torch"]
    assert {p.name for p in job.iterdir()} >= {
        "config.yaml",
        "rows.parquet",
        "rows.csv",
        "predictions.npz",
        "plan-scar-5pct.csv",
    }
    outcomes = load_predictions(job)
    arms = {"primary", "total", "scar@0.05", "scar@0.1", "scar@0.25"}
    assert set(outcomes) == {"labels", *arms, *(f"{arm}/{mix}" for arm in arms for mix in ("deployment", "uniform"))}
    assert {len(items) for items in outcomes.values()} == {len(outcomes["labels"])}


def test_rows_agree_with_the_outcomes_by_item(finished):
    rows = load_rows(finished / "test")
    tests = rows[(rows.stage == "evaluation") & (rows.metric == "accuracy")]
    assert set(tests.subject) == {"primary", "total", "scar", "random", "class_average"}
    for row in tests.itertuples():
        outcomes = load_predictions(finished / "test" / "jobs" / row.completion)
        name = row.subject if np.isnan(row.fraction) else f"{row.subject}@{row.fraction:g}"
        assert (outcomes[name] == outcomes["labels"]).mean() == pytest.approx(row.value)


def test_strategies_share_primary_and_total_and_add_exactly_the_same_number(finished):
    rows = load_rows(finished / "test")
    tests = rows[(rows.stage == "evaluation") & (rows.metric == "accuracy")]
    shared = tests[tests.subject.isin(["primary", "total"])]
    assert shared.groupby("subject").key.nunique().eq(1).all()
    sizes = tests[tests.fraction.notna()].groupby("fraction").n
    assert sizes.nunique().eq(1).all()
    primary = int(tests[tests.subject == "primary"].n.iloc[0])
    assert (sizes.first() > primary).all()


def test_gains_over_baselines_that_are_in_the_store_are_told(finished):
    job = algorithm(build(settings(finished, "completion=scar")), Store(finished / "store", policy="only-cache"))
    found = gains(job)
    assert {name.split("/")[1] for name in found} == {"over_random", "over_class_average"}
    scores = job.arms[-1].scores.value, arms_of(job, "random")[-1].scores.value
    expected = scores[0].matched_accuracy - scores[1].matched_accuracy
    assert found[f"gain@{job.arms[-1].fraction:g}/over_random/matched_accuracy"] == pytest.approx(expected)


def arms_of(job, name):
    return algorithm(replace(job.config, completion=PLANNERS[name]), job.store).arms


def test_every_measure_and_estimator_has_its_rows(finished):
    rows = load_rows(finished / "test")
    measures = rows[rows.stage == "measures"]
    assert set(measures.metric) == {"scale", "coverage", "authenticity", "richness", "true_positives", "gap"}
    assert set(rows[rows.stage == "probes"].metric) == {"converged", "constant_features", "far_rows"}
    assert set(measures.class_name) == {str(d) for d in range(10)} or measures.class_name.nunique() == 10
    assert set(rows[rows.stage == "foundation"].estimator) == set(ESTIMATORS)
    undefined = measures[measures.value.isna()]
    assert (undefined.flag != "").all()
    assert not measures[measures.value.notna()].flag.str.contains("undefined").any()


def test_a_finished_job_is_not_run_again_and_needs_no_torch(finished, capsys):
    status = finished / "test" / "jobs" / "scar" / "status.json"
    before = status.stat().st_mtime_ns
    run(finished, "completion=scar", name="scar")
    assert status.stat().st_mtime_ns == before
    assert "done before" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["rows.parquet", "predictions.npz", "plan-random-5pct.csv"])
def test_a_job_whose_files_were_lost_or_damaged_is_made_whole_from_the_store(finished, name):
    path = finished / "test" / "jobs" / "random" / name
    size = path.stat().st_size
    path.write_bytes(b"garbage")
    run(finished, "completion=random", name="random")
    assert path.stat().st_size == size
    path.unlink()
    run(finished, "completion=random", name="random")
    assert path.stat().st_size == size


def test_a_warm_cache_gives_the_rows_of_a_cold_one(finished, tmp_path):
    cold = load_rows(run(tmp_path, "completion=scar", name="scar").parents[1])
    warm = load_rows(finished / "test")
    warm = warm[warm.completion == "scar"]
    columns = [
        "stage",
        "subject",
        "fraction",
        "estimator",
        "factor",
        "class_id",
        "metric",
        "value",
        "low",
        "high",
        "flag",
    ]
    assert cold[columns].reset_index(drop=True).equals(warm[columns].reset_index(drop=True))


def test_saved_probes_predict_what_was_scored(finished):
    composed = settings(finished, "completion=scar")
    job = algorithm(build(composed), Store(composed.paths.store_dir, policy="only-cache"))
    arm = job.arms[0]
    probe = job.store.read(arm.probes.key, ProbeSet.load)
    test = job.split.test
    predicted = probe.predict(0, job.embeddings.take(test))
    outcomes = load_predictions(finished / "test" / "jobs" / "scar")
    assert np.array_equal(predicted == job.split.labels[test], outcomes["primary"] == outcomes["labels"])


@pytest.mark.parametrize("part", ["test", "heldout", "reserve"])
def test_a_part_that_a_stage_must_not_see_does_not_change_it(finished, monkeypatch, part):
    """Poison one part: the plan and the measures of the primary set stay the same (the held-out part moves the plan)."""
    composed = settings(finished, "completion=scar")
    clean = algorithm(build(composed), Store(composed.paths.store_dir, policy="only-cache"))
    poisoned = algorithm(build(composed), Store(finished / f"poisoned-{part}"))
    features = np.array(clean.embeddings.array())
    features[getattr(clean.split, part)] = (
        np.random.default_rng(0).normal(size=features[getattr(clean.split, part)].shape) * 9
    )

    class Poisoned:
        def array(self):
            return features

        def take(self, rows):
            return features[rows]

    for handle, value in ((poisoned.inputs.embeddings, Poisoned()), (poisoned.inputs.split, clean.split)):
        handle.__dict__["_value"] = value
    before, after = clean.observations("primary"), poisoned.observations("primary")
    for name in ("coverage", "authenticity", "richness", "train_misses"):
        assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True), name
    same_heldout = np.array_equal(before.heldout_misses, after.heldout_misses)
    assert same_heldout == (part != "heldout")


def test_a_fault_keeps_finished_stages_and_leaves_no_half_written_job(tmp_path, monkeypatch):
    import scar.job.run_job

    def fail(*args, **kwargs):
        raise RuntimeError("the disk fell off")

    with monkeypatch.context() as patch:
        patch.setattr(scar.job.run_job, "write_outcomes", fail)
        with pytest.raises(RuntimeError, match="fell off"):
            run(tmp_path, name="job")
    status = json.loads((tmp_path / "test" / "jobs" / "job" / "status.json").read_text())
    assert status["status"] == "failed"
    assert "the disk fell off" in status["traceback"]
    assert not (tmp_path / "test" / "jobs" / "job" / "rows.parquet").exists()
    arms = list((tmp_path / "store" / "arms").iterdir())
    assert len(arms) == 1  # the plan with its three budgets; primary and total are the first probes of their subsets
    stamps = [arm.stat().st_mtime_ns for arm in arms]
    run(tmp_path, name="job")
    assert [arm.stat().st_mtime_ns for arm in arms] == stamps


def test_the_arm_of_a_training_set_is_the_first_probe_of_its_subsets(tmp_path):
    """Where training draws nothing, both are the same optimum; it is trained once."""
    run(tmp_path, name="job")
    job = algorithm(build(settings(tmp_path)), Store(tmp_path / "store"))
    for arm in job.arms[:2]:
        probes = job.characterized[arm.subject].probes
        assert arm.probes is probes
        np.testing.assert_array_equal(arm.probe.value.weights[0], probes.value.weights[0])
        whole = np.sort(getattr(job.split, arm.subject))
        np.testing.assert_array_equal(arm.rows.value, whole)
    curves = arm_curves(job)
    assert len(curves) == len(job.arms)
    assert np.isfinite(curves[:, 0]).all()


def test_a_probe_that_draws_is_trained_anew_for_an_arm(tmp_path):
    run(tmp_path, "probe=linear", "probe.max_epochs=2", "forecast.compositions=0", name="job")
    assert len(list((tmp_path / "store" / "arms").iterdir())) == 3  # primary, total, and the plan


def test_a_further_job_leaves_at_most_twenty_files_and_folders(tmp_path):
    """File systems of clusters count them; two planners share what they know of a seed."""
    run(tmp_path, "completion=scar", name="first")
    before = len(list(tmp_path.rglob("*")))
    assert before <= 60  # with the map, which the first seed alone draws
    for name in ("scar", "random"):
        run(tmp_path, "seed=1", f"completion={name}", name=name)
    added = len(list(tmp_path.rglob("*"))) - before
    assert added <= 2 * 20
