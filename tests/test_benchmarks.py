"""The benchmarks run; what they measure on a busy machine is not judged."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from experiments.benchmarks.__main__ import SUITES
from experiments.benchmarks.gpu_rows import large_row
from experiments.benchmarks.problem import make_problem
from experiments.benchmarks.waits import scaled, spend


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_writes_its_table_its_timings_and_its_figure(suite: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.benchmarks", "--quick", "--only", suite, "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table)
    if suite == "gpu" and not torch.cuda.is_available():
        assert table.note.str.startswith("not run").all()
        return
    assert (table.value > 0).all()
    assert (tmp_path / "table.png").stat().st_size > 1000
    assert suite == "memory" or (pd.read_csv(tmp_path / "timings.csv").seconds > 0).all()


def test_the_row_of_a_gpu_is_measured_on_whatever_trains_the_probes() -> None:
    row = large_row(make_problem(20_000, 64, 10, (1, 2)), "float32", "cpu", 3)
    assert 0 < row.value < 1000
    assert "100 epochs" in row.note


def test_what_does_not_grow_with_the_jobs_is_not_scaled():
    assert scaled(230.0, 330.0, 1_000, 10_000) == 1_230.0
    assert scaled(230.0, 220.0, 1_000, 10_000) == 230.0


def test_the_memory_of_a_process_is_its_own_and_not_that_of_what_starts_it():
    ours = bytearray(200 << 20)
    ours[:: 1 << 12] = bytes(len(ours) >> 12 or 1)  # every page is touched
    assert spend("none", "nothing", ["-S", "-c", "pass"]).mebibytes < 100
    with pytest.raises(RuntimeError, match="ended with 3:\nsaid"):
        spend("none", "an error", ["-c", "import sys; print('said', flush=True); sys.exit(3)"])
