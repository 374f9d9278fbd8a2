"""What people see in the terminal: plain where it is not one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> Console:
    """Return the console that all output goes through."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


@cache
def errors() -> Console:
    """Return the console for errors and warnings, on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def escape(text: object) -> str:
    """Return text that may come from anywhere as the console prints it, brackets included."""
    from rich.markup import escape as escaped

    return escaped(str(text))
