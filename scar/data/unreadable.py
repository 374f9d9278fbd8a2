"""Samples that cannot be read: found before the first stage, so that the modalities stay aligned by position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.progress import progress_bar
from scar.common.spreadsheets import write_rows
from scar.common.vectors import chunks
from scar.data.checks import validate_samples
from scar.data.media import MediaFile
from scar.data.samples import Samples

_SHOWN = 5


@dataclass(frozen=True)
class Unreadable:
    """A payload that cannot be read.

    Attributes:
        id: of its sample.
        modality: of the payload.
        reason: what is wrong with it.
    """

    id: str
    modality: str
    reason: str


def drop_unreadable(
    samples: Samples, *, name: str, max_share: float, progress: bool | None = None
) -> tuple[Samples, tuple[Unreadable, ...]]:
    """Read every payload once and drop the samples of which one cannot be read.

    Images are decoded whole, sounds and videos to their end; a caption must not be blank.

    Args:
        samples: of a source.
        name: of the dataset, for messages.
        max_share: largest share of samples that may be dropped.
        progress: show a bar; None shows it on a terminal.

    Returns:
        The samples that can be read, and what was found wrong, in the order of the samples.

    Raises:
        ValueError: more samples than `max_share` cannot be read, or what is left is no dataset.
    """
    with progress_bar(f"checking {name}", len(samples), show=progress) as advance:
        found = find_unreadable(samples, advance)
    lost = np.array(sorted({each.id for each in found}), np.str_)
    rows = np.concatenate([part.start + _kept(samples.ids[part], lost) for part in chunks(len(samples))])
    dropped = len(samples) - len(rows)
    if dropped > max_share * len(samples):
        shown = "\n".join(f"  - {each.id} ({each.modality}): {each.reason}" for each in found[:_SHOWN])
        raise ValueError(
            f"{name}: {dropped} of {len(samples)} samples cannot be read, more than "
            f"dataset.max_unreadable={max_share}:\n{shown}\n"
            "Repair the files, or raise dataset.max_unreadable."
        )
    if not found:
        return samples, ()
    return validate_samples(samples.take(rows), name=name), tuple(found)


def _kept(ids: NDArray[np.str_], lost: NDArray[np.str_]) -> NDArray[np.int64]:
    return np.flatnonzero(~np.isin(ids, lost))


def find_unreadable(samples: Samples, advance: Callable[[int], None] = lambda _: None) -> list[Unreadable]:
    """Read every payload once and return what is wrong with them, in the order of the samples."""
    found: list[Unreadable] = []
    for row in range(len(samples)):
        found.extend(_wrong(samples, row))
        advance(1)
    return found


def _wrong(samples: Samples, row: int) -> Iterator[Unreadable]:
    for modality, payload in samples.payloads.items():
        reason = _try(payload, row)
        if reason:
            yield Unreadable(str(samples.ids[row]), modality, reason)


def _try(payload: Sequence[Any], row: int) -> str | None:
    """Return why an item cannot be read, or None."""
    try:
        item = payload[row]
        if isinstance(item, MediaFile):
            item.check()
    except (OSError, ValueError) as error:
        return str(error)
    captions = (item,) if isinstance(item, str) else item if isinstance(item, tuple) else None
    return None if captions is None else _blank(captions)


def _blank(captions: tuple[str, ...]) -> str | None:
    blank = next((place for place, caption in enumerate(captions, 1) if not caption.strip()), None)
    if blank is None and captions:
        return None
    return "it has no caption" if not captions else f"caption {blank} of {len(captions)} is empty"


def save_unreadable(folder: Path, unreadable: Sequence[Unreadable]) -> list[str]:
    """Write ``unreadable.csv`` and return what a reader should know of it: nothing where all could be read."""
    with (folder / "unreadable.csv").open("w", newline="", encoding="utf-8") as file:
        write_rows(file, ["id", "modality", "reason"], ((each.id, each.modality, each.reason) for each in unreadable))
    dropped = len({each.id for each in unreadable})
    return [f"{dropped} samples cannot be read and were left out (unreadable.csv)"] if dropped else []
