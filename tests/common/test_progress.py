"""Progress: what is left and for how long, by planted clocks and costs; nothing where nobody looks."""

import json
import math

import pytest

from scar.common import console, progress
from scar.common.time_left import Stages
from scar.store.costs import expected_seconds, missing_stages
from scar.store.keys import make_key
from scar.store.store import Store


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_time_left_is_what_the_missing_artefacts_are_expected_to_cost_less_what_is_spent():
    clock = Clock()
    stages = Stages("job", {"observations": (2, 10.0), "plan": (1, 4.0)}, clock=clock)
    assert stages.remaining() == 24
    stages.begin("observations")
    clock.now = 7
    assert stages.remaining() == 17
    clock.now = 30  # longer than expected: it counts for what was expected, no more
    assert stages.remaining() == 14
    stages.end(1)
    assert stages.remaining() == 14
    assert stages.done() == 1


def test_a_stage_inside_another_stops_its_clock():
    clock = Clock()
    stages = Stages("job", {"plan": (1, 5.0), "foundation": (1, 5.0)}, clock=clock)
    stages.begin("plan")
    clock.now = 2
    stages.begin("foundation")
    assert stages.stage == "foundation"
    clock.now = 5
    assert stages.remaining() == (5 - 2) + (5 - 3)
    stages.end(1)
    clock.now = 6
    assert stages.remaining() == 5 - 3


def test_a_stage_without_a_record_leaves_the_time_open_until_it_is_done():
    stages = Stages("job", {"arm": (1, math.nan), "plan": (1, 1.0)})
    assert math.isnan(stages.remaining())
    stages.begin("arm")
    stages.end(1)
    assert stages.remaining() == 1


def test_costs_are_expected_from_the_records_of_the_store(tmp_path):
    store = Store(tmp_path)
    keys = [make_key("plan", config={"n": n}) for n in range(3)]
    assert math.isnan(expected_seconds(store, "plan"))
    for key in keys[:2]:
        store.obtain(key, lambda folder: (folder / "x.txt").write_text("x"))
    stages = Stages("job", missing_stages(store, keys))
    assert stages.left == {"plan": 1}
    assert 0 <= stages.remaining() < 1


def test_without_a_terminal_nothing_is_shown_or_asked_for(capfd):
    def never():
        raise AssertionError("asked for")

    with progress.sweep(10), progress.job(never), progress.stage("plan"), progress.progress_bar("x", 3) as advance:
        advance(1)
        progress.job_over()
    with progress.probe_bar(3) as tell:
        assert tell is None
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_who_listens_hears_every_epoch_with_its_stage():
    heard = []
    listening = progress.listening(lambda *epoch: heard.append(epoch))
    with listening, progress.stage("plan"), progress.stage("probes"), progress.probe_bar(3) as tell:
        tell(0, 3, 0.5)
        tell(2, 3, 0.25)
    assert heard == [("probes", 3, 0.5), ("probes", 1, 0.25)]
    with progress.probe_bar(3) as tell:
        assert tell is None


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as a terminal that is written into a string."""
    from io import StringIO

    from rich.console import Console

    file = StringIO()
    screen = Console(file=file, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "errors", lambda: screen)
    return file


def test_on_a_terminal_the_jobs_the_stage_and_its_items_are_shown_with_the_time_left(terminal):
    stages = Stages("digits", {"observations": (2, 90.0)})
    with progress.sweep(4), progress.job(lambda: stages), progress.stage("observations"):
        progress.job_over()
        with progress.progress_bar("training probes", 83) as advance:
            advance(40)
            progress._board.bars.refresh()
    shown = terminal.getvalue()
    assert "1/4" in shown
    assert "digits: observations" in shown
    assert "40/83" in shown
    assert "0:03:00" in shown
    assert progress._board is None


def test_a_single_job_and_a_script_see_no_bar_of_jobs(terminal):
    with progress.sweep(1):
        assert progress._board is None
    console.set_output("json")
    try:
        with progress.sweep(4):
            assert progress._board is None
    finally:
        console.set_output("rich")


@pytest.mark.parametrize(("output", "lines"), [("rich", []), ("quiet", ["a/report.html"]), ("json", [3])])
def test_scripts_get_a_path_or_one_object_per_event(capsys, output, lines):
    console.set_output(output)
    try:
        console.announce("job", status="finished")
        console.announce("report", path="a/report.html")
        console.announce("end", failed=0)
        console.console().print("text for people")
    finally:
        console.set_output("rich")
    out = capsys.readouterr().out.splitlines()
    if output == "json":
        assert [json.loads(line)["event"] for line in out] == ["job", "report", "end"]
    else:
        assert out == (lines or ["text for people"])


def test_an_unknown_output_is_refused():
    with pytest.raises(ValueError, match="output='loud' is unknown; use one of rich, quiet, json"):
        console.set_output("loud")
