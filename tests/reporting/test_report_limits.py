"""How large a report may become, and how long it may take."""

import time

import pytest
from synthetic import write_study

from scar.reporting import write_report
from scar.reporting.study import load_study

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


def seconds(folder):
    start = time.process_time()
    write_report(folder, resamples=100, details=1, formats=["svg"])
    return time.process_time() - start


def test_ten_thousand_rows_take_ten_seconds_and_time_grows_with_the_jobs(tmp_path):
    seconds(write_study(tmp_path / "first", seeds=1))  # imports, fonts
    took, rows = {}, {}
    for count in (2, 6):
        folder = write_study(tmp_path / f"s{count}", seeds=3, classes=10, groups=groups(count))
        took[count], rows[count] = seconds(folder), len(load_study(folder).rows)
    assert rows[6] > 10_000
    assert took[6] < 10
    assert took[6] < (6 / 2) * took[2]
