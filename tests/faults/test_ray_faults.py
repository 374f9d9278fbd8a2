"""Sweeps on Ray: the rows of one process, whatever worker or node dies."""

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from faults.conftest import log, rows
from faults.test_ends import descendants, start, statuses, wait_for
from scar.job.record import JobRecord

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'scar-data[ray]'")
pytestmark = pytest.mark.slow
SWEEP = ["seed=0,1", "completion=scar,random"]
DISTURBED = ["seed=0,1", "completion=random,disturbed"]
RAY = ["hydra/launcher=scar_ray", "hydra.launcher.retries=1"]
PLANNER = """
import os, signal, time
from dataclasses import dataclass
from pathlib import Path
from scar.completion.planners import RandomPlanner

@dataclass(frozen=True, kw_only=True)
class Disturbed(RandomPlanner):
    name: str = "disturbed"

    def allocate(self, problem, *arguments, **named):
        place = Path(__file__).parent
        how = (place / "how").read_text()
        if how == "die always" or (how == "die once" and not (place / "died").exists()):
            (place / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "wait":
            (place / f"waiting-{os.getpid()}").touch()
            while not (place / "go").exists():
                time.sleep(0.05)
        return super().allocate(problem, *arguments, **named)
"""


@pytest.fixture(scope="module")
def calm(zygote, tmp_path_factory):
    """The sweep in one process."""
    folder = tmp_path_factory.mktemp("calm")
    assert zygote.run(folder, *SWEEP, "forecast.compositions=0") == 0, log(folder)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a planner that disturbs the sweep, and a home that nothing may be written to."""
    (tmp_path / "conf" / "completion").mkdir(parents=True)
    (tmp_path / "mine.py").write_text(PLANNER)
    (tmp_path / "conf" / "completion" / "disturbed.yaml").write_text("_target_: mine.Disturbed\nname: disturbed\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    before = set(Path("/tmp").glob("scar-ray-*"))
    yield tmp_path
    assert not (tmp_path / "home" / ".ray").exists()
    assert set(Path("/tmp").glob("scar-ray-*")) <= before


def begin(folder, *arguments, how="die once"):
    (folder / "how").write_text(how)
    return start(folder, *arguments, *RAY, "forecast.compositions=0", f"hydra.searchpath=[file://{folder / 'conf'}]")


def run(folder, *arguments, **named):
    return begin(folder, *arguments, **named).wait(timeout=300)


def test_ray_leaves_the_rows_of_one_process_and_runs_nothing_twice(calm, folder):
    assert run(folder, *SWEEP) == 0, log(folder)
    assert rows(folder).equals(rows(calm))
    assert log(folder).count("finished digits") == 4
    assert run(folder, *SWEEP) == 0
    assert log(folder).count("finished digits") == 4
    assert "Warning" not in log(folder)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost_or_doubled(calm, folder):
    assert run(folder, *DISTURBED) == 0, log(folder)
    assert (folder / "died").exists()
    check_whole(folder, calm)


def check_whole(folder, calm):
    """All four jobs are done, none of their rows is there twice, and those of `random` are as they ought to be."""
    assert statuses(folder) == ["done"] * 4
    ours, expected = rows(folder), rows(calm)
    assert not ours.duplicated().any()
    ours, expected = (each[each.completion == "random"].reset_index(drop=True) for each in (ours, expected))
    assert ours.equals(expected)


def test_a_job_that_always_kills_its_worker_fails_alone(folder):
    assert run(folder, *DISTURBED, how="die always") == 1, log(folder)
    assert sorted(statuses(folder)) == ["done", "done", "failed", "failed"]
    failed = [each for each in map(JobRecord, folder.glob("outputs/s/jobs/*")) if each.status() == "failed"]
    assert all("Ray lost its process 2 times" in each.read()["error"] for each in failed)
    assert "2 job(s) failed" in log(folder)


def test_sigterm_ends_the_cluster_and_leaves_records_of_an_interruption(folder):
    process = begin(folder, "seed=0,1", "completion=disturbed", how="wait")
    wait_for(lambda: any(folder.glob("waiting-*")) or process.poll() is not None)
    children = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM, log(folder)
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children), seconds=20)
    assert "interrupted" in statuses(folder)
    assert "running" not in statuses(folder)
    assert "Traceback" not in log(folder)


def test_a_command_may_start_a_cluster_more_than_once(folder):
    code = (
        "import os\nfrom scar.common.ray_cluster import connected\n"
        "for _ in range(2):\n    with connected(None) as ray:\n        print(ray.get(ray.remote(lambda: 'here').remote()))\n"
        "assert not [name for name in os.environ if name.startswith('RAY_AUTH')]\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["here", "here"], ran.stderr


@pytest.fixture
def cluster(monkeypatch):
    """Ray's own test cluster, of two nodes with a core each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # as in this process, which has read its environment
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    place = tempfile.mkdtemp(prefix="scar-ray-")
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False, "temp_dir": place})
    made.second = made.add_node(**node)
    made.wait_for_nodes()
    yield made
    made.shutdown()
    shutil.rmtree(place)


def test_a_node_that_is_lost_takes_no_job_with_it(calm, folder, cluster):
    process = begin(folder, *DISTURBED, f"hydra.launcher.address={cluster.address}", how="wait")
    wait_for(lambda: len(list(folder.glob("waiting-*"))) == 2 or process.poll() is not None)
    assert process.poll() is None, log(folder)
    cluster.remove_node(cluster.second, allow_graceful=False)
    (folder / "go").touch()
    assert process.wait(timeout=300) == 0, log(folder)
    check_whole(folder, calm)
