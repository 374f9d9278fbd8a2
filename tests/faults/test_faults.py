"""What a machine can do to a sweep: afterwards the store is consistent, and repeating the sweep makes it whole."""

import json
import os
import signal
import time

import pytest

from faults.conftest import log, rows
from scar.commands.store_admin import artefacts
from scar.common.files import read_json, write_json
from scar.store.archive import as_folder, pack
from scar.store.artefact import faults

pytestmark = pytest.mark.slow
SWEEP = ["seed=0,1", "completion=scar,random"]


@pytest.fixture(scope="module")
def calm(zygote, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    assert zygote.run(folder, *SWEEP) == 0
    return rows(folder)


def check_whole(zygote, folder, calm):
    """Repeat the sweep without a fault: the rows are those of an undisturbed one, the store is whole."""
    assert zygote.run(folder, *SWEEP) == 0, log(folder)
    assert rows(folder).equals(calm)
    stored = list(artefacts(folder / "outputs" / "store"))
    assert stored
    assert [faults(each.folder, deep=True) for each in stored if faults(each.folder, deep=True)] == []


def statuses(folder):
    return [json.loads(path.read_text()) for path in folder.glob("outputs/s/jobs/*/status.json")]


def test_two_sweeps_at_once_over_one_store_share_the_work(zygote, tmp_path, calm):
    first, second = (zygote.start(tmp_path, *SWEEP, fault=("mostly_slow", 0.02)) for _ in range(2))
    assert zygote.wait(first) == 0, log(tmp_path)
    assert zygote.wait(second) == 0, log(tmp_path)
    assert log(tmp_path).count("finished digits") == 4  # every job ran once
    assert rows(tmp_path).equals(calm)


def test_a_full_disk(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, *SWEEP, fault=("small_files", 20_000)) == 1
    assert "cannot be written to the store" in log(tmp_path)
    assert {record["status"] for record in statuses(tmp_path)} == {"failed"}
    assert not list((tmp_path / "outputs" / "store").glob("*/.*"))
    check_whole(zygote, tmp_path, calm)


def test_a_store_that_became_read_only(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, "seed=0", "completion=scar") == 0
    assert zygote.run(tmp_path, *SWEEP, fault=("read_only", str(tmp_path / "outputs" / "store"))) == 1
    assert log(tmp_path).count("done before") == 1
    assert "Read-only file system" in log(tmp_path)
    assert "paths.store_dir" in log(tmp_path)
    check_whole(zygote, tmp_path, calm)


def test_a_corrupted_byte_in_every_stage(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, "seed=0", "completion=scar") == 0
    victims = {each.folder.parent.name: each.folder for each in artefacts(tmp_path / "outputs" / "store")}
    assert len(victims) >= 7
    for place in victims.values():
        files = [place] if place.is_file() else [path for path in place.iterdir() if path.name != "meta.json"]
        path = max(files, key=lambda p: p.stat().st_size)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    (tmp_path / "outputs" / "s" / "jobs").rename(tmp_path / "outputs" / "s" / "before")
    check_whole(zygote, tmp_path, calm)
    assert log(tmp_path).count("quarantined") >= 6


def test_a_truncated_file_of_rows(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, *SWEEP) == 0
    for path in sorted(tmp_path.glob("outputs/s/jobs/*/rows.parquet"))[:2]:
        path.write_bytes(path.read_bytes()[:-10])
    (tmp_path / "log.txt").unlink()
    check_whole(zygote, tmp_path, calm)
    assert log(tmp_path).count("finished digits") == 2


def test_a_clock_that_goes_back(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, *SWEEP, fault=("clock_back",)) == 0
    assert zygote.run(tmp_path, "probe.learning_rate=0.1,-1", fault=("clock_back",)) == 1
    assert all(record.get("wall_seconds", 0) >= 0 for record in statuses(tmp_path))
    tried = [path.parent for path in tmp_path.glob("outputs/s/jobs/*/status.json")]
    for folder in tried:
        if "probe.learning_rate=" in (folder / "status.json").read_text():
            (folder / "rows.parquet").unlink(missing_ok=True)
    check_whole(zygote, tmp_path, calm)


def test_a_worker_out_of_memory_fails_its_job_and_no_other(zygote, tmp_path, calm):
    (tmp_path / "conf" / "completion").mkdir(parents=True)
    (tmp_path / "conf" / "completion" / "hungry.yaml").write_text("_target_: hungry.Hungry\nname: hungry\n")
    (tmp_path / "hungry.py").write_text(
        "from dataclasses import dataclass\nimport numpy as np\n"
        "from scar.completion.planners import RandomPlanner\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Hungry(RandomPlanner):\n    name: str = 'hungry'\n\n"
        "    def allocate(self, *arguments, **named):\n        return np.ones(4 << 30)\n"
    )
    search = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    sweep = ["seed=0,1", "completion=hungry,scar,random", search]
    assert zygote.run(tmp_path, *sweep, fault=("little_memory", 2 << 30)) == 1
    failed = [record for record in statuses(tmp_path) if record["status"] == "failed"]
    assert len(failed) == 2
    assert all("MemoryError" in record["traceback"] for record in failed)
    check_whole(zygote, tmp_path, calm)


def test_ctrl_c_twice(zygote, tmp_path, calm):
    pid = zygote.start(tmp_path, *SWEEP, fault=("mostly_slow", 0.5))
    for _ in range(600):
        time.sleep(0.05)
        if list(tmp_path.glob("outputs/store/*/" + 32 * "[0-9a-f]")):
            break
    for _ in range(2):
        zygote.kill(pid, signal.SIGINT)
        time.sleep(0.05)
    assert zygote.wait(pid) in (130, 1, -signal.SIGINT)
    check_whole(zygote, tmp_path, calm)


def test_a_cache_of_an_older_schema_is_left_alone_and_made_again(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, "seed=0", "completion=scar") == 0
    for each in artefacts(tmp_path / "outputs" / "store"):
        with as_folder(each.folder) as folder:
            write_json(folder / "meta.json", {**read_json(folder / "meta.json"), "schema": 0})
            if each.folder.is_file():
                pack(folder, each.folder)
    (tmp_path / "outputs" / "s" / "jobs").rename(tmp_path / "outputs" / "s" / "before")
    check_whole(zygote, tmp_path, calm)
    assert "schema 0" in log(tmp_path)


def test_an_environment_without_a_home(zygote, tmp_path, calm):
    homeless = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    assert zygote.run(tmp_path, *SWEEP, "logger.wandb=offline", **homeless) == 0, log(tmp_path)
    assert len(list(tmp_path.glob("outputs/s/jobs/*/wandb/offline-run-*"))) == 4
    assert rows(tmp_path).equals(calm)


@pytest.mark.parametrize("output", ["rich", "json"])
def test_the_reader_of_its_output_goes_away(zygote, tmp_path, calm, output):
    assert zygote.run(tmp_path, *SWEEP, f"output={output}", fault=("broken_output",)) == 0
    assert rows(tmp_path).equals(calm)


def test_few_files_may_be_open_and_nothing_is_taken_for_damaged(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, *SWEEP, fault=("few_files", 24)) in (0, 1)
    check_whole(zygote, tmp_path, calm)
    assert "quarantined" not in log(tmp_path)
    assert "damaged" not in log(tmp_path)


def test_other_things_lie_in_the_places_of_artefacts(zygote, tmp_path, calm):
    assert zygote.run(tmp_path, *SWEEP) == 0
    packed = [each.folder for each in artefacts(tmp_path / "outputs" / "store") if each.folder.is_file()]
    fifo, link, folder = packed[0], packed[len(packed) // 2], packed[-1]
    fifo.unlink()
    os.mkfifo(fifo)
    link.rename(tmp_path / "moved")
    link.symlink_to(tmp_path / "moved")
    folder.unlink()
    folder.mkdir()
    (tmp_path / "outputs" / "s" / "jobs").rename(tmp_path / "before")
    check_whole(zygote, tmp_path, calm)
