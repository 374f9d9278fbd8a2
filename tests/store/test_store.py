import os
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from scar.common.files import CorruptArtefactError, checksum, read_json, write_json
from scar.sampling.subsets import draw_subsets
from scar.store.keys import Key, make_key
from scar.store.store import MissingArtefactError, Store, StoreWriteError


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
        make_key("stage", config=Settings(), upstream=["a"], code=[draw_subsets]),
    ]
    assert len({key, *others}) == 5


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
    path.write_text(path.read_text().replace("1,", "2,"))
    with pytest.raises(CorruptArtefactError, match=r"meta\.json has another checksum"):
        read_json(path)
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


KEY = Key("stage", "ab" * 16)


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_a_flipped_bit_is_found_the_artefact_named_kept_aside_and_made_again(tmp_path, capsys):
    path = Store(tmp_path).obtain(KEY, write_three) / "values.npy"
    flip(path)
    assert np.load(Store(tmp_path).obtain(KEY, write_three) / "values.npy").tolist() == [0, 1, 2]
    assert f"quarantined {KEY}: values.npy has another checksum" in capsys.readouterr().err
    assert (tmp_path / "quarantine" / f"stage-{KEY.digest}-0" / "values.npy").is_file()


def test_a_large_artefact_is_compared_when_it_is_read_and_on_demand_when_it_is_looked_for(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("scar.store.store.CHECKED", 0)
    path = Store(tmp_path).obtain(KEY, write_three) / "values.npy"
    flip(path)
    assert Store(tmp_path).has(KEY)
    assert not Store(tmp_path, verify=True).has(KEY)

    def read(folder: Path) -> list[int]:
        return np.load(folder / "values.npy").tolist()

    with pytest.raises(CorruptArtefactError, match="another checksum"):
        Store(tmp_path, policy="only-cache").load(KEY, write_three, read)
    assert Store(tmp_path).load(KEY, write_three, read) == [0, 1, 2]
    assert "values.npy has another checksum" in capsys.readouterr().err
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_an_artefact_is_compared_once_while_its_files_stay(tmp_path, monkeypatch):
    Store(tmp_path).obtain(KEY, write_three)
    read = []
    monkeypatch.setattr("scar.common.files.checksum", lambda path: read.append(path) or checksum(path))
    for _ in range(3):
        assert Store(tmp_path).load(KEY, write_three, lambda folder: np.load(folder / "values.npy")).tolist() == [
            0,
            1,
            2,
        ]
    assert len(read) == 1
    flip(Store(tmp_path).path(KEY) / "values.npy")
    assert not Store(tmp_path).is_sound(KEY)
    assert not Store(tmp_path).path(KEY).exists()


def test_a_reader_that_fails_on_what_was_just_made_is_not_obeyed(tmp_path):
    def refuse(folder: Path) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Store(tmp_path).load(KEY, write_three, refuse)
    assert Store(tmp_path).has(KEY)


def forge(folder: Path, name: str, target: Path) -> None:
    """Let the list of an artefact name another file, with its true size and checksum."""
    meta = read_json(folder / "meta.json")
    meta["files"][name] = {"sha256": checksum(target), "size": target.stat().st_size}
    write_json(folder / "meta.json", meta)


@pytest.mark.parametrize("attack", ["traversal", "absolute", "link", "linked folder", "extra file"])
def test_what_leads_out_of_the_store_is_refused(tmp_path, attack):
    outside = tmp_path / "secret"
    outside.mkdir()
    np.save(outside / "values.npy", np.arange(9))
    store = tmp_path / "store"
    folder = Store(store).obtain(KEY, write_three)
    if attack == "traversal":
        forge(folder, "../../../../secret/values.npy", outside / "values.npy")
    elif attack == "absolute":
        forge(folder, str(outside / "values.npy"), outside / "values.npy")
    elif attack == "link":
        (folder / "values.npy").unlink()
        (folder / "values.npy").symlink_to(outside / "values.npy")
        forge(folder, "values.npy", outside / "values.npy")
    elif attack == "linked folder":
        folder.rename(tmp_path / "moved")
        folder.symlink_to(tmp_path / "moved")
    else:
        np.save(folder / "more.npy", np.arange(4))
    assert not Store(store).has(KEY)
    made = Store(store).obtain(KEY, write_three)
    assert np.load(made / "values.npy").tolist() == [0, 1, 2]
    assert not made.is_symlink()
    assert np.load(outside / "values.npy").tolist() == list(range(9))


def test_a_pickle_in_the_place_of_an_array_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    folder = Store(tmp_path / "store").obtain(KEY, write_three)
    np.save(folder / "values.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    forge(folder, "values.npy", folder / "values.npy")

    def read(folder: Path) -> np.ndarray:
        return np.load(folder / "values.npy", allow_pickle=False)

    assert Store(tmp_path / "store").load(KEY, write_three, read).tolist() == [0, 1, 2]
    assert not (tmp_path / "exploded").exists()


def test_an_artefact_of_an_older_schema_is_no_artefact(tmp_path):
    folder = Store(tmp_path).obtain(KEY, write_three)
    meta = read_json(folder / "meta.json")
    write_json(folder / "meta.json", {**meta, "schema": 0})
    assert not Store(tmp_path).has(KEY)
    assert Store(tmp_path).obtain(KEY, write_three)
    assert Store(tmp_path).has(KEY)


def test_a_full_disk_names_the_artefact_and_leaves_the_store_as_it_was(tmp_path):
    other = Key("stage", "cd" * 16)
    Store(tmp_path).obtain(other, write_three)

    def fill(folder: Path) -> None:
        write_three(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreWriteError, match=rf"No space left on device: {KEY} cannot be written to the store"):
        Store(tmp_path).obtain(KEY, fill)
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    assert Store(tmp_path).has(other)
    assert Store(tmp_path).obtain(KEY, write_three)


def test_a_short_write_of_numpy_is_a_full_disk(tmp_path):
    def fill(folder: Path) -> None:
        raise OSError("115008 requested and 102368 written")

    with pytest.raises(StoreWriteError, match=rf"No space left on device: {KEY} cannot be written.*paths\.store_dir"):
        Store(tmp_path).obtain(KEY, fill)


def test_a_store_that_may_not_be_written_can_be_read(tmp_path, monkeypatch):
    Store(tmp_path).obtain(KEY, write_three)

    def refuse(self, *arguments, **named):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert Store(tmp_path).obtain(KEY, write_three)
    with pytest.raises(StoreWriteError, match=r"Read-only.*paths\.store_dir"):
        Store(tmp_path).obtain(Key("stage", "cd" * 16), write_three)


def _hold(root: str, ready) -> None:
    with Store(root).claim([KEY]):
        ready.set()
        import time

        time.sleep(60)


def test_the_lock_of_a_holder_that_was_killed_is_free(tmp_path):
    context = get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), ready))
    holder.start()
    assert ready.wait(30)
    holder.kill()
    holder.join()
    assert list((tmp_path / "locks").iterdir())
    assert Store(tmp_path).obtain(KEY, write_three)


def test_an_artefact_knows_what_it_cost(tmp_path):
    import time

    store = Store(tmp_path)
    inner, outer = make_key("inner"), make_key("outer", upstream=[make_key("inner")])

    def make(folder: Path) -> None:
        store.obtain(inner, lambda _: time.sleep(0.2))
        time.sleep(0.1)

    store.obtain(outer, make)
    costs = Store(tmp_path).costs([inner, outer])
    assert costs["inner"]["seconds"] >= 0.2
    assert 0.1 <= costs["outer"]["seconds"] < 0.2
    assert costs["outer"]["peak_mib"] > 10
    assert costs["outer"]["made_here"] == 0
    assert store.costs([outer])["outer"]["made_here"] == 1


def test_the_peak_of_a_stage_holds_that_of_the_stages_inside_it():
    from scar.common.memory import peak_memory

    with peak_memory() as outer:
        with peak_memory() as inner:
            block = bytearray(80 << 20)
            del block
            seen = inner()
        assert outer() >= seen
    with peak_memory() as later:
        assert later() > 0
