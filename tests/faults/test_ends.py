"""How a sweep ends that is told to, and what others may do while it runs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from faults.conftest import TINY, log, rows
from scar.commands.store_admin import artefacts
from scar.job.record import JobRecord
from scar.store.artefact import faults

pytestmark = pytest.mark.slow
SWEEP = ["seed=range(6)", "completion=scar"]


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("a") as file:
        command = [sys.executable, "-m", "scar.commands.run", *TINY, *arguments]
        return subprocess.Popen(command, cwd=folder, env=settings, stdout=file, stderr=file, start_new_session=True)


def statuses(folder: Path) -> list[str]:
    return [json.loads(path.read_text())["status"] for path in folder.glob("outputs/s/jobs/*/status.json")]


def wait_for(condition, seconds: float = 120) -> None:
    for _ in range(int(20 * seconds)):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def descendants(pid: int) -> set[int]:
    try:
        own = {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
    return own.union(*(descendants(each) for each in own))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_to_the_parent_alone_ends_all_and_leaves_records_of_an_interruption(zygote, tmp_path, workers):
    process = start(tmp_path, *SWEEP, f"hydra.launcher.n_jobs={workers}")
    wait_for(lambda: "running" in statuses(tmp_path) or process.poll() is not None)
    children = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM, log(tmp_path)
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children), seconds=10)
    assert "interrupted" in statuses(tmp_path)
    assert "running" not in statuses(tmp_path)
    assert "repeat the command to go on" in log(tmp_path)
    assert "Traceback" not in log(tmp_path)
    assert zygote.run(tmp_path, *SWEEP) == 0, log(tmp_path)
    assert set(statuses(tmp_path)) == {"done"}


def test_prune_in_the_middle_of_a_sweep_removes_nothing_that_it_uses(zygote, tmp_path):
    calm, busy = tmp_path / "calm", tmp_path / "busy"
    assert zygote.run(calm, *SWEEP) == 0
    pid, removed = zygote.start(busy, *SWEEP, fault=("mostly_slow", 0.05)), 0
    prune = [
        sys.executable,
        "-m",
        "scar.commands.admin",
        "store",
        "prune",
        "--unreachable",
        "--older-than",
        "0",
        "--yes",
    ]
    wait_for(lambda: len(statuses(busy)) >= 1)
    used = set()
    for _ in range(4):
        result = subprocess.run(prune, cwd=busy, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stderr
        removed += int(result.stdout.split(" artefacts,")[0].split()[-1])
        for path in busy.glob("outputs/s/jobs/*/status.json"):
            used |= set(JobRecord(path.parent).read().get("uses", []))
        time.sleep(0.5)
    assert zygote.wait(pid) == 0, log(busy)
    assert rows(busy).equals(rows(calm))
    stored = list(artefacts(busy / "outputs" / "store"))
    assert used <= {each.name for each in stored}
    assert not [each for each in stored if faults(each.folder, deep=True)]


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize(("umask", "shared"), [(0o002, True), (0o022, False)])
def test_two_users_of_one_group_share_a_store_if_their_umask_lets_them(umask, shared):
    group, users = 54321, (54331, 54332)
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, 0, group)
    folder.chmod(0o2775)
    code = (  # the libraries are read as root, and the store as the user
        "import os, sys\nuser, group, umask = map(int, sys.argv[2:5])\nos.umask(umask)\n"
        "import numpy as np, rich.console, scar.common.progress\n"
        "from scar.common.console import errors\nfrom scar.store.keys import Key\nfrom scar.store.store import Store\n"
        "errors().print('')\n"
        "os.setgroups([])\nos.setgid(group)\nos.setuid(user)\nstore = Store(sys.argv[1])\n"
        "for digest in sys.argv[5:]:\n"
        "    store.obtain(Key('stage', digest * 16), lambda folder: np.save(folder / 'values.npy', np.arange(3)))\n"
    )
    results = []
    for user, digests in zip(users, (["ab"], ["ab", "ac"]), strict=True):
        command = [sys.executable, "-c", code, str(folder / "store"), *map(str, (user, group, umask)), *digests]
        results.append(subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False))
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    assert results[0].returncode == 0, results[0].stderr
    assert (results[1].returncode == 0) == shared, results[1].stderr
    if not shared:
        assert "umask 002" in results[1].stderr
