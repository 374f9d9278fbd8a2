"""Another dataset of pairs with faults planted in its training part: captions of others, and near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.checks import validate_samples
from scar.data.samples import TRAIN, Samples, take_items
from scar.data.source import Source

COPIES = 3
"""Near-duplicates of one original."""
_SHIFT = 1 / 32
"""Most that a copy is moved, over its side."""
_BRIGHTER = 0.06
_JOIN = ", "


@dataclass(frozen=True, kw_only=True)
class PlantedPairs(Source):
    """Another source of images and texts, some of whose training pairs are made faulty.

    A mismatched pair keeps its image and gets the captions of another. A near-duplicate becomes another pair: its image a
    little moved, brighter or darker, and its caption in other words, which are the other captions of that pair, or
    “picture of” and its only one. Sub-samples are drawn by the source, before faults are planted; sizes are set there.

    Attributes:
        source: the dataset of pairs.
        mismatched: share of the training pairs with captions of another.
        duplicates: share of the training pairs that repeat another.
        group: column of the source whose groups show the same thing; a mismatch never comes from within one.
        joined: make one caption of all that a training pair has.
    """

    name: str = "planted_pairs"
    source: Any = None
    mismatched: float = 0.15
    duplicates: float = 0.3
    group: str | None = None
    joined: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_size is not None or self.test_size is not None:
            raise ValueError("dataset.train_size and dataset.test_size belong to dataset.source here; set them there")
        for name in ("mismatched", "duplicates"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"dataset.{name}={getattr(self, name)} must be a share in [0, 1)")
        if self.mismatched + self.duplicates > 0.7:
            raise ValueError(
                f"dataset.mismatched={self.mismatched} and dataset.duplicates={self.duplicates} leave too few pairs as they "
                "are; their sum is at most 0.7"
            )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Return those of the source; none before it is given."""
        return self.source.modalities if isinstance(self.source, Source) else ()

    def files(self, data_dir: Path) -> list[Path]:
        """Return the files of the source."""
        return self._given().files(data_dir)

    def located(self, data_dir: Path) -> list[Path]:
        """Return what shows that the data of the source are there."""
        return self._given().located(data_dir)

    def load(self, data_dir: Path) -> Samples:
        """Read the source and plant the faults; the group columns ``mismatched`` and ``duplicate_of`` say which.

        Raises:
            ValueError: the source holds no images or no texts, or no such column, or only one group or class.
        """
        samples = self._given().load(data_dir)
        if missing := sorted({"image", "text"} - set(samples.payloads)):
            raise ValueError(
                f"dataset.source={self.source.name} holds no {missing[0]}; faults are planted in pairs of both"
            )
        if self.group is not None and self.group not in samples.groups:
            raise ValueError(
                f"dataset.group={self.group} is no column of {self.source.name}; it has {', '.join(samples.groups) or 'none'}"
            )
        order = generator(self.seed, "planted roles").permutation(np.flatnonzero(samples.splits == TRAIN))
        wrong, again = (round(share * len(order)) for share in (self.mismatched, self.duplicates))
        mismatched, copies, plain = np.split(order, [wrong, wrong + again])
        donors = self._donors(samples, mismatched, plain)
        originals = np.resize(plain[: -(-again // COPIES)], again) if again else copies
        rows = np.arange(len(samples))
        rows[copies] = originals
        captions = [_several(samples.payloads["text"][row]) for row in rows.tolist()]
        for row in copies.tolist():
            captions[row] = (_reworded(captions[row], generator(self.seed, "other words", row)),)
        for row, donor in zip(mismatched.tolist(), donors.tolist(), strict=True):
            captions[row] = _several(samples.payloads["text"][donor])
        if self.joined:
            captions = [
                (_JOIN.join(each),) if part == TRAIN else each
                for each, part in zip(captions, samples.splits.tolist(), strict=True)
            ]
        marks, repeated = np.full(len(samples), "no", "<U3"), np.full(len(samples), "", samples.ids.dtype)
        marks[mismatched], repeated[copies] = "yes", samples.ids[originals]
        planted = replace(
            samples,
            payloads={"image": NearlyAgain(samples.payloads["image"], rows, self.seed), "text": captions},
            labels=None if samples.labels is None else samples.labels[rows],
            groups={name: column[rows] for name, column in samples.groups.items()}
            | {"mismatched": marks, "duplicate_of": repeated},
            notes=(
                *samples.notes,
                f"planted: {wrong} of {len(order)} training pairs have captions of another, {again} are near-duplicates of "
                f"{len(np.unique(originals))} others",
            ),
        )
        return validate_samples(planted, name=self.name)

    def _donors(self, samples: Samples, mismatched: Ints, plain: Ints) -> Ints:
        """Draw for every mismatched row one of another class and group among those that are left as they are."""
        rng, kinds = generator(self.seed, "planted mismatches"), []
        if samples.labels is not None and samples.labels.ndim == 1:
            kinds.append(samples.labels)
        if self.group is not None:
            kinds.append(np.unique(samples.groups[self.group], return_inverse=True)[1])
        found = []
        for row in mismatched.tolist():
            others = plain[np.all([kind[plain] != kind[row] for kind in kinds], axis=0)] if kinds else plain
            if not len(others):
                raise ValueError(
                    f"dataset.mismatched={self.mismatched}: {samples.ids[row]} finds no pair of another class and group; set it to 0"
                )
            found.append(int(rng.choice(others)))
        return np.array(found, np.int64)

    def _given(self) -> Source:
        if not isinstance(self.source, Source):
            raise ValueError("dataset.source is not given: name the dataset of pairs in which faults are planted")
        return self.source


@dataclass(frozen=True, eq=False)
class NearlyAgain(Sequence[Any]):
    """Images by row; one whose row is not its own position is that of another, a little moved, brighter or darker."""

    items: Any
    rows: Ints
    seed: int

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return take_items(self, np.arange(len(self))[index])
        place = int(np.arange(len(self))[index])
        row = int(self.rows[place])
        image = self.items[row]
        return image if row == place else _nearly(np.asarray(image), generator(self.seed, "nearly again", place))


def _nearly(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image [H, W, 3] moved by at most a 32nd of its side, its edge repeated, with another brightness."""
    height, width = image.shape[:2]
    most = max(1, round(_SHIFT * min(height, width)))
    down, right = rng.integers(-most, most + 1, 2)
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    levels = image[rows][:, columns].astype(np.float32) * rng.uniform(1 - _BRIGHTER, 1 + _BRIGHTER)
    return np.asarray(np.rint(np.clip(levels, 0, 255)), np.uint8)


def _several(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _reworded(captions: tuple[str, ...], rng: np.random.Generator) -> str:
    """Return the captions but for the first, in another order, as one; “picture of” the first where there is no other."""
    if len(captions) < 2:
        return f"picture of {captions[0]}"
    return _JOIN.join(captions[1 + each] for each in rng.permutation(len(captions) - 1))
