"""Progress on a terminal, on standard error: jobs of a sweep, stages of a job, items of a stage, and the time left.

Nothing is shown where standard error is no terminal, where the output is for scripts, and in the workers of a sweep,
whose parent shows the jobs.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scar.common.console import errors, output
from scar.common.time_left import Stages

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Listener = Callable[[str, int, float], None]
"""Hears of an epoch of training: the stage, the probes in work, and the mean of what their training watches."""
PERIOD = 24 * 3600.0
"""Seconds of the past that the speed of a bar is estimated from: jobs may take hours."""


@dataclass
class _Board:
    """The display of this process; all bars live on it."""

    bars: Progress
    users: int = 0
    sweep: TaskID | None = None
    job: TaskID | None = None
    stages: Stages | None = None


_board: _Board | None = None
_stages: list[str] = []
# Names of the stages in work, the innermost last.
_listeners: list[Listener] = []


def shown() -> bool:
    """Tell whether progress is shown: text for people, on a terminal, in the process that they started."""
    main = multiprocessing.current_process().name == "MainProcess"
    return main and output() == "rich" and errors().is_terminal


@contextmanager
def sweep(total: int) -> Iterator[None]:
    """Show how many jobs of a sweep are done; `job_over` counts them."""
    with _open(total > 1 and shown()) as board:
        if board is not None:
            board.sweep = board.bars.add_task("jobs", total=total, rate="")
        try:
            yield
        finally:
            if board is not None and board.sweep is not None:
                board.bars.remove_task(board.sweep)
                board.sweep = None


def job_over(count: int = 1) -> None:
    """Count jobs of the sweep as done."""
    if _board is not None and _board.sweep is not None:
        _board.bars.update(_board.sweep, advance=count)


@contextmanager
def job(stages: Callable[[], Stages]) -> Iterator[None]:
    """Show the stages of a job while it runs; they are asked for only where they are shown."""
    with _open(shown()) as board:
        if board is not None:
            board.stages = stages()
            total = board.stages.count or None
            board.job = board.bars.add_task(board.stages.title, total=total, rate="", stages=board.stages)
        try:
            yield
        finally:
            if board is not None and board.job is not None:
                board.bars.remove_task(board.job)
                board.job = board.stages = None


@contextmanager
def stage(name: str, artefacts: int = 1) -> Iterator[None]:
    """Name the stage in work, and how many artefacts it makes; stages inside it interrupt it."""
    _stages.append(name)
    try:
        with _shown_stage(name, artefacts):
            yield
    finally:
        _stages.pop()


@contextmanager
def _shown_stage(name: str, artefacts: int) -> Iterator[None]:
    board = _board
    if board is None or board.stages is None or board.job is None:
        yield
        return
    stages, task = board.stages, board.job
    stages.begin(name)
    board.bars.update(task, description=f"{stages.title}: {name}")
    try:
        yield
    finally:
        stages.end(artefacts)
        board.bars.update(task, completed=stages.done(), description=f"{stages.title}: {stages.stage}".rstrip(": "))


@contextmanager
def progress_bar(title: str, total: int, *, show: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function that moves a bar on by a number of items.

    Args:
        title: stands before the bar.
        total: items in all.
        show: None shows the bar on a terminal only.
    """
    with _open(shown() if show is None else show) as board:
        if board is None:
            yield lambda count: None
            return
        bars = board.bars
        task = bars.add_task(title, total=total, rate="")

        def advance(count: int) -> None:
            bars.update(task, advance=count)
            speed = next((each.speed for each in bars.tasks if each.id == task), None)
            bars.update(task, rate=f"{speed:.0f}/s" if speed else "")

        try:
            yield advance
        finally:
            if board.users > 1:  # the last bar of a command stays
                bars.remove_task(task)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell somebody of every epoch of training in the block, in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def probe_bar(total: int) -> Iterator[Callable[[int, int, float], None] | None]:
    """Yield what a bank calls after every epoch, see `scar.probes.module.Progress`; None where nobody looks."""
    if not shown() and not _listeners:
        yield None
        return
    with progress_bar("training probes", total) as advance:
        before = 0

        def tell(finished: int, whole: int, watched: float) -> None:
            nonlocal before
            advance(finished - before)
            before = finished
            for each in _listeners:
                each(_stages[-1] if _stages else "", whole - finished, watched)

        yield tell


@contextmanager
def _open(show: bool) -> Iterator[_Board | None]:
    """Yield the display, started by the first that asks and stopped when the last one leaves; None where not shown."""
    global _board
    if not show:
        yield None
        return
    if _board is None:
        _board = _Board(_bars())
        _board.bars.start()
    board = _board
    board.users += 1
    try:
        yield board
    finally:
        board.users -= 1
        if not board.users:
            board.bars.stop()
            _board = None


def _bars() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Remaining(TimeRemainingColumn):
        """Time left: of a job by what its stages have cost before, of everything else by its speed."""

        def render(self, task: Any) -> Text:
            stages = task.fields.get("stages")
            if stages is None:
                return super().render(task)
            seconds = stages.remaining()
            if seconds != seconds:
                return Text("-:--:--", style="progress.remaining")
            minutes, rest = divmod(round(seconds), 60)
            return Text(f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}", style="progress.remaining")

    columns: tuple[ProgressColumn, ...] = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
    )
    # Standard output goes where it was sent, even while the bars stand on a terminal.
    return Progress(*columns, console=errors(), speed_estimate_period=PERIOD, redirect_stdout=sys.stdout.isatty())
