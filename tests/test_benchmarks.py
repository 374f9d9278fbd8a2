"""The benchmarks run; what they measure on a busy machine is not judged."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from experiments.benchmarks.__main__ import SUITES


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_writes_its_table_its_timings_and_its_figure(suite: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.benchmarks", "--quick", "--only", suite, "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table)
    assert (table.value > 0).all()
    assert (tmp_path / "table.png").stat().st_size > 1000
    assert suite == "memory" or (pd.read_csv(tmp_path / "timings.csv").seconds > 0).all()
