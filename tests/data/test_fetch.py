import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scar.data import fetch
from scar.data.fetch import FetchError, Origin, locate, obtain
from scar.data.package_origins import debian_package, npm_package
from scar.data.paths import data_folder


def good(name: str = "good") -> Origin:
    return Origin(name, lambda folder: _write(folder, "a", "b"))


def _write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(name)


def _fail(folder: Path) -> None:
    _write(folder, "a")
    raise OSError("no route to host")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_the_first_origin_that_delivers_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    never = Origin("never", lambda folder: pytest.fail("asked although the files were there"))
    paths = obtain(tmp_path / "x", ["a", "b"], [Origin("bad", _fail), good(), never], dataset="x")
    assert [path.read_text() for path in paths] == ["a", "b"]
    assert "fetching a, b from good" in caplog.text
    assert obtain(tmp_path / "x", ["a", "b"], [never], dataset="x") == paths


def test_a_failure_names_what_was_tried_and_leaves_nothing(tmp_path: Path) -> None:
    short = Origin("short", lambda folder: _write(folder, "a"))
    with pytest.raises(FetchError) as error:
        obtain(tmp_path / "x", ["a", "b"], [Origin("bad", _fail), short], dataset="clothes")
    message = str(error.value)
    assert "clothes: a, b not found in" in message
    assert "bad: no route to host" in message
    assert "short: delivered no b" in message
    assert "dataset.root" in message
    assert "paths.data_dir" in message
    assert _names(tmp_path / "x") == []


def test_two_processes_fetch_once(tmp_path: Path) -> None:
    calls = []

    def slow(folder: Path) -> None:
        calls.append(1)
        time.sleep(0.2)
        _write(folder, "a", "b")

    def ask(_: int) -> list[Path]:
        return obtain(tmp_path / "x", ["a", "b"], [Origin("slow", slow)], dataset="x")

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ask, range(4)))
    assert len(calls) == 1
    assert all(result == results[0] for result in results)


def test_a_lock_that_is_never_freed_ends_in_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(fetch, "LOCK_SECONDS", 0.1)
    (tmp_path / "x").mkdir()
    with FileLock(tmp_path / "x" / ".lock"), pytest.raises(FetchError, match="locked by another process"):
        obtain(tmp_path / "x", ["a"], [good()], dataset="x")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write to .*file.*paths\.data_dir"):
        obtain(tmp_path / "file" / "x", ["a"], [good()], dataset="x")


def test_files_count_only_when_all_are_there(tmp_path: Path) -> None:
    _write(tmp_path, "a.gz")
    assert locate([tmp_path], ["a.gz", "b.gz"]) is None
    _write(tmp_path, "b")
    assert locate([tmp_path / "no", tmp_path], ["a.gz", "b.gz"]) == [tmp_path / "a.gz", tmp_path / "b"]


