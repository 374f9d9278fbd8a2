"""More than a thousand classes of three samples each, through every stage, table and figure."""

import csv
import math

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.job.algorithm import algorithm
from scar.job.loggers import LARGEST_TABLE
from scar.job.measurements import measure_job
from scar.job.rows import read_frame
from scar.job.run_job import run_job
from scar.reporting.tables.caveats import SINGLE, undefined_coverage
from scar.reporting.write import write_report
from scar.store.store import Store

CLASSES = 1200


def test_classes_that_are_too_small_are_told_together_where_they_are_many():
    def rows(count):
        about = {"stage": "measures", "subject": "primary", "seed": 0}
        lost = [
            {"class_name": f"c{k}", "factor": f, "metric": "coverage", "value": math.nan}
            for k in range(count)
            for f in (1, 2)
        ]
        hits = [
            {"class_name": f"c{k}", "factor": f, "metric": "true_positives", "value": 3.0}
            for k in range(count)
            for f in (1, 2)
        ]
        return pd.DataFrame([{**about, **row} for row in lost + hits])

    few, many = undefined_coverage(rows(SINGLE)), undefined_coverage(rows(500))
    assert len(few) == SINGLE
    assert len(many) == 1
    assert many[0].startswith("c0, c1, c2, c3, c4 and 495 more: coverage undefined at 1/1 and 1/2 of the data")


def write_classes(folder, classes, each, *, width=8, test=1):
    """Write so many training samples of every class, and test items, as embeddings with their labels; return what asks for them."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, width))
    labels = np.concatenate([np.repeat(np.arange(classes), each), np.repeat(np.arange(classes), test)])
    matrix = centres[labels] + 0.7 * rng.normal(size=(len(labels), width))
    folder.mkdir(exist_ok=True)
    np.save(folder / "embeddings.npy", matrix.astype(np.float32))
    with (folder / "labels.csv").open("w", newline="") as file:
        parts = ["train"] * (each * classes) + ["test"] * (test * classes)
        rows = [("label", "part"), *((f"species {k:04d}", part) for k, part in zip(labels, parts, strict=True))]
        csv.writer(file).writerows(rows)
    where = (
        "dataset=embeddings_file",
        f"dataset.root={folder}",
        "dataset.labels_file=labels.csv",
        "dataset.split=part",
    )
    return [*where, "forecast.compositions=0", "subsets=quick", "trainer.threads=1"]


@pytest.mark.parametrize("most", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_a_job_has_as_many_rows_whatever_the_number_of_classes(tmp_path, most):
    rows = {}
    for classes in (4, most):
        overrides = write_classes(tmp_path / str(classes), classes, 6)
        with initialize_config_module("scar.conf", version_base="1.3"):
            config = build(
                compose(
                    "config",
                    [*overrides, "map=none", "completion=random", "probe.penalties=[0.1]", "subsets.factors=[1,2]"],
                )
            )
        rows[classes] = measure_job(algorithm(config, Store(tmp_path / "store")), digest="x")
    few, many = (each.table() for each in rows.values())
    assert many.num_rows <= few.num_rows + 20  # figures that few classes leave undefined
    assert many.num_rows < 1000
    assert rows[most].frame().class_id.value_counts().reindex(range(most)).min() > 20


@pytest.mark.slow
def test_a_quick_run_ends_with_a_readable_report(tmp_path):
    overrides = write_classes(tmp_path, CLASSES, 3, width=32)
    overrides += ["study=test", f"paths.output_dir={tmp_path}", f"paths.store_dir={tmp_path / 'store'}"]
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", overrides)
    logged = []

    def watched(frame):
        logged.append(len(frame))
        return len(frame)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scar.job.loggers.as_table", watched)
        run_job(build(composed), tmp_path / "test" / "jobs" / "a", settings=composed, overrides=overrides)
    assert logged
    assert max(logged) <= LARGEST_TABLE
    stored = tmp_path / "test" / "jobs" / "a" / "rows.parquet"
    assert len(pd.read_parquet(stored)) < 1000
    assert len(read_frame(stored)) > LARGEST_TABLE
    write_report(tmp_path / "test")
    terminal = (tmp_path / "test" / "report.txt").read_text()
    assert "1200 classes" in terminal
    assert len(terminal.splitlines()) < 300
    assert (tmp_path / "test" / "report.html").stat().st_size < 8 * 2**20
    assert "40 of 1200 classes" in (tmp_path / "test" / "classes.svg").read_text()
