"""One zygote for all tests of a worker."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

TESTS = Path(__file__).parents[1]
TINY = [
    *("-m", "dataset=digits", "encoder=pixels", "regime=long_tailed", "logger=csv", "report=false", "study=s"),
    *("dataset.train_size=400", "dataset.test_size=100", "subsets.factors=[1,2]", "subsets.max_parts=2"),
    *("foundation.estimators=[paper,heldout]", "budgets.fractions=[0.1]", "probe.max_epochs=2", "trainer.threads=1"),
]


class Zygote:
    """Starts sweeps, kills them, and says how they ended."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        }
        command = [sys.executable, "-m", "faults.zygote"]
        self.process = subprocess.Popen(
            command, cwd=TESTS, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, command: dict) -> dict:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, folder: Path, *arguments: str, fault=("none",), command="run", **environment: str) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        given = [*TINY, *arguments] if command == "run" else [*arguments]
        started = {"start": given, "command": command, "folder": str(folder), "fault": list(fault)}
        return self._ask({**started, "environment": environment})["pid"]

    def wait(self, pid: int) -> int:
        return self._ask({"wait": pid})["code"]

    def run(self, folder: Path, *arguments: str, fault=("none",), command="run", **environment: str) -> int:
        return self.wait(self.start(folder, *arguments, fault=fault, command=command, **environment))

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        os.killpg(pid, number)


@pytest.fixture(scope="session")
def zygote():
    made = Zygote()
    yield made
    made.process.stdin.close()
    made.process.wait(timeout=30)


def rows(folder: Path) -> pd.DataFrame:
    """Return the rows of a study without what may differ between two runs of it."""
    from scar.job.rows import load_rows

    frame = load_rows(folder / "outputs" / "s")
    return frame.sort_values([c for c in frame.columns if c != "flag"], kind="stable").reset_index(drop=True)


def log(folder: Path) -> str:
    return (folder / "log.txt").read_text()
