import numpy as np
import pandas as pd
import pytest

from scar.completion.forecast import FORECASTS
from scar.evaluation.label_scores import EVERY_SCORE
from scar.job.metrics import Metric
from scar.job.rows import COLUMNS, Rows, arm_name, load_rows, read_frame, write_rows
from scar.measures.steps import MEASURES
from scar.pairs.retrieval import DEPTHS
from scar.sampling.indicators import dataset_indicators


@pytest.fixture
def rows():
    rows = Rows(study="s", job="j", dataset="d", encoder="e", seed=3, completion="scar")
    rows.add("accuracy", 0.5, stage="evaluation", subject="primary", n=10)
    rows.add_classes(
        "need", [1.0, np.nan], ("cat", "dog"), stage="foundation", low=[0.5, np.nan], flag=["", "undefined"]
    )
    return rows


def test_rows_have_every_column_with_one_type(rows):
    frame = rows.frame()
    assert tuple(frame.columns) == COLUMNS
    assert frame.class_id.dtype == "Int64"
    assert frame.value.dtype == float
    assert frame.class_name.tolist() == ["", "cat", "dog"]
    assert frame.flag.tolist() == ["", "", "undefined"]
    assert frame.seed.tolist() == [3, 3, 3]


def test_an_unknown_column_is_refused_by_name(rows):
    with pytest.raises(ValueError, match="'colour'"):
        rows.add("accuracy", 1.0, colour="red")


def test_a_metric_that_is_not_registered_is_refused_with_the_way_out(rows):
    with pytest.raises(
        ValueError, match=r"metric='colour' is not registered: declare it in scar\.job\.metrics\.Metric"
    ):
        rows.add("colour", 1.0)
    rows.add("left_skew@5%", 0.5)
    assert rows.frame().metric.tolist()[-1] == "left_skew@5%"


def test_what_the_lower_rooms_measure_is_registered_and_shown_somewhere():
    forecasts = [f"expected_{name}" for name in FORECASTS]
    recalls = [f"{prefix}recall_at_{depth}" for prefix in ("", "mapped_") for depth in DEPTHS]
    for name in (*EVERY_SCORE, *MEASURES, *forecasts, *recalls, *dataset_indicators([0, 0, 1])):
        assert name.startswith(Metric.of(name))
    assert Metric.of_table("table2b") == EVERY_SCORE
    assert Metric.of_table("table2a")[:4] == MEASURES


def test_rows_survive_the_disk_and_are_joined_over_jobs(rows, tmp_path):
    for job in ("a", "b"):
        folder = tmp_path / "jobs" / job
        folder.mkdir(parents=True)
        write_rows(rows, folder / "rows.parquet")
    frame = load_rows(tmp_path)
    pd.testing.assert_frame_equal(frame.iloc[:3].reset_index(drop=True), rows.frame())
    assert len(frame) == 6
    assert [p.name for p in tmp_path.rglob(".*")] == []


def test_a_study_without_finished_jobs_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished job"):
        load_rows(tmp_path)


def test_arms_are_named_by_subject_and_budget():
    assert arm_name("primary") == "primary"
    assert arm_name("scar", 0.1) == "scar@0.1"


def test_classes_are_stored_in_one_row_and_read_as_a_row_each(tmp_path):
    rows = Rows(study="s", job="j", dataset="d", encoder="e", seed=3, completion="scar")
    rows.add("accuracy", 0.5, stage="evaluation", subject="primary", n=10)
    names = tuple(f"c{k}" for k in range(200))
    low = np.arange(200) / 2
    flags = ["", "met"] * 100
    rows.add_classes("need", np.arange(200), names, stage="foundation", low=low, flag=flags)
    rows.add("accuracy", 0.7, stage="evaluation", subject="total", n=20)
    rows.add_classes("added", [4, 6], names, classes=[7, 199], stage="plan", fraction=0.1)
    rows.add_classes("added", [], names, classes=[], stage="plan", fraction=0.2)
    write_rows(rows, tmp_path / "rows.parquet")
    stored = pd.read_parquet(tmp_path / "rows.parquet")
    assert stored.metric.tolist() == ["accuracy", "need", "accuracy", "added"]
    assert stored.value.tolist()[::2] == [0.5, 0.7]
    assert stored["values"][3].tolist() == [4.0, 6.0]
    apart = stored.explode(["class_names", "values"])  # as experiments/guides/dashboards.md says
    assert apart[apart.metric == "need"]["values"].tolist() == list(range(200))
    assert apart[apart.metric == "accuracy"].value.tolist() == [0.5, 0.7]
    frame = read_frame(tmp_path / "rows.parquet")
    assert frame.metric.tolist() == ["accuracy", *["need"] * 200, "accuracy", *["added"] * 2]
    needs = frame[frame.metric == "need"]
    assert needs.value.tolist() == list(range(200))
    assert needs.low.tolist() == low.tolist()
    assert needs.high.isna().all()
    assert needs.flag.tolist() == flags
    assert needs.class_name.tolist() == list(names)
    added = frame[frame.metric == "added"]
    assert added.class_id.tolist() == [7, 199]
    assert added.class_name.tolist() == ["c7", "c199"]
    pd.testing.assert_frame_equal(frame, rows.frame(), check_dtype=False)
    assert tuple(frame.columns) == COLUMNS
