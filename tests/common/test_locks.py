"""Locks whose files go with them still let one holder in at a time."""

import os
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
from filelock import Timeout

from scar.common.locks import holding


def _count(path: str, times: int) -> None:
    counter = Path(path)
    for _ in range(times):
        with holding(counter.with_name("lock")):
            value = int(counter.read_text())
            time.sleep(0.0005)
            counter.write_text(str(value + 1))


def test_processes_that_take_turns_lose_no_count(tmp_path):
    (tmp_path / "counter").write_text("0")
    context = get_context("fork")
    workers = [context.Process(target=_count, args=(str(tmp_path / "counter"), 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (tmp_path / "counter").read_text() == "200"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_who_does_not_wait_is_told(tmp_path):
    with holding(tmp_path / "lock"), pytest.raises(Timeout), holding(tmp_path / "lock", wait=False):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_of_the_dead_is_free_and_goes_with_the_next_holder(tmp_path):
    pid = os.fork()
    if pid == 0:
        context = holding(tmp_path / "lock")
        context.__enter__()
        os._exit(9)
    os.waitpid(pid, 0)
    assert (tmp_path / "lock").exists()
    with holding(tmp_path / "lock", wait=False):
        pass
    assert not (tmp_path / "lock").exists()
