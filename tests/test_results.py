import numpy as np
import pandas as pd
import pytest

from scar.results import COLUMNS, Rows, arm_name, load_rows, write_frame


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


def test_rows_survive_the_disk_and_are_joined_over_jobs(rows, tmp_path):
    for job in ("a", "b"):
        folder = tmp_path / "jobs" / job
        folder.mkdir(parents=True)
        write_frame(rows.frame(), folder / "rows.parquet")
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