def test_the_data_folder_follows_argument_then_environment_then_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_DATA", "/from/environment")
    assert data_folder("/given") == Path("/given")
    assert data_folder() == Path("/from/environment")
    monkeypatch.delenv("SCAR_DATA")
    assert data_folder().parts[-2:] == ("scar", "data")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put an apt-get of one's own, and a dpkg that unpacks its argument's lines, first on the path."""

    def install(apt: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        unpack = 'mkdir -p "$3/usr/share/words"; cp "$2" "$3/usr/share/words/a"'
        for name, body in (("apt-get", apt), ("dpkg", unpack)):
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return install


def _from_debian(tmp_path: Path) -> list[Path]:
    return obtain(tmp_path / "x", ["a"], [debian_package("words", "usr/share/words")], dataset="x")


def test_a_debian_package_is_unpacked_without_root(tmp_path: Path, tools: Callable[[str], None]) -> None:
    tools("echo content > words_1.0_all.deb")
    assert _from_debian(tmp_path)[0].read_text() == "content\n"
    assert _names(tmp_path / "x") == ["a"]


def test_absent_package_lists_are_fetched_privately(tmp_path: Path, tools: Callable[[str], None]) -> None:
    tools(
        """case "$*" in
        *Dir::State::lists=*update) : > lists;;
        *Dir::State::lists=*download*) test -e lists && echo private > words_1.0_all.deb;;
        *) echo 'E: Unable to locate package words' >&2; exit 100;;
        esac"""
    )
    assert _from_debian(tmp_path)[0].read_text() == "private\n"


def test_an_unknown_package_is_reported_with_the_cure(tmp_path: Path, tools: Callable[[str], None]) -> None:
    tools("echo 'E: Unable to locate package words' >&2; exit 100")
    with pytest.raises(FetchError, match=r"Unable to locate package words.*apt-get update"):
        _from_debian(tmp_path)


def test_a_tool_that_hangs_is_stopped(
    tmp_path: Path, tools: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools("exec sleep 30")
    monkeypatch.setattr("scar.data.package_origins._DOWNLOAD_SECONDS", 0.2)
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"did not finish within 0\.2 s"):
        _from_debian(tmp_path)
    assert time.monotonic() - start < 10


def test_a_system_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="apt-get is not on this system"):
        _from_debian(tmp_path)


def test_a_whole_folder_may_be_fetched(tmp_path: Path) -> None:
    def deliver(folder: Path) -> None:
        (folder / "@scope" / "x").mkdir(parents=True)
        _write(folder / "@scope" / "x", "a", "b")

    (fetched,) = obtain(tmp_path / "all", ["@scope/x"], [Origin("folder", deliver)], dataset="x")
    assert fetched == tmp_path / "all" / "@scope" / "x"
    assert _names(fetched) == ["a", "b"]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put an npm of one's own first on the path."""

    def install(body: str) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "npm").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    return install


def _from_npm(tmp_path: Path) -> Path:
    origin = npm_package("@scope/words", "1.2.3", lambda name: name.endswith(".txt"))
    return obtain(tmp_path / "x", ["@scope/words"], [origin], dataset="x")[0]


def test_the_wanted_files_of_an_npm_package_lie_as_in_node_modules(tmp_path: Path, npm: Callable[[str], None]) -> None:
    npm(
        """echo "$@" > ../asked
        mkdir -p package/deep; echo one > package/a.txt; echo two > package/deep/b.txt; echo no > package/c.png
        tar czf scope-words-1.2.3.tgz package; rm -r package; cp ../asked %s"""
        % (tmp_path / "asked")
    )
    folder = _from_npm(tmp_path)
    assert folder == tmp_path / "x" / "@scope" / "words"
    assert (folder / "deep" / "b.txt").read_text() == "two\n"
    assert sorted(path.name for path in folder.rglob("*.*")) == ["a.txt", "b.txt"]
    assert "pack @scope/words@1.2.3" in (tmp_path / "asked").read_text()
    assert _names(tmp_path / "x") == ["@scope"]


def test_an_npm_that_fails_or_leaves_the_folder_is_reported(tmp_path: Path, npm: Callable[[str], None]) -> None:
    npm("echo 'npm error code ENOTFOUND\nnpm error request to somewhere failed\nnpm error see the log' >&2; exit 1")
    with pytest.raises(FetchError, match=r"npm package @scope/words@1\.2\.3 .*: npm failed: .*request to somewhere"):
        _from_npm(tmp_path)


def test_an_npm_archive_that_climbs_out_of_its_folder_is_refused(tmp_path: Path, npm: Callable[[str], None]) -> None:
    npm("mkdir -p package; echo x > evil.txt; tar czPf s.tgz --transform 's,evil,package/../../../evil,' evil.txt")
    with pytest.raises(FetchError, match=r"npm package .*evil\.txt"):
        _from_npm(tmp_path)
    assert not list(tmp_path.rglob("evil.txt"))


def test_a_system_without_npm_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="npm is not on this system"):
        _from_npm(tmp_path)
