"""Small artefacts that lie in one file."""

import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scar.common.files import CorruptArtefactError, checksum, write_json
from scar.store.archive import as_folder, contents, pack
from scar.store.artefact import META, faults, read_meta
from scar.store.keys import Key
from scar.store.store import CHECKED, MissingArtefactError, Store

KEY = Key("stage", "ab" * 16)
VALUES = np.random.default_rng(0).normal(size=64)


def write(folder: Path) -> None:
    np.save(folder / "values.npy", VALUES)
    (folder / "deep").mkdir()
    (folder / "deep" / "note.txt").write_text("note")


def read(folder: Path) -> tuple[list[float], str]:
    return np.load(folder / "values.npy").tolist(), (folder / "deep" / "note.txt").read_text()


EXPECTED = (VALUES.tolist(), "note")


def test_a_small_artefact_is_one_file_without_a_lock_beside_it(tmp_path):
    assert Store(tmp_path).load(KEY, write, read, packed=True) == EXPECTED
    assert Store(tmp_path, policy="only-cache").load(KEY, write, read, packed=True) == EXPECTED
    assert Store(tmp_path).path(KEY).is_file()
    assert not faults(Store(tmp_path).path(KEY), deep=True)
    assert set(read_meta(Store(tmp_path).path(KEY))["files"]) == {"values.npy", "deep/note.txt"}
    assert not list((tmp_path / "tmp").iterdir())
    assert not list((tmp_path / "locks").iterdir())
    with pytest.raises(MissingArtefactError):
        Store(tmp_path, policy="only-cache").load(Key("stage", "cd" * 16), write, read, packed=True)


def test_a_large_artefact_stays_a_folder(tmp_path):
    def make(folder: Path) -> None:
        np.save(folder / "values.npy", np.zeros(CHECKED, np.uint8))

    size = Store(tmp_path).load(KEY, make, lambda folder: np.load(folder / "values.npy").size, packed=True)
    assert size == CHECKED
    assert Store(tmp_path).path(KEY).is_dir()


def test_an_archive_is_refreshed(tmp_path):
    for policy in ("reuse", "refresh"):
        Store(tmp_path, policy=policy).load(KEY, write, read, packed=True)
    assert [path.name for path in tmp_path.glob("*/*")] == [KEY.digest]


def test_no_flipped_bit_of_an_archive_is_read_in_silence(tmp_path, capsys):
    Store(tmp_path).load(KEY, write, read, packed=True)
    path, draw, found = Store(tmp_path).path(KEY), random.Random(0), 0
    whole = path.read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        found += bool(faults(path, deep=True))
        assert Store(tmp_path).load(KEY, write, read, packed=True) == EXPECTED
    assert found > 200  # the others changed a date or a right of access that nobody looks at
    assert capsys.readouterr().err.count("quarantined") == found == len(list((tmp_path / "quarantine").iterdir()))


@pytest.mark.parametrize("damage", [lambda whole: whole[:-30], lambda whole: b"", lambda whole: b"PK" * 40])
def test_a_truncated_archive_is_a_miss(tmp_path, damage):
    Store(tmp_path).load(KEY, write, read, packed=True)
    path = Store(tmp_path).path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert not Store(tmp_path).has(KEY)
    assert Store(tmp_path).load(KEY, write, read, packed=True) == EXPECTED


@pytest.mark.parametrize("name", ["../escaped.txt", "/escaped.txt", "a\\b.txt"])
def test_an_archive_whose_names_leave_its_folder_is_never_unpacked(tmp_path, name):
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"escaped")
    with pytest.raises(CorruptArtefactError, match="holds what no artefact holds"), as_folder(path):
        pass


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 20))
    with pytest.raises(CorruptArtefactError, match="holds what no artefact holds"):
        contents(path)


def test_a_file_that_was_not_published_makes_an_archive_broken(tmp_path):
    Store(tmp_path).load(KEY, write, read, packed=True)
    path = Store(tmp_path).path(KEY)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", b"more")
    assert faults(path, deep=False) == ["more.npy is missing, has another size, or was not published"]


def test_an_archive_of_another_key_is_no_artefact(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder)
    files = {"values.npy": {"sha256": checksum(folder / "values.npy"), "size": (folder / "values.npy").stat().st_size}}
    write_json(folder / META, {"key": "stage/other", "schema": 2, "files": files})
    (tmp_path / "stage").mkdir()
    pack(folder, place := tmp_path / "stage" / KEY.digest)
    assert "belongs to stage/other" in faults(place, deep=False)[0]
