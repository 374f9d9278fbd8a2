"""Classes that are known and have no training sample at all: through the stages of a job to rows and report."""

import csv
import math

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.job.algorithm import algorithm
from scar.job.measurements import measure_job
from scar.job.run_job import run_job
from scar.measures.steps import MEASURES
from scar.reporting.write import write_report
from scar.store.store import Store

NAMES = ("a", "b", "c", "never", "tested")
NEVER, TESTED = 3, 4
LIGHT = [
    *("dataset=embeddings_file", "dataset.labels_file=labels.csv", "dataset.split=part", f"dataset.class_names=[{','.join(NAMES)}]"),
    *("dataset.labels.on_empty=keep", "dataset.labels.on_test_only=keep", "subsets=quick"),
    *("trainer.threads=1", "logger=csv", "study=test", "forecast.compositions=30", "forecast.seeds=all"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes with samples, one that is named only, one of the test part alone."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2, TESTED], [90, 90, 90, 24]))
    matrix = 1.5 * np.eye(5, 8)[labels] + rng.normal(size=(len(labels), 8)) * 0.6
    np.save(root / "embeddings.npy", matrix.astype(np.float32))
    with (root / "labels.csv").open("w", newline="") as file:
        rows = [(NAMES[k], "test" if k == TESTED or i % 4 == 0 else "train") for i, k in enumerate(labels)]
        csv.writer(file).writerows([("label", "part"), *rows])
    return root


def composed(folder, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return compose("config", [*LIGHT, f"dataset.root={folder}", *overrides])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


PLANNERS = ("scar", "scar_even", "tempered", "random", "class_average", "proportional", "water_filling")
PLANNERS += ("long_tail_first", "error_proportional", "slice_tuner", "oracle")


@pytest.mark.parametrize("completion", PLANNERS)
def test_every_stage_stands_it(folder, store, completion):
    job = algorithm(build(composed(folder, f"completion={completion}")), store)
    empty = [NEVER, TESTED]
    for part in ("primary", "reserve", "validation", "heldout"):
        assert (job.split.class_sizes(part, 5)[empty] == 0).all(), part
    for subject in ("primary", "total"):
        assert np.isnan([getattr(job.observations(subject), m)[:, empty] for m in MEASURES]).all()
        assert all(np.isnan(each.step_sizes[empty]).all() for each in job.foundation(subject).values())
    assert (job.inputs.deployment.value[empty] > 0).all(), "it may occur where the probe is used"
    assert (job.plans[-1].counts[empty] == 0).all(), "the reserve holds none"
    listed = job.completion.outlook.value.shopping
    assert completion in ("random", "proportional") or (listed.add[empty] > 0).all(), (
        "but these, which keep the mix there is"
    )
    if completion not in ("random", "proportional", "tempered"):  # which goes by the shares in use
        assert listed.add[empty].min() + 1 >= listed.add[:3].max()
    for arm in job.arms:
        scores = arm.scores.value
        recalls = [np.mean(scores.predictions.uniform[job.split.labels[job.split.test] == k] == k) for k in (0, 1, 2)]
        assert scores.matched_balanced_accuracy == pytest.approx(sum(recalls) / 4), "the fourth has a recall of 0"
    rows = measure_job(job, digest="x").frame()
    expected = rows[(rows.stage == "plan") & (rows.metric == "expected_matched_balanced_accuracy")]
    assert expected.value.notna().all()
    assert (expected.value < 0.75 + 0.03).all(), "what cannot be decided for counts as 0"
    ahead = job.completion.outlook.value.collect
    refused = set(ahead.forecast.refused[ahead.added[:, TESTED] > 0])
    assert refused <= {"unseen_class", "too_large"}, "nothing tells what a class brings that nobody has seen"
    assert np.isfinite(ahead.forecast.matched_balanced_gain[ahead.forecast.refused == ""]).all()


def test_needs_count_it_as_the_most_needy_and_say_so(folder, store):
    job = algorithm(build(composed(folder, "completion=scar")), store)
    assert {f"unseen:{NEVER}", f"unseen:{TESTED}"} <= set(job.completion.outlook.value.shopping.flags)


def test_the_report_names_it(folder, tmp_path):
    overrides = ("completion=scar", f"paths.output_dir={tmp_path}", "forecast.compositions=0")
    settings = composed(folder, *overrides)
    assert math.isfinite(
        run_job(build(settings), tmp_path / "test" / "jobs" / "a", settings=settings, overrides=overrides)
    )
    write_report(tmp_path / "test", formats=("svg",))
    said = " ".join((tmp_path / "test" / "report.txt").read_text().split())
    assert "it has no sample of 2 classes (never and tested)" in said
    assert "the class never cannot be judged without test items" in said
    page = " ".join((tmp_path / "test" / "report.html").read_text().split())
    assert all(f"1 classes have no training sample and are kept – {name}" in page for name in ("never", "tested"))
