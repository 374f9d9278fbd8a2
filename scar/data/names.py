"""Names and texts as they come from files and users: what is normalised, and what is refused by its row."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

LONGEST = 1000
"""Characters of a name of a class, a sample or a group; a longer one is a text in the wrong column."""

_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u180e\u00ad"
_EDGES = re.compile(rf"^[\s{_INVISIBLE}]+|[\s{_INVISIBLE}]+$")
_BREAKS = re.compile(r"[^\S\n\t\r\v\f]*[\n\t\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def from_bytes(value: bytes, said: str) -> str:
    """Return a name that is given as UTF-8.

    Args:
        value: the name.
        said: what a message says before the value, e.g. ``"labels hold"``.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{said} {value!r}, which is not UTF-8; write names as texts") from error


def clean_name(text: str) -> str:
    """Return a name in Unicode form NFC, without white space and zero-width characters around it.

    Line breaks and tabs inside a name become one blank.
    """
    if text.isascii() and text.isalnum():
        return text
    return _BREAKS.sub(" ", _EDGES.sub("", unicodedata.normalize("NFC", text)))


def wrong_name(text: str) -> str | None:
    """Return what makes a text no name, or None: it is too long, holds control characters or is no valid Unicode."""
    if len(text) > LONGEST:
        return f"is {len(text)} characters long, from {text[:20]!r} on, which is a text and no name"
    if _CONTROL.search(text):
        return f"{text!r} holds control characters"
    return f"{text!r} is not valid Unicode" if _surrogate(text) else None


def texts(
    values: Sequence[Any], where: Callable[[int], str], column: str, *, blank: bool = False, names: bool = False
) -> list[str]:
    """Return the texts (or whole numbers) of a column as strings.

    Args:
        values: of the column.
        where: what a message calls a row.
        column: name of it.
        blank: take texts without a character that shows, too.
        names: they name samples or groups, so that they are refused where `wrong_name` says so.

    Raises:
        ValueError: a value is no text, blank, or no valid Unicode; the message names the row.
    """
    found = []
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int):
            seen = "nothing" if value is None else f"{value!r}, a {type(value).__name__}"
            raise ValueError(f"{where(row)}, column {column!r}: expected a text, found {seen}")
        text = str(value)
        if not blank and not text.strip():
            raise ValueError(f"{where(row)}, column {column!r}: it is empty; fill it or leave the row out")
        if names and (wrong := wrong_name(text)):
            raise ValueError(f"{where(row)}, column {column!r}: the name {wrong}; name the column that was meant")
        if "\0" in text:
            raise ValueError(f"{where(row)}, column {column!r}: it holds a NUL character; take it out")
        if _surrogate(text):
            raise ValueError(
                f"{where(row)}, column {column!r}: a surrogate stands alone, which is no valid Unicode; "
                "write the file again in UTF-8"
            )
        found.append(text)
    return found


def caption_list(text: str) -> list[str] | None:
    """Return the captions of a text that is a list of them, written as JSON or as Python does; None if it is none."""
    if not (text.lstrip().startswith("[") and text.rstrip().endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list) and found and all(isinstance(each, str) for each in found):
            return found
    return None


def _surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
