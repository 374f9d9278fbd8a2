"""How large a report may become."""

import pytest
from synthetic import write_study

from scar.reporting.study_folder import load_study
from scar.reporting.write import write_report

pytestmark = pytest.mark.slow


def groups(count):
    return [(f"data{index:02d}", "pixels", "image", "natural") for index in range(count)]


def test_forty_rows_and_ten_figures_stay_under_five_megabytes(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1, classes=10, groups=groups(40), strategies=("scar", "random"))
    paths = write_report(folder, resamples=100, details=2, formats=[])
    text = paths["report.html"].read_text()
    assert text.count("<svg ") >= 10
    assert sum(text.count(f"data{index:02d}") > 3 for index in range(40)) == 40
    assert paths["report.html"].stat().st_size < 5_000_000


def test_ten_thousand_rows_make_a_report_of_every_group(tmp_path):
    folder = write_study(tmp_path / "s", seeds=3, classes=10, groups=groups(6))
    assert len(load_study(folder).rows) > 10_000
    text = write_report(folder, resamples=100, details=1, formats=["svg"])["report.html"].read_text()
    assert all(f"data{index:02d}" in text for index in range(6))
