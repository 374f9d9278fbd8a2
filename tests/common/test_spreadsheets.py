import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.common.spreadsheets import harmless, harmless_frame, plain, read_frame, write_rows


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "'=1"])
def test_what_begins_like_a_formula_is_made_harmless(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    assert plain(harmless(cell)) == cell


@pytest.mark.parametrize("cell", ["cat", "'tis", "-1", "+1.5", "", 7, None, "007", "NA"])
def test_other_cells_stay(cell: object) -> None:
    assert harmless(cell) == cell


@given(st.text())
def test_every_cell_reads_back_as_it_was(cell: str) -> None:
    assert plain(harmless(cell)) == cell


def test_names_are_read_as_they_were_written(tmp_path: Path) -> None:
    names = ["NA", "null", "007", "=1", "nan", "-1", "1.0"]
    frame = pd.DataFrame({"id": names, "class_name": names, "score": [0.5, None, 1, 2, 3, 4, 5]})
    harmless_frame(frame).to_csv(tmp_path / "a.csv", index=False)
    again = read_frame(tmp_path / "a.csv")
    assert again["id"].tolist() == again["class_name"].tolist() == names
    assert again["score"].isna().tolist() == [False, True, *[False] * 5]
    with (tmp_path / "b.csv").open("w", newline="") as file:
        write_rows(file, ["id"], [[name] for name in names])
    with (tmp_path / "b.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)][3] == "'=1"
