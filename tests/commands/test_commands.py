"""The commands as a person types them: what they print, how they end, what they leave behind."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = ["dataset=digits", "subsets=quick", "logger=csv", "probe.max_epochs=5", "study=test"]
FORBIDDEN = ("torch", "pytorch_lightning", "timm", "transformers", "pandas")


def scar(*arguments, cwd, module="scar.commands.run", env=None):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "110", **(env or {})}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    result = scar(
        "-m", *LIGHT, "regime=long_tailed", "completion=scar,random,class_average", "seed=range(2)", cwd=folder
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result


def test_a_sweep_ends_in_one_report(sweep):
    folder, result = sweep
    study = folder / "outputs" / "test"
    assert len(list(study.glob("jobs/*/rows.parquet"))) == 6
    assert (study / "report.html").is_file()
    assert "report.html" in result.stdout
    assert "finished" in result.stdout


def test_a_second_sweep_reuses_everything_and_imports_nothing_heavy(sweep, tmp_path):
    folder, _ = sweep
    spy = tmp_path / "sitecustomize.py"
    spy.write_text(
        f"import atexit, sys\natexit.register(lambda: print('HEAVY', [m for m in {FORBIDDEN!r} if m in sys.modules]))\n"
    )
    arguments = ["-m", *LIGHT, "regime=long_tailed", "completion=scar,random,class_average", "seed=range(2)"]
    result = scar(*arguments, cwd=folder, env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("done before") == 6
    assert "HEAVY []" in result.stdout


def test_a_failing_job_does_not_stop_the_others_and_the_command_to_retry_is_printed(tmp_path):
    result = scar("-m", *LIGHT, "probe.learning_rate=0.001,-1", cwd=tmp_path)
    assert result.returncode == 1
    assert "1 job(s) failed" in result.stdout
    assert "probe.learning_rate=-1" in result.stdout
    assert "probe.learning_rate=-1" in result.stderr
    assert len(list(tmp_path.rglob("rows.parquet"))) == 1


def test_failures_in_other_processes_are_counted_and_brackets_survive(tmp_path):
    arguments = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "logger.tags=[/mine]", "seed=0,1"]
    result = scar("-m", "dataset=fashion_mnist", "dataset.root=/nope", "logger=csv", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert "2 job(s) failed" in result.stdout
    assert "[/mine]" in result.stdout
    assert len(list(tmp_path.rglob("status.json"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset=cifar11"], "cifar11"),
        (["encoder=clipp"], "clipp"),
        (["splitt.validation=0.1"], "splitt"),
        (["split.validation=0.9"], "split.validation=0.9"),
        (["labels.kind=multi_label"], "multi_label"),
        (["output=loud"], "output='loud'"),
        (["paths.output_dir=/proc/nowhere"], "paths.output_dir=/proc/nowhere"),
        (["dataset=fashion_mnist", "dataset.root=/nowhere"], "/nowhere"),
    ],
    ids=lambda value: value[0].partition("=")[0] if isinstance(value, list) else "",
)
def test_bad_input_ends_with_a_clear_error_and_nothing_written(tmp_path, arguments, message):
    result = scar(*LIGHT, *arguments, cwd=tmp_path)
    assert result.returncode != 0
    assert message in result.stdout + result.stderr
    assert not list(tmp_path.rglob("rows.parquet"))
    assert not list(tmp_path.rglob("*.npy"))


def test_a_truncated_download_is_named_with_the_cure(tmp_path):
    root = tmp_path / "fashion"
    root.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (root / f"{name}-ubyte.gz").write_bytes(gzip.compress(bytes(4000))[:20])
    result = scar("dataset=fashion_mnist", f"dataset.root={root}", "logger=csv", cwd=tmp_path)
    assert result.returncode == 1
    assert "ubyte.gz" in result.stderr
    assert not list((tmp_path / "outputs" / "store").glob("dataset/*"))


def test_scripts_get_one_json_object_per_event_or_the_path_alone(sweep):
    folder, _ = sweep
    arguments = ["-m", *LIGHT, "regime=long_tailed", "completion=scar,random,class_average", "seed=range(2)"]
    events = [json.loads(line) for line in scar(*arguments, "output=json", cwd=folder).stdout.splitlines()]
    assert [each["event"] for each in events] == [*["job"] * 6, "report", "end"]
    assert {each["status"] for each in events[:6]} == {"done before"}
    assert events[-1] == {"event": "end", "failed": 0, "exit_code": 0}
    assert scar(*arguments, "output=quiet", cwd=folder).stdout == "outputs/test/report.html\n"


def test_help_is_quick_to_read_and_names_the_groups(tmp_path):
    result = scar("--help", cwd=tmp_path)
    assert result.returncode == 0
    assert "completion: " in result.stdout


@pytest.mark.parametrize(("module", "collects"), [("run", True), ("report", False)])
def test_a_command_looks_for_cycles_seldom_and_not_when_it_ends(tmp_path, module, collects):
    script = (
        "import atexit, gc, sys; seldom = lambda: not gc.isenabled() or gc.get_threshold()[0] >= 10_000;"
        "atexit.register(lambda: print(gc.isenabled(), seldom() and gc.get_freeze_count() > 0));"
        f"sys.argv = ['scar', '--help']; from scar.commands.{module} import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(f"{collects} True")


def test_a_planner_from_outside_is_found_through_the_search_path(tmp_path):
    (tmp_path / "conf" / "completion").mkdir(parents=True)
    (tmp_path / "conf" / "completion" / "smallest_first.yaml").write_text(
        "_target_: mine.SmallestFirst\nname: smallest_first\n"
    )
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "import numpy as np\n"
        "from scar.completion.allocation import Allocation\n"
        "from scar.completion.planner import Planner\n\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class SmallestFirst(Planner):\n"
        "    name: str = 'smallest_first'\n\n"
        "    def allocate(self, problem, budget, order):\n"
        "        counts = np.zeros(len(problem.counts), np.int64)\n"
        "        for step in np.argsort(problem.counts):\n"
        "            counts[step] = min(budget - counts.sum(), problem.reserve[step])\n"
        "        return Allocation(counts=counts)\n"
    )
    search = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    arguments = ["-m", *LIGHT, "regime=long_tailed", "completion=smallest_first,random", search]
    result = scar(*arguments, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 0, result.stdout + result.stderr
    assert list(tmp_path.rglob("plan-smallest_first-5pct.csv"))


def test_the_doctor_says_what_is_there(tmp_path):
    result = scar("doctor", cwd=tmp_path, module="scar.commands.admin")
    assert result.returncode == 0
    assert "torch" in result.stdout
    assert "data cache" in result.stdout


def test_the_store_can_be_listed_and_a_broken_artefact_is_found(sweep):
    folder, _ = sweep
    assert scar("store", "verify", cwd=folder, module="scar.commands.admin").returncode == 0
    victim = next(Path(folder, "outputs", "store", "arms").iterdir())
    content = victim.read_bytes()
    victim.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    result = scar("store", "verify", cwd=folder, module="scar.commands.admin")
    victim.write_bytes(content)
    assert result.returncode == 1
    assert str(victim.name) in result.stderr
