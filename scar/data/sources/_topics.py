"""Coarse topics of categories: a table of topics and keywords, which a user can replace."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

PACKAGED = Path(str(files("scar.data.sources") / "wikipedia_topics.csv"))

_PASSED_OVER = "-"
_MOST_TOPICS = 62
"""Topics are bits of a signed 64-bit number."""


@dataclass(frozen=True)
class Topics:
    """Coarse topics with the keywords that put a category under them.

    Attributes:
        names: of the topics, sorted.
        patterns: one per topic, over lower-case titles.
        passed_over: pattern of the categories that say nothing about the subject, or None.
    """

    names: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    passed_over: re.Pattern[str] | None

    @classmethod
    def read(cls, path: Path) -> Topics:
        """Read a CSV of topics and keywords; lines that begin with # are comments.

        Raises:
            ValueError: a line is malformed, or there are fewer than 2 or more than 62 topics.
        """
        keywords: dict[str, list[str]] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip() or line.startswith("#") or line == "topic,keyword":
                continue
            row = next(csv.reader([line]))
            if len(row) != 2 or not row[0].strip() or not row[1].strip("^* "):
                raise ValueError(f"{path}, line {number}: expected a topic and a keyword, found {line!r}")
            keywords.setdefault(row[0].strip(), []).append(row[1].strip())
        passed_over = keywords.pop(_PASSED_OVER, None)
        if not 2 <= len(keywords) <= _MOST_TOPICS:
            raise ValueError(f"{path} has {len(keywords)} topics; there must be 2 to {_MOST_TOPICS}")
        names = tuple(sorted(keywords))
        return cls(
            names, tuple(_pattern(keywords[name]) for name in names), _pattern(passed_over) if passed_over else None
        )

    def mask(self, category: str) -> int:
        """Return the topics of a category as bits."""
        title = category.replace("_", " ").lower()
        if self.passed_over is not None and self.passed_over.search(title):
            return 0
        return sum(1 << bit for bit, pattern in enumerate(self.patterns) if pattern.search(title))

    def name(self, mask: int) -> str:
        """Return the names of the topics of a mask, joined."""
        return " + ".join(name for bit, name in enumerate(self.names) if mask >> bit & 1)


def _pattern(keywords: Sequence[str]) -> re.Pattern[str]:
    parts = []
    for keyword in keywords:
        words = re.escape(keyword.lower().lstrip("^").rstrip("*"))
        parts.append(
            ("^" if keyword.startswith("^") else r"(?<!\w)") + words + ("" if keyword.endswith("*") else r"(?!\w)")
        )
    return re.compile("|".join(parts))
