"""Output that cannot be written stops nothing."""

import io
import os
import sys

import pytest

from scar.common import console
from scar.common.files import replacing


@pytest.fixture
def fresh():
    console.console.cache_clear()
    yield
    console.console.cache_clear()


def test_after_the_reader_of_a_pipe_has_gone_the_work_goes_on(monkeypatch, fresh):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        for _ in range(3):
            console.console().print("a line")
        stream.write("nobody reads this")  # what Python flushes at its end goes nowhere


def test_events_of_scripts_whose_reader_has_gone_stop_nothing(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        console.set_output("json")
        for _ in range(3):
            console.announce("job", status="finished")


def test_a_full_disk_of_the_log_stops_nothing(monkeypatch, fresh):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    console.console().print("a line")


def test_letters_that_a_terminal_lacks_are_spelt_out(monkeypatch, fresh):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console.console().print("digits · pixels")
    assert raw.getvalue() == b"digits \\xb7 pixels\n"


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(OSError, match=r"No space left on device; make room.*report\.html"), replacing(path):
        raise OSError(28, "No space left on device")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "old"
