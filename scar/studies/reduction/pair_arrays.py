"""The pairs of a source as plain arrays, with what is known of their faults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.files import read_json, write_json
from scar.common.randomness import generator
from scar.common.types import Bools, Ints
from scar.data.samples import TEST, TRAIN, Samples
from scar.reduction.pictures import square_images

OPTIONAL = ("labels", "mismatched", "duplicate_of", "scene")
"""Arrays that not every source has."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PairArrays:
    """All pairs of a source: training, validation and test part.

    Attributes:
        ids: [N].
        images: uint8 [N, H, W, 3].
        captions: N tuples of one caption or more; the first trains, all of a test item are ranked.
        labels: [N] class indices, or None.
        class_names: [K].
        train: rows of the training part, sorted.
        validation: rows that were taken out of the training part and that nothing is trained on, sorted.
        test: rows of the test part, sorted.
        mismatched: [N] whether the caption belongs to another scene, or None where nobody knows.
        duplicate_of: [N] id that each repeats, empty for none, or None.
        scene: [N] what each shows, or None.
        units: [N] pairs of one number show the same thing, such as one emoji by several vendors; none is on two parts.
    """

    ids: NDArray[np.str_]
    images: NDArray[np.uint8]
    captions: list[tuple[str, ...]]
    labels: Ints | None
    class_names: tuple[str, ...]
    train: Ints
    validation: Ints
    test: Ints
    mismatched: NDArray[np.bool_] | None
    duplicate_of: NDArray[np.str_] | None
    scene: NDArray[np.str_] | None
    units: Ints

    @cached_property
    def texts(self) -> list[str]:
        """The caption of every item that trains."""
        return [each[0] for each in self.captions]

    def captions_of(self, rows: Ints) -> tuple[list[str], Bools]:
        """Return all captions of some rows [n]: the distinct texts [q], and which image [n, q] has which of them."""
        texts = list(dict.fromkeys(text for row in rows for text in self.captions[row]))
        place = {text: index for index, text in enumerate(texts)}
        held = np.zeros((len(rows), len(texts)), bool)
        for image, row in enumerate(rows):
            held[image, [place[text] for text in self.captions[row]]] = True
        return texts, held

    def save(self, folder: Path) -> None:
        """Write arrays and captions, without pickling."""
        np.save(folder / "images.npy", self.images, allow_pickle=False)
        arrays = {
            name: value for name, value in vars(self).items() if isinstance(value, np.ndarray) and name != "images"
        }
        np.savez_compressed(folder / "arrays.npz", allow_pickle=False, **arrays)
        write_json(folder / "captions.json", {"captions": self.captions, "class_names": self.class_names})

    @classmethod
    def load(cls, folder: Path) -> PairArrays:
        """Read what `save` wrote; the images are mapped, not read."""
        about = read_json(folder / "captions.json")
        with np.load(folder / "arrays.npz", allow_pickle=False) as archive:
            arrays = dict(archive)
        known: dict[str, Any] = {name: arrays.get(name) for name in OPTIONAL} | arrays
        return cls(
            images=np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False),
            captions=[tuple(each) for each in about["captions"]],
            class_names=tuple(about["class_names"]),
            **known,
        )


def make_pair_arrays(
    samples: Samples, resolution: int, *, validation_share: float = 0.0, seed: int = 0, group: str | None = None
) -> PairArrays:
    """Read all pairs of a source.

    Args:
        samples: with payloads of images and texts.
        resolution: side to which images are scaled unless all of them have it.
        validation_share: of the training part that is set aside, with the faults that it has.
        seed: of the draw.
        group: column of the source whose groups stay on one part; None draws single pairs.

    Raises:
        ValueError: the source holds no pairs of images and texts, has no test part or no such column, or a group of it is
            on both sides.
    """
    missing = sorted({"image", "text"} - set(samples.payloads))
    if missing:
        raise ValueError(f"dataset holds no {missing[0]}; a reduction needs pairs of images and texts")
    train, test = (np.flatnonzero(samples.splits == part) for part in (TRAIN, TEST))
    if not len(test):
        raise ValueError("dataset has no test part, on which a reduction is judged")
    groups, units = samples.groups, _units(samples, group)
    if shared := set(units[train]) & set(units[test]):
        example = samples.groups[str(group)][units == min(shared)][0]
        raise ValueError(
            f"split.group={group}: {example} is among the training and among the test pairs of the dataset"
        )
    own = np.unique(units[train])
    shuffled = generator(seed, "pair validation").permutation(own)
    held = np.isin(units[train], shuffled[: round(validation_share * len(own))])
    return PairArrays(
        ids=samples.ids,
        images=square_images(samples.payloads["image"], resolution),
        captions=[_captions(samples.payloads["text"][row]) for row in range(len(samples))],
        labels=samples.labels,
        class_names=samples.class_names,
        train=train[~held],
        validation=train[held],
        test=test,
        mismatched=groups["mismatched"] == "yes" if "mismatched" in groups else None,
        duplicate_of=groups.get("duplicate_of"),
        scene=groups.get("scene"),
        units=units,
    )


def _units(samples: Samples, group: str | None) -> Ints:
    if group is None:
        return np.arange(len(samples))
    if group not in samples.groups:
        raise ValueError(
            f"split.group={group} is no column of the dataset; it has {', '.join(samples.groups) or 'none'}"
        )
    return np.unique(samples.groups[group], return_inverse=True)[1].astype(np.int64)


def _captions(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)
