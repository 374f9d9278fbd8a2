"""Care of the store: what may be removed, and what is said before anything is."""

import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from filelock import Timeout

from scar.commands.admin import main
from scar.commands.store_admin import Wanted, artefacts, leftovers, users
from scar.commands.store_admin import prunable as all_prunable
from scar.common.files import write_json
from scar.job.record import JobRecord
from scar.store.keys import Key, make_key
from scar.store.store import Store

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
    (tmp_path / "store" / "quarantine" / f"unused-{'ab' * 16}-0").mkdir(parents=True)
    return tmp_path


def prunable(root, used, *, studies=(), **conditions):
    return all_prunable(root, used, Wanted(studies=frozenset(studies), **conditions))


def record(output, study, job, **content):
    folder = output / study / "jobs" / job
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "status.json", content)
    return folder


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
    assert names(prunable(root, used, unreachable=True, now=later)) == {"unused", "quarantine"}
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
    assert [each.name for each in leftovers(outputs / "store") if "tmp" in each.name] == []
    assert not Store(outputs / "store").has(make_key("first"))


def test_prune_wants_to_know_what_and_where_the_studies_are(outputs, tmp_path, capsys):
    assert run("prune", "--yes", "--store-dir", str(outputs / "store"), "--output-dir", str(outputs)) == 0
    assert capsys.readouterr().out.startswith("0 artefacts")
    (tmp_path / "empty").mkdir()
    place = ["--store-dir", str(outputs / "store"), "--output-dir", str(tmp_path / "empty")]
    assert run("prune", "--unreachable", "--yes", *place) == 1
    assert "everything would be unreachable" in capsys.readouterr().err
    assert len(list(artefacts(outputs / "store"))) == 4


def test_verify_finds_a_flipped_bit_and_repair_moves_it_away(outputs, capsys):
    place = ["--store-dir", str(outputs / "store"), "--output-dir", str(outputs)]
    assert run("verify", *place) == 0
    path = Store(outputs / "store").path(make_key("shared")) / "values.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert run("verify", *place) == 1
    assert "values.npy has another checksum" in capsys.readouterr().err
    assert run("verify", "--repair", *place) == 0
    assert run("verify", *place) == 0
    assert len(list(leftovers(outputs / "store"))) == 2


@pytest.mark.parametrize("left", [0, 100])
def test_repair_moves_an_archive_away_that_ends_early(outputs, left):
    store, key = Store(outputs / "store"), make_key("packed")
    store.load(key, fill, lambda folder: None, packed=True)
    path = store.path(key)
    path.write_bytes(path.read_bytes()[:left])
    place = ["--store-dir", str(outputs / "store"), "--output-dir", str(outputs)]
    assert run("verify", *place) == 1
    assert run("verify", "--repair", *place) == 0
    assert run("verify", *place) == 0
    assert not path.exists()


def test_ls_and_du_count_what_there_is(outputs, capsys):
    assert run("ls", "--store-dir", str(outputs / "store")) == 0
    assert capsys.readouterr().out.count("days") == 4
    assert run("du", "--store-dir", str(outputs / "store")) == 0
    assert "left over" in capsys.readouterr().out
    assert run("du", "--store-dir", str(outputs / "nowhere")) == 1


def test_the_lock_of_a_pruned_artefact_is_that_of_its_maker(tmp_path):
    key = Key("stage", "ab" * 16)
    store = Store(tmp_path)
    with store.claim([key]), pytest.raises(Timeout), store.locked(key, wait=False):
        pass
    assert not list((tmp_path / "locks").iterdir())


@pytest.mark.parametrize("status", ["queued", "running", "failed", "interrupted"])
def test_what_a_job_uses_that_is_not_done_stays_until_it_is_released(outputs, status):
    key, later = make_key("unused"), {"unreachable": True, "now": time.time() + 2 * DAY}
    folder = record(outputs, "third", "0", status="running" if status == "interrupted" else status, uses=[str(key)])
    with JobRecord(folder).alone() if status == "running" else nullcontext():
        assert names(prunable(outputs / "store", users(outputs), **later)) == {"quarantine"}
        released = names(prunable(outputs / "store", users(outputs, failed=True), **later))
    assert released == ({"quarantine", "unused"} if status in ("failed", "interrupted") else {"quarantine"})


def test_a_job_that_does_not_say_what_it_uses_stops_the_search_for_what_is_unused(outputs):
    folder = record(outputs, "third", "0", status="running")
    with JobRecord(folder).alone(), pytest.raises(ValueError, match="does not say what it uses; wait for it"):
        users(outputs, failed=True)
    with pytest.raises(ValueError, match="release it with --failed"):
        users(outputs)
    assert users(outputs, failed=True)


