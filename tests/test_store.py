import os
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from scar.store import (
    CorruptArtefactError,
    Key,
    MissingArtefactError,
    Store,
    code_version,
    make_key,
    read_json,
    write_json,
)


@dataclass(frozen=True)
class Settings:
    size: int = 3
    workers: int = field(default=1, metadata={"runtime": True})


def write_three(folder: Path) -> None:
    np.save(folder / "values.npy", np.arange(3))


def test_a_key_depends_on_every_part_but_runtime_fields():
    key = make_key("stage", config=Settings(), upstream=["a"])
    assert key == make_key("stage", config=Settings(workers=8), upstream=["a"])
    others = [
        make_key("other", config=Settings(), upstream=["a"]),
        make_key("stage", config=Settings(size=4), upstream=["a"]),
        make_key("stage", config=Settings(), upstream=["b"]),
        make_key("stage", config=Settings(), upstream=["a"], code=["scar.subsets"]),
    ]
    assert len({key, *others}) == 5


def test_comments_and_docstrings_do_not_change_the_version_of_code_but_statements_do(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for index, text in enumerate(("x = 1\n", '"""Doc."""\n# note\nx = 1\n', "x = 2\n")):
        (tmp_path / f"module_{index}.py").write_text(text)
        versions.append(code_version(f"module_{index}"))
    assert versions[0] == versions[1] != versions[2]


def test_an_artefact_is_made_once(tmp_path):
    store, key, calls = Store(tmp_path), Key("stage", "ab" * 16), []

    def make(folder: Path) -> None:
        calls.append(folder)
        write_three(folder)

    first = store.obtain(key, make)
    second = Store(tmp_path).obtain(key, make)
    assert first == second
    assert len(calls) == 1
    assert np.load(first / "values.npy").tolist() == [0, 1, 2]
    assert set(read_json(first / "meta.json")["files"]) == {"values.npy"}


def test_an_interrupted_write_is_a_miss_and_leaves_nothing(tmp_path):
    store, key = Store(tmp_path), Key("stage", "ab" * 16)

    def fail(folder: Path) -> None:
        write_three(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.obtain(key, fail)
    assert not store.has(key)
    assert [p.name for p in tmp_path.rglob("*.npy")] == []
    assert (store.obtain(key, write_three) / "values.npy").is_file()


def test_refresh_makes_anew_once_and_only_cache_makes_nothing(tmp_path):
    key = Key("stage", "ab" * 16)
    with pytest.raises(MissingArtefactError, match="only-cache"):
        Store(tmp_path, policy="only-cache").obtain(key, write_three)
    Store(tmp_path).obtain(key, write_three)
    calls = []
    for _ in range(2):  # two jobs of one sweep: each opens the store
        Store(tmp_path, policy="refresh").obtain(key, calls.append)
    assert len(calls) == 1


def test_an_unknown_policy_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'always'.*reuse"):
        Store(tmp_path, policy="always")


def test_a_store_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"paths\.store"):
        Store(tmp_path / "file" / "store").obtain(Key("stage", "ab" * 16), write_three)


def test_broken_json_is_named(tmp_path):
    path = tmp_path / "meta.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    path.write_text("{")
    with pytest.raises(CorruptArtefactError, match=r"meta\.json"):
        read_json(path)


def _race(root: str, log: str) -> None:
    def make(folder: Path) -> None:
        with Path(log).open("a") as file:
            file.write(f"{os.getpid()}\n")
        write_three(folder)

    Store(root).obtain(Key("stage", "cd" * 16), make)


def test_two_processes_that_need_the_same_artefact_compute_it_once(tmp_path):
    log = tmp_path / "log"
    context = get_context("spawn")
    workers = [context.Process(target=_race, args=(str(tmp_path / "store"), str(log))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(log.read_text().splitlines()) == 1


def test_seconds_of_a_stage_exclude_the_stages_inside_it(tmp_path):
    import time

    store = Store(tmp_path)

    def outer(folder: Path) -> None:
        store.obtain(Key("inner", "12" * 16), lambda _: time.sleep(0.2))

    store.obtain(Key("outer", "34" * 16), outer)
    assert store.seconds["inner"] >= 0.2
    assert store.seconds["outer"] < 0.2


def test_a_truncated_or_missing_file_is_a_miss_and_is_made_again(tmp_path):
    key = Key("stage", "ab" * 16)
    path = Store(tmp_path).obtain(key, write_three) / "values.npy"
    for damage in (
        lambda: path.write_bytes(path.read_bytes()[:-3]),
        path.unlink,
        lambda: (path.parent / "meta.json").write_text("{"),
    ):
        damage()
        assert not Store(tmp_path).has(key)
        assert np.load(Store(tmp_path).obtain(key, write_three) / "values.npy").tolist() == [0, 1, 2]


def test_what_is_published_can_be_read_by_others(tmp_path):
    folder = Store(tmp_path).obtain(Key("stage", "ab" * 16), write_three)
    mask = os.umask(0)
    os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
    write_json(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o666 & ~mask
