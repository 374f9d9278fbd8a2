"""What people and scripts see: text (plain where there is no terminal), one path, or one JSON object per line.

What cannot be written stops nothing: the reader of a pipe may have gone, or the disk of a log may be full.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from functools import cache
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

OUTPUTS = ("rich", "quiet", "json")
"""``rich``: text, with colours and progress on a terminal. ``quiet``: the path of the report alone. ``json``: one
object per event, the last one says how the command ended. Errors go to standard error in all of them."""

_output = "rich"


def set_output(output: object) -> None:
    """Choose what standard output is for; applies to the whole process.

    Raises:
        ValueError: `output` is none of `OUTPUTS`.
    """
    global _output
    if output not in OUTPUTS:
        raise ValueError(f"output={output!r} is unknown; use one of {', '.join(OUTPUTS)}")
    if output != _output:
        _output = str(output)
        console.cache_clear()


def output() -> str:
    """Return what standard output is for."""
    return _output


@cache
def console() -> Console:
    """Return the console that all text goes through; it prints nothing where the output is not text."""
    return _lasting(quiet=_output != "rich")


@cache
def errors() -> Console:
    """Return the console for errors and warnings, on standard error."""
    return _lasting(stderr=True)


def _lasting(**how: Any) -> Console:
    """Return a console that prints what can be printed, and never ends the work."""
    from rich.console import Console

    class Lasting(Console):
        def print(self, *objects: Any, **named: Any) -> None:
            with suppress(OSError):
                super().print(*objects, **named)

        def on_broken_pipe(self) -> None:
            self.quiet = True
            _close(self.stderr)

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # of a terminal whose letters are few
            with suppress(OSError):
                stream.reconfigure(errors="backslashreplace")
    return Lasting(highlight=False, soft_wrap=True, **how)


def _close(stderr: bool) -> None:
    """Send what follows nowhere: Python would try once more at its end, and call that an error."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (sys.stderr if stderr else sys.stdout).fileno())
        os.close(nowhere)


def announce(event: str, **facts: Any) -> None:
    """Write an event for scripts: a line of JSON, or for ``quiet`` the `path` of the event ``"report"``.

    Args:
        event: ``"job"``, ``"report"`` or ``"end"``.
        facts: what JSON can hold; other values are written as text.
    """
    if _output == "json":
        line = json.dumps({"event": event, **facts}, default=str)
    elif _output == "quiet" and event == "report":
        line = str(facts["path"])
    else:
        return
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _close(stderr=False)
    except OSError:
        pass


def escape(text: object) -> str:
    """Return text that may come from anywhere as the console prints it, brackets included."""
    from rich.markup import escape as escaped

    return escaped(visible(text))


def visible(text: object) -> str:
    """Return text whose control characters stand as they are written in Python, so that none reaches a terminal or a file.

    Lone surrogates, which no file can hold, too; line breaks and tabs stay.
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))


def refuse(message: object) -> NoReturn:
    """End the command with a message, before anything was done: exit code 2."""
    errors().print(f"[bold red]error[/] {escape(message)}")
    sys.exit(2)
