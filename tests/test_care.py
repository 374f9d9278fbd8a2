"""Care of the store: what may be removed, and what is said before anything is."""

import time
from pathlib import Path

import numpy as np
import pytest

from scar.admin import main
from scar.care import artefacts, leftovers, prunable, users
from scar.store import Key, Store, make_key, write_json

DAY = 86_400


def fill(folder: Path) -> None:
    np.save(folder / "values.npy", np.arange(100))


@pytest.fixture
def outputs(tmp_path):
    """Two studies that share one artefact, one artefact that nobody uses, and what a dead process left."""
    store = Store(tmp_path / "store")
    keys = {name: make_key(name) for name in ("shared", "first", "second", "unused")}
    for key in keys.values():
        store.obtain(key, fill)
    for study in ("first", "second"):
        job = tmp_path / study / "jobs" / "0"
        job.mkdir(parents=True)
        write_json(job / "status.json", {"status": "done", "uses": [str(keys["shared"]), str(keys[study])]})
    (tmp_path / "store" / "unused" / "ab" / ".abcdef-left").mkdir(parents=True)
    return tmp_path


def names(found) -> set[str]:
    return {each.name.split("/")[0] for each in found}


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["store", *arguments])
    return end.value.code


def test_every_condition_narrows_what_may_go(outputs):
    root, used, later = outputs / "store", users(outputs), time.time() + 2 * DAY
    assert names(prunable(root, used, studies=["first"])) == {"first"}
    assert names(prunable(root, used, studies=["first", "second"])) == {"first", "second", "shared"}
    assert names(prunable(root, used, unreachable=True, now=later)) == {"unused"}
    assert len(prunable(root, used, unreachable=True, now=later)) == 2  # the artefact, and what was left
    assert not prunable(root, used, unreachable=True)  # younger than an hour: a job may be using it
    assert names(prunable(root, used, older_than=1, now=later)) == {"shared", "first", "second", "unused"}
    assert not prunable(root, used, older_than=3, now=later)
    assert not prunable(root, used, studies=["first"], older_than=3, now=later)
    assert not prunable(root, used, older_than=1, now=time.time() - DAY)  # a clock that went back removes nothing


def test_nothing_is_removed_without_being_asked_twice(outputs, capsys):
    arguments = ["prune", "--study", "first", "--store-dir", str(outputs / "store"), "--output-dir", str(outputs)]
    assert run(*arguments) == 0
    assert "would be removed" in capsys.readouterr().out
    assert len(list(artefacts(outputs / "store"))) == 4
    assert run(*arguments, "--yes") == 0
    assert names(artefacts(outputs / "store")) == {"shared", "second", "unused"}
    assert not [each for each in leftovers(outputs / "store") if ".pruned" in each.name]
    assert not Store(outputs / "store").has(make_key("first"))


def test_prune_wants_to_know_what_and_where_the_studies_are(outputs, tmp_path, capsys):
    assert run("prune", "--store-dir", str(outputs / "store")) == 1
    assert "--unreachable" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    place = ["--store-dir", str(outputs / "store"), "--output-dir", str(tmp_path / "empty")]
    assert run("prune", "--unreachable", "--yes", *place) == 1
    assert "everything would be unreachable" in capsys.readouterr().err
    assert len(list(artefacts(outputs / "store"))) == 4


def test_verify_finds_a_flipped_bit_and_repair_moves_it_away(outputs, capsys):
    place = ["--store-dir", str(outputs / "store")]
    assert run("verify", *place) == 0
    path = Store(outputs / "store").path(make_key("shared")) / "values.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert run("verify", *place) == 1
    assert "values.npy has another checksum" in capsys.readouterr().err
    assert run("verify", "--repair", *place) == 0
    assert run("verify", *place) == 0
    assert names(leftovers(outputs / "store")) == {"quarantine", "unused"}


def test_ls_and_du_count_what_there_is(outputs, capsys):
    assert run("ls", "--store-dir", str(outputs / "store")) == 0
    assert capsys.readouterr().out.count("days") == 4
    assert run("du", "--store-dir", str(outputs / "store")) == 0
    assert "left over" in capsys.readouterr().out
    assert run("du", "--store-dir", str(outputs / "nowhere")) == 1


def test_the_lock_of_a_pruned_artefact_is_that_of_its_maker(tmp_path):
    key = Key("stage", "ab" * 16)
    store = Store(tmp_path)
    with store.claim([key]):
        assert Path(store.locked("stage", key.digest).lock_file) in set((tmp_path / "locks").iterdir())
