"""Killed in the middle of whatever they do, commands leave what their repetition makes whole."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from faults.conftest import log, rows
from faults.test_ends import descendants, start, wait_for
from scar.commands.store_admin import artefacts, leftovers
from scar.common.files import read_json
from scar.reporting.formats._wandb_files import offline_runs, read_run
from scar.store.artefact import faults

pytestmark = pytest.mark.slow
SWEEP = ["seed=0,1", "completion=scar,random"]


@pytest.fixture(scope="module")
def calm(zygote, tmp_path_factory):
    """A folder with an undisturbed sweep."""
    folder = tmp_path_factory.mktemp("calm")
    assert zygote.run(folder, *SWEEP) == 0
    return folder


def check_store(folder):
    stored = list(artefacts(folder / "outputs" / "store"))
    assert stored
    assert not [each.name for each in stored if faults(each.folder, deep=True)]


def test_a_dataset_that_grows_while_its_sweeps_are_killed(zygote, calm, tmp_path):
    """Embeddings of the smaller set are taken over; a kill in the middle costs none of them."""
    grown, draw = "dataset.train_size=500", random.Random(0)
    expected, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    for folder in (expected, disturbed):
        shutil.copytree(calm, folder)
    assert zygote.run(expected, *SWEEP, grown) == 0
    for count in (1, 2, 3, 5, 9):
        assert zygote.run(disturbed, *SWEEP, grown, fault=("kill_before_rename", count)) == -signal.SIGKILL
    for _ in range(3):
        pid = zygote.start(disturbed, *SWEEP, grown)
        time.sleep(draw.uniform(0.3, 1.5))
        zygote.kill(pid)
        assert zygote.wait(pid) in (0, -signal.SIGKILL)
    assert zygote.run(disturbed, *SWEEP, grown) == 0
    found = rows(disturbed)
    assert found.equals(rows(expected))
    assert found[found.subject == "total"].n.max() > rows(calm)[rows(calm).subject == "total"].n.max()
    check_store(disturbed)


def report_files(folder: Path) -> dict[str, bytes]:
    """Return the files of the report of a study, hidden ones too."""
    study = folder / "outputs" / "s"
    return {path.name: path.read_bytes() for path in study.iterdir() if path.is_file() and path.name != "multirun.yaml"}


def test_a_report_that_is_killed_is_the_old_one_or_the_new_one(zygote, calm, tmp_path):
    """Before it is whole, nothing has changed; afterwards the next command finishes it."""
    write = ["study=s", "formats=[svg]", "resamples=100", "details=0"]
    before, after, away = tmp_path / "before", tmp_path / "after", tmp_path / "away"
    shutil.copytree(calm, before)
    (before / "outputs" / "s" / "jobs").rename(away)
    (before / "outputs" / "s" / "jobs").mkdir()
    first, *rest = sorted(away.iterdir())
    shutil.copytree(first, before / "outputs" / "s" / "jobs" / first.name)
    assert zygote.run(before, *write, command="report") == 0, log(before)
    old = report_files(before)
    for job in rest:
        shutil.copytree(job, before / "outputs" / "s" / "jobs" / job.name)
    shutil.copytree(before, after)
    assert zygote.run(after, *write, command="report") == 0, log(after)
    new = report_files(after)
    assert old["report.html"] != new["report.html"]
    for count in (1, 2, len(new) // 2, len(new) + 1):
        shutil.copytree(before, folder := tmp_path / str(count))
        assert zygote.run(folder, *write, fault=("kill_before_rename", count), command="report") == -signal.SIGKILL
        found = {name: content for name, content in report_files(folder).items() if not name.startswith(".")}
        assert not [name for name, content in found.items() if content not in (old.get(name), new.get(name))]
        if count == 1:
            assert found == old
        else:
            assert "report.json" not in found
            assert (folder / "outputs" / "s" / ".report-ready").is_dir()
        assert zygote.run(folder, *write, command="report") == 0, log(folder)
        found = {path.name for path in (folder / "outputs" / "s").iterdir()}
        assert report_files(folder) == {**old, **new}
        assert not [name for name in found if name.startswith(".")]


def test_a_prune_that_is_killed_loses_nothing_that_is_used(zygote, calm, tmp_path):
    prune = ["store", "prune", "--study", "other", "--yes"]
    shutil.copytree(calm, folder := tmp_path / "s")
    assert zygote.run(folder, *SWEEP, "study=other", "dataset.train_size=300") == 0
    for count in (1, 2, 3, 7, 12, 20):
        assert zygote.run(folder, *prune, fault=("kill_before_change", count), command="admin") == -signal.SIGKILL
        check_store(folder)
        assert zygote.run(folder, *SWEEP) == 0
    assert zygote.run(folder, *prune, command="admin") == 0
    assert rows(folder).equals(rows(calm))
    assert not list(leftovers(folder / "outputs" / "store"))
    assert not list((folder / "outputs" / "store" / "locks").iterdir())
    used = {key for path in folder.glob("outputs/s/jobs/*/status.json") for key in read_json(path)["uses"]}
    assert {each.name for each in artefacts(folder / "outputs" / "store")} == used
    (folder / "outputs" / "s" / "jobs").rename(tmp_path / "before")
    assert zygote.run(folder, *SWEEP, "store.policy=only-cache") == 0
    assert rows(folder).equals(rows(calm))


@pytest.fixture
def service(tmp_path_factory, monkeypatch):
    """Return the variable by which a process with a run of its own leaves the service that writes it to its children."""
    import wandb

    wandb.teardown()
    monkeypatch.delenv("WANDB_SERVICE", raising=False)
    silent = wandb.Settings(silent=True, console="off")
    wandb.init(project="other", dir=tmp_path_factory.mktemp("other"), mode="offline", settings=silent).finish()
    yield {"WANDB_SERVICE": os.environ["WANDB_SERVICE"]}
    wandb.teardown()


@pytest.mark.parametrize("inherited", [False, True])
def test_runs_of_weights_and_biases_that_are_killed_are_replaced_and_change_no_row(
    zygote, calm, tmp_path, inherited, request
):
    """The service of a parent holds the runs of its killed children; it is not used."""
    offline, draw = "logger.wandb=offline", random.Random(1)
    environment = request.getfixturevalue("service") if inherited else {}
    for _ in range(3):
        pid = zygote.start(tmp_path, *SWEEP, offline, **environment)
        wait_for(lambda: list(tmp_path.glob("outputs/s/jobs/*/wandb/offline-run-*")))
        time.sleep(draw.uniform(0.0, 1.5))
        zygote.kill(pid)
        assert zygote.wait(pid) == -signal.SIGKILL
    assert zygote.run(tmp_path, *SWEEP, offline, **environment) == 0
    assert rows(tmp_path).equals(rows(calm))
    jobs = list(tmp_path.glob("outputs/s/jobs/*"))
    runs = [[read_run(path) for path in offline_runs(job)] for job in jobs]
    assert [len(each) for each in runs] == [1] * 4, log(tmp_path)
    assert {each.exit_code for (each,) in runs} == {0}
    assert all("objective" in each.summary for (each,) in runs)


def test_a_run_of_weights_and_biases_that_is_killed_keeps_what_it_had(zygote, tmp_path):
    def runs():
        return [read_run(path) for path in offline_runs(tmp_path)]

    live = ["logger.wandb=offline", "logger.live=true"]
    pid = zygote.start(tmp_path, "seed=0", "completion=scar", *live, fault=("mostly_slow", 1.5))
    wait_for(lambda: any(run.history for run in runs()))
    seen = len(runs()[0].history)
    zygote.kill(pid)
    assert zygote.wait(pid) == -signal.SIGKILL
    (crashed,) = runs()
    assert crashed.exit_code != 0
    assert crashed.config["probe"]["max_epochs"] == 2
    assert len(crashed.history) >= seen
    assert any(name.startswith("live/") for name in crashed.history[0])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
@pytest.mark.parametrize("victim", ["a worker", "the parent", "the group"])
def test_a_sweep_over_workers_of_which_some_are_killed(zygote, calm, tmp_path, victim):
    process = start(tmp_path, *SWEEP, "hydra/launcher=scar_local", "hydra.launcher.n_jobs=2")
    wait_for(lambda: list(tmp_path.glob("outputs/store/probes/*")) or process.poll() is not None)
    children = descendants(process.pid)
    if victim == "a worker":
        workers = [pid for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(min(workers), signal.SIGKILL)
        failed = process.wait(timeout=120)  # 0: it died while it made what its jobs share, and they had another turn
        assert failed == ("was ended by SIGKILL" in log(tmp_path)), log(tmp_path)
    else:
        (os.kill if victim == "the parent" else os.killpg)(process.pid, signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children), seconds=60)
    assert zygote.run(tmp_path, *SWEEP) == 0
    assert rows(tmp_path).equals(rows(calm))
    check_store(tmp_path)
