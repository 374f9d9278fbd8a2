"""Rows that nobody labelled are the pool of a plan: what to label next, and nothing else changes."""

import csv

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from PIL import Image

from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.data.samples import POOL, TRAIN, UNLABELLED
from scar.data.sources.corrected import Corrected
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.image_folder import ImageFolder
from scar.data.sources.table import TableSource
from scar.job.algorithm import algorithm
from scar.job.measurements import measure_job
from scar.job.run_job import write_plans
from scar.reporting.decision import Facts, Interval, ToLabel, decide
from scar.store.store import Store

CLASSES, EACH, HIDDEN = 4, 120, 0.3


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """A file of embeddings of which a third has no label, and the [N] classes that are hidden."""
    folder, rng = tmp_path_factory.mktemp("vectors"), np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(CLASSES), EACH))
    matrix = 1.4 * np.eye(CLASSES, 12)[labels] + rng.normal(size=(len(labels), 12)) * 0.7
    np.save(folder / "embeddings.npy", matrix.astype(np.float32))
    hidden = rng.random(len(labels)) < HIDDEN
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["label"], *([""] if out else [f"c{k}"] for k, out in zip(labels, hidden, strict=True))])
    return folder, labels, hidden


LIGHT = ["dataset=embeddings_file", "dataset.labels_file=labels.csv", "subsets=quick", "forecast.compositions=0"]
LIGHT += ["foundation.estimators=[heldout]", "probe.max_epochs=20", "trainer.threads=1"]


def settings(folder, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return build(compose("config", [*LIGHT, f"dataset.root={folder}", *overrides]))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def job_of(truth, store, *overrides):
    return algorithm(settings(truth[0], *overrides), store)


POOLED = "dataset.labels.on_unlabelled=pool"


@pytest.mark.parametrize("completion", ["class_average", "random", "tempered", "scar"])
def test_a_plan_names_rows_to_label_by_predicted_class(truth, store, tmp_path, completion):
    _, labels, hidden = truth
    job = job_of(truth, store, POOLED, f"completion={completion}")
    chosen = job.plans_to_label[-1]
    assert len(chosen.rows) == chosen.counts.sum()
    assert hidden[chosen.rows].all()
    assert not hidden[np.concatenate([plan.rows for plan in job.plans])].any()
    if completion != "scar":  # which asks for what the needs lack, and they may be met
        assert len(chosen.rows) == round(0.25 * hidden.sum())
        assert (job.labelling.planned.value[chosen.rows] == labels[chosen.rows]).mean() > 0.6
    files = {path.name: path for path in write_plans(tmp_path, job)}
    with files[f"to-label-{completion}-25pct.csv"].open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == [str(row) for row in chosen.rows]
    frame = measure_job(job, digest="x").frame()
    own = frame[(frame.stage == "labelling") & (frame.metric == "to_label") & (frame.fraction == 0.25)]
    assert own[own.class_id.isna()].value.item() == len(chosen.rows)
    assert own[own.class_id.notna()].value.sum() == pytest.approx(len(chosen.rows), abs=1e-3)
    assert frame[frame.metric == "n_pool"].value.item() == hidden.sum()


def test_what_has_labels_is_divided_and_scored_as_if_the_rest_was_left_out(truth, store):
    pooled, skipped = (job_of(truth, store, f"dataset.labels.on_unlabelled={how}") for how in ("pool", "skip"))
    for part in ("primary", "reserve", "validation", "heldout", "test"):
        ids = [job.catalogue.ids[getattr(job.split, part)] for job in (pooled, skipped)]
        assert np.array_equal(*ids), part
    scores = [[arm.scores.value.accuracy for arm in job.arms] for job in (pooled, skipped)]
    assert scores[0] == scores[1]
    assert skipped.labelling is None
    assert skipped.plans_to_label == []


def test_a_pool_that_is_empty_asks_for_nothing(truth, store, tmp_path):
    folder, labels, _ = truth
    (tmp_path / "embeddings.npy").write_bytes((folder / "embeddings.npy").read_bytes())
    (tmp_path / "labels.csv").write_text("label\n" + "\n".join(f"c{k}" for k in labels))
    job = job_of((tmp_path,), store, POOLED)
    assert [len(plan.rows) for plan in job.plans_to_label] == [0, 0, 0]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("completion=oracle",), "completion=oracle does not go with dataset.labels.on_unlabelled=pool"),
        (("split.validation=0", "probe=reference"), "split.validation=0 does not go with"),
        (("experiment=inspect",), "task=.* does not go with"),
    ],
)
def test_what_cannot_plan_without_labels_is_refused(truth, overrides, message):
    with pytest.raises(ConfigError, match=message):
        settings(truth[0], POOLED, *overrides)


def test_every_reader_makes_a_pool_of_rows_without_a_label(tmp_path):
    rules = {"on_unlabelled": "pool", "missing": ("none",)}
    given = [None if i % 5 == 0 else "ab"[i % 2] for i in range(40)]
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"t{i},{label or ''}\n" for i, label in enumerate(given)))
    pictures = tmp_path / "pictures"
    for i, label in enumerate(given):
        (pictures / (label or "none")).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), i, np.uint8)).save(pictures / (label or "none") / f"{i}.png")
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    np.save(vectors / "embeddings.npy", np.eye(40, dtype=np.float32))
    np.save(vectors / "labels.npy", np.array([-1 if label is None else "ab".index(label) for label in given]))
    sources = [
        TableSource(root=str(tmp_path / "t.csv"), labels=rules),
        ImageFolder(root=str(pictures), labels=rules),
        EmbeddingsFile(root=str(vectors), labels=rules | {"missing": ("-1",)}),
    ]
    for source in sources:
        samples = source.load(tmp_path)
        assert len(samples) == 40
        assert (samples.splits == POOL).sum() == 8
        assert np.array_equal(samples.splits == POOL, samples.labels == UNLABELLED)
        assert len(samples.class_names) == 2
        assert "8 rows without a label form the pool" in samples.notes


def test_labels_that_were_bought_come_back_by_a_list(tmp_path):
    (tmp_path / "t.csv").write_text(
        "text,label\n" + "".join(f"t{i},{'' if i < 5 else 'ab'[i % 2]}\n" for i in range(40))
    )
    (tmp_path / "list.csv").write_text("id,class_name,drop\n0,b,\n1,,yes\n")
    given = TableSource(root=str(tmp_path / "t.csv"), labels={"on_unlabelled": "pool"})
    source = Corrected(source=given, corrections=str(tmp_path / "list.csv"))
    samples = source.load(tmp_path)
    assert source.pools_unlabelled
    assert (samples.splits == POOL).sum() == 3
    assert samples.splits[0] == TRAIN
    assert samples.class_names[samples.labels[0]] == "b"


def test_the_decision_says_what_to_label():
    facts = Facts(
        what="the primary set", samples=100, classes=2, score=Interval(value=0.8), tested=50, raw=0.7,
        estimator="heldout", needed=Interval(value=200.0), purchase="Nothing.", how_to_look="", planner="p", encoder="e",
        to_label=ToLabel(pool=300, samples=75, expected=[("a", 20.2), ("b", 54.8)], file="to-label-scar-25pct.csv"),
    )  # fmt: skip
    assert decide(facts).buy == (
        "Nothing. Of the 300 samples without a label, label 75 first (to-label-scar-25pct.csv); expected among them: "
        "b 55 and a 20."
    )
