"""What sources of pairs share: where a copy lies, and the samples made of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.types import Ints
from scar.data.checks import first_few, validate_samples
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import draw_test_part, keep_sizes


def home(source: Source, data_dir: Path) -> Path:
    """Return the folder of a dataset that nobody may redistribute: `root`, or the one of its name in the data folder."""
    return data_dir / source.name if source.root is None else Path(source.root).expanduser()


def find(source: Source, folder: Path, places: Sequence[str], advice: str) -> Path:
    """Return the first of several places, relative to a folder, that is there.

    Args:
        source: the dataset.
        folder: of its copy.
        places: names of a file or a folder, in the layouts that are in use.
        advice: where to get it.

    Raises:
        FileNotFoundError: none is there.
    """
    found = next((folder / place for place in places if (folder / place).exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"{source.name}: {' or '.join(places)} not found in {folder}. {advice} Put it there, or point dataset.root "
            "at the folder that holds it."
        )
    return found


def make_pairs(
    source: Source,
    *,
    ids: Sequence[str],
    payloads: Mapping[str, Sequence[Any]],
    splits: NDArray[np.str_],
    labels: Ints | None = None,
    class_names: tuple[str, ...] = (),
    groups: Mapping[str, NDArray[np.str_]] | None = None,
    notes: Iterable[str] = (),
) -> Samples:
    """Make samples of aligned parts: the sub-sample that the source asks for, checked, with a note on its captions.

    Raises:
        ValueError: as `validate_samples`; repeated ids are listed.
    """
    rows = keep_sizes(labels, splits, train_size=source.train_size, test_size=source.test_size, seed=source.seed)
    whole = Samples(
        ids=np.asarray(ids, dtype=np.str_),
        payloads=payloads,
        labels=labels,
        class_names=class_names,
        splits=splits,
        groups=dict(groups or {}),
        notes=(*notes, _captions_note(payloads["text"], rows)),
    )
    _refuse_repeated(whole.ids, source)
    return validate_samples(whole if len(rows) == len(whole) else whole.take(rows), name=source.name)


def _refuse_repeated(ids: NDArray[np.str_], source: Source) -> None:
    distinct, counts = np.unique(ids, return_counts=True)
    if len(distinct) < len(ids):
        raise ValueError(f"{source.name}: ids stand for several pairs each: {first_few(distinct[counts > 1].tolist())}")


def _captions_note(captions: Sequence[tuple[str, ...]], rows: Ints) -> str:
    sizes = [len(captions[row]) for row in rows]
    spread = f"{min(sizes)} to {max(sizes)}" if min(sizes) < max(sizes) else str(min(sizes))
    return f"{len(sizes)} pairs with {sum(sizes)} captions, {spread} each"


def draw_group_test_part(groups: NDArray[np.str_], labels: Ints | None, fraction: float, seed: int) -> NDArray[np.str_]:
    """Cut a test part of whole groups, class-aware in groups.

    Args:
        groups: [N] group of each sample.
        labels: [N] class indices, of which the first of a group counts; None draws groups plainly.
        fraction: share of the groups.
        seed: of the dataset.

    Returns:
        [N] ``"train"`` or ``"test"``; which groups are test depends on the set of groups, not on their sizes.
    """
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    classes = np.zeros(len(first), np.int64) if labels is None else labels[first]
    return draw_test_part(classes, fraction, seed)[group_of]


def large_classes(labels: Ints, names: Sequence[str], minimum: int) -> tuple[Ints, Ints, tuple[str, ...], list[str]]:
    """Keep the classes that are large enough.

    Args:
        labels: [N] class indices.
        names: [K] class names.
        minimum: samples that a class needs.

    Returns:
        Rows that are kept, their labels among the kept classes, the names of these, and a note if any was left out.

    Raises:
        ValueError: fewer than two classes are left.
    """
    sizes = np.bincount(labels, minlength=len(names))
    kept = np.flatnonzero(sizes >= minimum)
    if len(kept) < 2:
        raise ValueError(f"dataset.min_class_size={minimum} leaves {len(kept)} classes; lower it")
    rows = np.flatnonzero(np.isin(labels, kept))
    small = [f"{names[k]} ({sizes[k]})" for k in range(len(names)) if 0 < sizes[k] < minimum]
    notes = [f"classes below dataset.min_class_size={minimum} left out: {', '.join(small)}"] if small else []
    return rows, np.searchsorted(kept, labels[rows]).astype(np.int64), tuple(names[int(k)] for k in kept), notes
