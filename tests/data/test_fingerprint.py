import json
import os
from pathlib import Path

import pytest

from scar.data import fingerprint as module
from scar.data.fingerprint import fingerprint


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "one", tmp_path / "two"]
    for path in paths:
        path.write_bytes(path.name.encode() * 1000)
    return paths


def test_content_and_order_count_but_names_do_not(files: list[Path], tmp_path: Path) -> None:
    original = fingerprint(files)
    moved = [path.rename(tmp_path / f"moved-{path.name}") for path in files]
    assert fingerprint(moved) == original
    assert fingerprint(moved[::-1]) != original
    moved[1].write_bytes(b"x")
    assert fingerprint(moved) != original


def test_an_unchanged_file_is_not_read_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memo = tmp_path / "memo" / "files.json"
    first = fingerprint(files, memo)
    monkeypatch.setattr(module, "checksum", lambda path: pytest.fail(f"{path} was read again"))
    assert fingerprint(files, memo) == first


def test_a_change_that_keeps_size_and_time_is_seen(files: list[Path], tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    first = fingerprint(files, memo)
    before = files[0].stat()
    files[0].write_bytes(b"ONE" * 1000)
    os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fingerprint(files, memo) != first
    assert fingerprint(files, memo) == fingerprint(files)


def test_other_files_stay_in_the_memo_and_a_broken_one_is_made_anew(files: list[Path], tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    memo.write_text("{broken")
    fingerprint(files[:1], memo)
    fingerprint(files[1:], memo)
    assert set(json.loads(memo.read_text())) - {"checksum"} == {str(path) for path in files}


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint([tmp_path / "nowhere"])
