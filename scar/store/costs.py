"""What the artefacts that a store lacks are expected to cost, by what it has seen of their like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from statistics import median

from scar.common.files import CorruptArtefactError
from scar.store.artefact import read_meta
from scar.store.keys import Key
from scar.store.store import Store

RECORDS = 20
"""Artefacts of a stage whose cost is looked up."""


def missing_stages(store: Store, keys: Iterable[Key]) -> dict[str, tuple[int, float]]:
    """Return, by stage, how many of some artefacts a store lacks and the seconds that one of them is expected to take."""
    counts = Counter(key.stage for key in keys if not store.has(key))
    return {stage: (count, expected_seconds(store, stage)) for stage, count in counts.items()}


def expected_seconds(store: Store, stage: str) -> float:
    """Return the median cost of up to `RECORDS` artefacts of a stage [s]; NaN where the store has none."""
    found = []
    for folder in islice((store.root / stage).glob("*"), RECORDS):
        try:
            found.append(float(read_meta(folder)["seconds"]))
        except (CorruptArtefactError, KeyError, OSError):
            continue
    return median(found) if found else math.nan
