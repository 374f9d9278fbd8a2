"""Sweeps as a person starts them: launchers, statuses, resuming, several processes per job."""

import json
import os
import subprocess
import sys

import pytest

from scar.job.rows import load_rows

TINY = [
    *("dataset=digits", "encoder=pixels", "regime=long_tailed", "logger=csv", "report=false", "study=s"),
    *("dataset.train_size=400", "dataset.test_size=100", "subsets.factors=[1,2]", "subsets.max_parts=2"),
    *("foundation.estimators=[paper,heldout]", "budgets.fractions=[0.1]", "probe.max_epochs=2"),
]
GRID = ["seed=0,1", "completion=scar,random"]


def run(folder, *arguments, start=(sys.executable,), **environment):
    settings = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    flags = [each for each in arguments if each == "-m"]
    command = [*start, "-m", "scar.commands.run", *flags, *TINY, *(each for each in arguments if each != "-m")]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=300, check=False)


def rows(folder):
    frame = load_rows(folder / "outputs" / "s")
    return frame.sort_values([c for c in frame.columns if c != "flag"], kind="stable").reset_index(drop=True)


def records(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("outputs/s/jobs/*/status.json"))]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The sweep in one process; its jobs trained together."""
    folder = tmp_path_factory.mktemp("calm")
    result = run(folder, "-m", *GRID)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_a_record_says_where_the_result_comes_from(calm):
    record = records(calm)[0]
    assert record["status"] == "done"
    assert record["seeds"].keys() == {"seed", "dataset.seed"}
    assert record["versions"]["torch"]
    assert record["hardware"]["cores"] >= 1
    assert any(line.startswith("seed=") for line in record["overrides"])
    assert set(record["stages"]) >= {
        "dataset",
        "embeddings",
        "split",
        "probes",
        "measures",
        "foundation",
        "plan",
        "arms",
    }
    assert all(stage["seconds"] >= 0 and stage["peak_mib"] > 10 for stage in record["stages"].values())
    assert (calm / "outputs" / "s" / "jobs" / record["job"] / "config.yaml").is_file()
    assert {key.split("/")[0] for key in record["uses"]} == set(record["stages"])


def test_only_what_is_missing_failed_or_changed_runs_again(calm):
    result = run(calm, "-m", "seed=0,1,2", "completion=scar", "probe.learning_rate=1e-3,-1")
    assert result.returncode == 1
    assert result.stdout.count("done before") == 2
    assert result.stdout.count("finished digits") == 1
    assert "3 job(s) failed" in result.stdout
    again = run(calm, "-m", "seed=0,1,2", "completion=scar", "probe.learning_rate=1e-3,-1")
    assert again.stdout.count("done before") == 3
    assert "3 job(s) failed" in again.stdout
    failed = [record for record in records(calm) if record["status"] == "failed"]
    assert len(failed) == 3
    assert "learning_rate=-1" in failed[0]["traceback"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        ["hydra.launcher.n_jobs=2"],
        ["hydra/launcher=basic"],
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"],
    ],
    ids=["two workers", "basic", "joblib", "submitit"],
)
def test_every_launcher_leaves_the_rows_of_one_process(calm, tmp_path, launcher):
    result = run(tmp_path, "-m", *GRID, *launcher)
    assert result.returncode == 0, result.stdout + result.stderr
    ours = rows(calm)
    ours = ours[ours.seed < 2].reset_index(drop=True)
    assert rows(tmp_path).equals(ours)


@pytest.mark.slow
def test_a_worker_that_dies_takes_only_its_job_with_it(tmp_path):
    (tmp_path / "deadly.py").write_text(
        "import os, signal\nfrom dataclasses import dataclass\n"
        "from scar.completion.planners import RandomPlanner\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Deadly(RandomPlanner):\n    name: str = 'deadly'\n\n"
        "    def allocate(self, problem, *arguments, **named):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "conf" / "completion").mkdir(parents=True)
    (tmp_path / "conf" / "completion" / "deadly.yaml").write_text("_target_: deadly.Deadly\nname: deadly\n")
    search = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    result = run(tmp_path, "-m", "completion=random,deadly,scar", "seed=0", "hydra.launcher.n_jobs=2", search)
    assert result.returncode == 1
    assert "1 job(s) failed" in result.stdout
    by_status = {record["status"]: record for record in records(tmp_path)}
    assert "ended by SIGKILL" in by_status["failed"]["error"]
    assert sum(record["status"] == "done" for record in records(tmp_path)) == 2


@pytest.mark.slow
def test_two_processes_in_each_job_of_a_sweep_leave_one_tree(calm, tmp_path):
    """`torchrun` starts both ranks of the whole sweep; `ddp_spawn` starts one inside each training."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611"]
    trainer = ["trainer.accelerator=cpu", "trainer.devices=2", "logger=default"]
    result = run(tmp_path, "-m", *GRID, "trainer=ddp", *trainer, start=torchrun)
    assert result.returncode == 0, result.stdout + result.stderr
    ours = rows(calm)
    ours = ours[ours.seed < 2].reset_index(drop=True)
    assert rows(tmp_path).equals(ours)
    assert result.stdout.count("finished digits") == 4
    assert len(list(tmp_path.glob("outputs/s/jobs/*/wandb/offline-run-*"))) == 4
    spawned = tmp_path / "spawned"
    spawned.mkdir()
    result = run(spawned, "-m", "seed=0", "completion=scar", "trainer=ddp_spawn", *trainer)
    assert result.returncode == 0, result.stdout + result.stderr
    part = ours[(ours.seed == 0) & (ours.completion == "scar")].reset_index(drop=True)
    assert rows(spawned).equals(part)
    assert len(list(spawned.glob("outputs/s/jobs/*/wandb/offline-run-*"))) == 1


@pytest.mark.slow
def test_submitit_with_two_tasks_per_job(calm, tmp_path):
    arguments = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", "hydra.launcher.tasks_per_node=2"]
    arguments += ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    result = run(tmp_path, "-m", "seed=0", "completion=scar", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    ours = rows(calm)
    part = ours[(ours.seed == 0) & (ours.completion == "scar")].reset_index(drop=True)
    assert rows(tmp_path).equals(part)


@pytest.mark.slow
def test_a_search_finds_the_best_settings_and_repeating_it_runs_nothing(tmp_path):
    arguments = ["hparams_search=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.batch_size=3", "study=s"]
    first = run(tmp_path, *arguments)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "best total/balanced_accuracy" in first.stdout
    scores = [record["scores"]["total/balanced_accuracy"] for record in records(tmp_path)]
    best = float(first.stdout.split("best total/balanced_accuracy ")[1].split()[0])
    assert best == pytest.approx(max(scores), rel=1e-4)
    again = run(tmp_path, *arguments)
    assert "finished digits" not in again.stdout
    assert again.stdout.count("done before") == first.stdout.count("finished digits")
