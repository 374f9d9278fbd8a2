"""A sweep that is killed fifty times ends with the rows of one that was not."""

import random
import signal
import time

import pytest

from faults.conftest import rows

pytestmark = pytest.mark.slow
KILLS = 50


def test_fifty_kills_change_nothing(zygote, tmp_path):
    draw, kills, seeds = random.Random(0), {"before a rename": 0, "at any time": 0}, 2
    disturbed = tmp_path / "disturbed"
    while sum(kills.values()) < KILLS:
        arguments = [f"seed=range({seeds})", "completion=scar,random"]
        if kills["before a rename"] <= kills["at any time"]:
            kind, fault = "before a rename", ("kill_before_rename", draw.randint(2, 4))
        else:
            kind, fault = "at any time", ("none",)
        pid = zygote.start(disturbed, *arguments, fault=fault)
        if kind == "at any time":
            time.sleep(draw.uniform(0.2, 1.2))
            zygote.kill(pid)
        code = zygote.wait(pid)
        if code == -signal.SIGKILL:
            kills[kind] += 1
        else:
            assert code == 0
            seeds += 1
    assert min(kills.values()) >= KILLS // 2
    arguments = [f"seed=range({seeds})", "completion=scar,random"]
    assert zygote.run(disturbed, *arguments) == 0
    assert zygote.run(tmp_path / "calm", *arguments) == 0
    found, expected = rows(disturbed), rows(tmp_path / "calm")
    assert len(expected) > 0
    assert not expected.duplicated().any()
    assert found.equals(expected)
