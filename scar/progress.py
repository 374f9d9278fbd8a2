"""A progress bar with rate and remaining time, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scar.console import errors


@contextmanager
def progress_bar(title: str, total: int, *, show: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function that moves the bar on by a number of items.

    Args:
        title: stands before the bar.
        total: items in all.
        show: None shows the bar on a terminal only.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    disable = not (errors().is_terminal if show is None else show)
    with Progress(*columns, TimeRemainingColumn(), console=errors(), disable=disable) as bar:
        task = bar.add_task(title, total=total, rate="")

        def advance(count: int) -> None:
            bar.update(task, advance=count)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:.0f}/s" if speed else "")

        yield advance
