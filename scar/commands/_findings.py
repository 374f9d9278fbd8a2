"""What the commands that look before a run print: one JSON object, an error, or text for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from scar.common.console import errors, escape


def print_findings(found: Mapping[str, Any], show: Callable[[Any], None], *, as_json: bool) -> int:
    """Print what was found; returns the exit code: 0 where it is ``ok``, else 1.

    Args:
        found: plain values; ``ok``, and ``error`` where nothing else could be found.
        show: prints them for people.
        as_json: print one JSON object.
    """
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    elif "error" in found:
        errors().print(f"[bold red]error[/] {escape(found['error'])}")
    else:
        show(found)
    return 0 if found["ok"] else 1
