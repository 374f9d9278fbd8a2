"""Class names as people have them, from a table to the plan, the report and the card."""

import csv

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.common.spreadsheets import read_frame
from scar.config.build import build
from scar.job.run_job import run_job
from scar.reporting.write import write_report

NAMES = (r"C:\dir\b\g<0>", "$$ and $x", "猫", "قط", "</script><b>x</b>", "=1+1", "@SUM(A1)", 'a "b", c', "NA", "007")


@pytest.mark.slow
def test_odd_class_names_reach_every_file_as_they_are_and_do_no_harm(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(len(NAMES)), 40))
    matrix = np.eye(len(NAMES), 12)[labels] + 0.5 * rng.normal(size=(len(labels), 12))
    np.save(tmp_path / "embeddings.npy", matrix.astype(np.float32))
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("label",), *((NAMES[k],) for k in labels)])
    overrides = [
        *(
            "dataset=embeddings_file",
            f"dataset.root={tmp_path}",
            "dataset.labels_file=labels.csv",
            "study=test",
            "logger=csv",
        ),
        *("forecast.compositions=0", "subsets=quick", "trainer.threads=1", "completion=class_average"),
        *(f"paths.output_dir={tmp_path}", f"paths.store_dir={tmp_path / 'store'}"),
    ]
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", overrides)
    job = tmp_path / "test" / "jobs" / "a"
    run_job(build(composed), job, settings=composed, overrides=overrides)
    write_report(tmp_path / "test")
    plan = job / "plan-class_average-25pct.csv"
    assert set(read_frame(plan).class_name) == set(NAMES)
    cells = [row["class_name"] for row in csv.DictReader(plan.open(encoding="utf-8"))]
    assert not any(cell[:1] in "=+-@" for cell in cells), "what a spreadsheet would compute"
    for name in ("report.html", "card.md"):
        text = (tmp_path / "test" / name).read_text(encoding="utf-8")
        assert "</script><b>" not in text, name
        assert "猫" in text
    assert r"C:\dir\b\g&lt;0&gt;" in (tmp_path / "test" / "report.html").read_text(encoding="utf-8")
