"""A second user of folders whose owner's umask keeps others out is told which, and what to do."""

import os
import tempfile
from pathlib import Path

import pytest

from faults.conftest import log, rows
from scar.common.files import CorruptArtefactError, read_json, write_json
from scar.common.sharing import CURE, why_denied
from scar.store.archive import contents

JOB = ["seed=0", "completion=scar"]
GROUP, SECOND = 54321, 54332
NOBODY_S = {"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere"}


@pytest.fixture(scope="module")
def shared(zygote):
    """A folder of a group, with a study of its first user, whose umask is 022."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o2777)
        os.chown(folder, 0, GROUP)
        (folder / "outputs").mkdir()
        (folder / "outputs").chmod(0o2775)
        assert zygote.run(folder, *JOB) == 0, log(folder)
        yield folder


def as_second(zygote, shared: Path, *arguments: str, command: str = "run", umask: int = 0o022) -> tuple[int, str]:
    (shared / "log.txt").unlink(missing_ok=True)
    fault = ("as_user", SECOND, GROUP, umask)
    code = zygote.run(shared, *arguments, fault=fault, command=command, **NOBODY_S)
    return code, log(shared)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize(
    ("command", "arguments", "place"),
    [
        ("run", [*JOB], "outputs/s"),
        ("run", ["seed=1", "completion=scar"], "outputs/s"),
        ("run", ["seed=1", "completion=scar", "study=mine"], "outputs/store"),
        ("report", ["study=s", "formats=[svg]", "resamples=100", "details=0"], "outputs/s"),
        ("admin", ["store", "prune", "--older-than", "0", "--yes"], "outputs/store"),
    ],
)
def test_the_folder_its_owner_and_the_cure_are_named(zygote, shared, command, arguments, place):
    code, said = as_second(zygote, shared, *arguments, command=command)
    assert code in (1, 2)
    assert f"{shared.resolve() / place}" in said
    assert "belongs to root (mode 2755), and you may not write there" in said
    assert CURE in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_after_the_cure_both_work_in_one_study(zygote, shared):
    """What the message advises is enough."""
    for path in (shared / "outputs", *(shared / "outputs").rglob("*")):
        path.chmod(path.stat().st_mode | (0o2070 if path.is_dir() else 0o060))
    code, said = as_second(zygote, shared, "seed=0,1", "completion=scar", umask=0o002)
    assert code == 0, said
    assert said.count("done before") == 1
    assert zygote.run(shared, "seed=0,1,2", "completion=scar") == 0, log(shared)
    assert set(rows(shared).seed) == {0, 1, 2}


def test_other_errors_are_not_explained_by_permissions(tmp_path):
    assert why_denied(ValueError("no")) == ""
    assert why_denied(FileNotFoundError(2, "No such file", str(tmp_path / "x"))) == ""
    assert why_denied(PermissionError(13, "Permission denied", str(tmp_path / "x"))) == ""  # it can be written


@pytest.mark.parametrize("number", [12, 23, 24])
def test_a_process_without_room_to_open_a_file_finds_no_damage(tmp_path, monkeypatch, number):
    """Otherwise whole artefacts would be set aside where too many files are open."""

    def refuse(*arguments, **named):
        raise OSError(number, os.strerror(number))

    write_json(tmp_path / "a.json", {"a": 1})
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr("scar.store.archive.ZipFile", refuse)
    for read in (read_json, contents):
        with pytest.raises(OSError, match=os.strerror(number)) as raised:
            read(tmp_path / "a.json")
        assert not isinstance(raised.value, CorruptArtefactError)