def test_what_somebody_makes_or_has_in_hand_is_not_removed(outputs, capsys):
    store, key = Store(outputs / "store"), make_key("first")
    arguments = ["prune", "--study", "first", "--yes", "--store-dir", str(store.root), "--output-dir", str(outputs)]
    with store.locked(key):
        assert run(*arguments) == 0
    assert "is in use; it stays" in capsys.readouterr().err
    assert store.path(key).is_dir()
    with store.claim([other := Key("stage", "cd" * 16)]), store.writing(other) as folder:
        assert run(*arguments) == 0
        assert folder.is_dir()
        fill(folder)
    assert Store(store.root).has(other)


def test_a_job_that_begins_between_the_list_and_the_removal_keeps_what_it_uses(outputs, monkeypatch):
    key, seen = make_key("first"), []

    def begin(output_dir, **named):
        if seen:
            record(outputs, "third", "0", status="queued", uses=[str(key)])
        seen.append(output_dir)
        return users(output_dir, **named)

    monkeypatch.setattr("scar.commands.store_admin.users", begin)
    assert (
        run("prune", "--study", "first", "--yes", "--store-dir", str(outputs / "store"), "--output-dir", str(outputs))
        == 0
    )
    assert len(seen) == 2
    assert Store(outputs / "store").has(key)


def test_what_a_killed_process_left_goes_with_any_prune_and_unfinished_extractions_of_jobs_stay(outputs):
    root = outputs / "store"
    dead = root / "tmp" / f"stage-{'ef' * 16}-xyz"
    dead.mkdir(parents=True)
    used, unused = (root / "partial" / name for name in ("12" * 16, "34" * 16))
    for folder in (used, unused):
        folder.mkdir(parents=True)
    record(outputs, "third", "0", status="failed", uses=[f"embeddings/{used.name}"])
    assert run("prune", "--yes", "--store-dir", str(root), "--output-dir", str(outputs)) == 0
    assert not dead.exists()
    assert not list((root / "locks").iterdir())
    assert unused.exists()
    found = prunable(root, users(outputs), unreachable=True, now=time.time() + DAY)
    assert [each.folder for each in found if each.name.startswith("partial")] == [unused]


@pytest.mark.parametrize(
    "action", [["prune", "--unreachable", "--older-than", "0", "--yes"], ["verify", "--repair"], ["ls"]]
)
def test_a_folder_that_is_no_store_is_never_touched(tmp_path, action, capsys):
    photo, study = tmp_path / "photos" / "01" / "a.jpg", tmp_path / "photos" / "01" / ("ab" * 16)
    study.mkdir(parents=True)
    photo.write_bytes(b"jpg")
    (study / "b.jpg").write_bytes(b"jpg")
    record(tmp_path, "s", "0", status="done", uses=[])
    assert (
        run(*action, "--store-dir", str(tmp_path), *(["--output-dir", str(tmp_path)] if len(action) > 1 else [])) == 1
    )
    assert "is no store" in capsys.readouterr().err.replace("\n", " ")
    assert photo.exists()
    with pytest.raises(OSError, match="is no store and holds other things"):
        Store(tmp_path).obtain(make_key("first"), fill)
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "s"}


def test_in_a_store_nothing_but_artefacts_with_a_readable_list_is_touched(outputs):
    root = outputs / "store"
    photo = root / "photos" / "01" / "a.jpg"
    stranger = root / "photos" / ("ab" * 16) / "b.jpg"
    for path in (photo, stranger):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"jpg")
    (file := root / "photos" / ("cd" * 16)).write_bytes(b"jpg")
    place = ["--store-dir", str(root), "--output-dir", str(outputs)]
    assert run("verify", "--repair", *place) == 1
    assert run("prune", "--unreachable", "--older-than", "0", "--yes", *place) == 0
    assert photo.exists()
    assert stranger.exists()
    assert file.exists()
    assert not Store(root).path(make_key("unused")).exists()


def test_verify_names_damaged_results(outputs, capsys):
    folder = record(outputs, "first", "1", status="done", uses=[], files={"rows.parquet": {"size": 3, "sha256": "x"}})
    (folder / "rows.parquet").write_bytes(b"abc")
    assert run("verify", "--store-dir", str(outputs / "store"), "--output-dir", str(outputs)) == 1
    said = capsys.readouterr()
    assert "rows.parquet has another checksum" in said.err.replace("\n", " ")
    assert "3 jobs, 1 damaged" in said.out


def test_prune_refuses_a_study_that_is_not_there_and_ages_that_are_none(outputs, capsys):
    place = ["--store-dir", str(outputs / "store"), "--output-dir", str(outputs)]
    assert run("prune", "--study", "frist", *place) == 1
    assert "--study=frist: no such study" in capsys.readouterr().err
    for age in ("nan", "-1"):
        assert run("prune", "--older-than", age, *place) == 1


def test_ls_says_what_cannot_be_read(outputs, capsys):
    Store(outputs / "store").path(make_key("unused")).joinpath("meta.json").write_text("")
    assert run("ls", "--store-dir", str(outputs / "store")) == 0
    said = capsys.readouterr().out
    assert "cannot be read" in said
    assert "nan" not in said
