"""Two processes give the probes of one, to the last bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def run(tmp_path: Path, *launcher: str, strategy: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    command = [*launcher, str(HERE / "two_processes.py"), strategy, str(tmp_path)]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path, timeout=300)


def same_everywhere(tmp_path: Path, names: list[str]) -> None:
    one = np.load(tmp_path / "one.npz")
    for name in names:
        two = np.load(tmp_path / f"{name}.npz")
        assert set(one) == set(two)
        for key in one:
            np.testing.assert_array_equal(one[key], two[key], err_msg=f"{name}: {key}")


def test_ddp_spawn_gives_the_probes_of_one_process(tmp_path):
    run(tmp_path, sys.executable, strategy="ddp_spawn")
    same_everywhere(tmp_path, ["array", "memory-mapped"])


@pytest.mark.slow
def test_torchrun_gives_the_probes_of_one_process_on_every_rank(tmp_path):
    run(tmp_path, sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", strategy="ddp")
    same_everywhere(tmp_path, ["array-rank0", "array-rank1", "memory-mapped-rank0", "memory-mapped-rank1"])


def test_ddp_without_a_launcher_says_what_to_use():
    from scar.probes import ProbeTask, TrainerConfig, train_probes

    x = np.ones((9, 2), np.float32)
    with pytest.raises(ValueError, match="use trainer.strategy=ddp_spawn"):
        train_probes(
            x, np.zeros(9, np.int64), [ProbeTask(np.arange(5), np.arange(5, 9), 0)], num_classes=2,
            trainer=TrainerConfig(strategy="ddp", devices=2, accelerator="cpu"),
        )  # fmt: skip
