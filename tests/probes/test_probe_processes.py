"""Two processes give the probes of one, to the last bit."""

import mmap
import os
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
from two_processes import train

from scar.probes.probe_set import ProbeTask
from scar.probes.settings import TrainerConfig
from scar.probes.train import train_probes

HERE = Path(__file__).parent


def check(tmp_path: Path, *launcher: str, strategy: str, ranks: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, *launcher, str(HERE / "two_processes.py"), strategy, str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pytorch_lightning" not in done.stderr
    one = train(TrainerConfig(accelerator="cpu", threads=1))
    assert len(list(tmp_path.iterdir())) == ranks
    for rank in range(ranks):
        with np.load(tmp_path / f"rank{rank}.npz") as two:
            assert "weights" in two
            for name in two:
                np.testing.assert_array_equal(getattr(one, name), two[name], err_msg=f"rank {rank}: {name}")


def test_ddp_spawn_gives_the_probes_of_one_process(tmp_path):
    check(tmp_path, strategy="ddp_spawn", ranks=1)


@pytest.mark.slow
def test_torchrun_gives_the_probes_of_one_process_on_every_rank(tmp_path):
    check(tmp_path, "-m", "torch.distributed.run", "--nproc-per-node=2", strategy="ddp", ranks=2)


def test_memory_mapped_features_travel_as_their_file(tmp_path):
    from scar.probes._shared_features import Features

    array = np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32)
    np.save(tmp_path / "x.npy", array)
    pickled = ForkingPickler.dumps(Features(np.load(tmp_path / "x.npy", mmap_mode="r")))
    assert len(pickled) < 1000
    copied = ForkingPickler.loads(pickled)
    assert isinstance(copied.array.base, mmap.mmap)
    np.testing.assert_array_equal(copied.array, array)


def test_ddp_without_a_launcher_says_what_to_use():
    x, y = np.ones((9, 2), np.float32), np.zeros(9, np.int64)
    trainer = TrainerConfig(strategy="ddp", devices=2, accelerator="cpu")
    with pytest.raises(ValueError, match=r"use trainer\.strategy=ddp_spawn"):
        train_probes(x, y, [ProbeTask(np.arange(5), np.arange(5, 9), 0)], num_classes=2, trainer=trainer)
