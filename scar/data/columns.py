"""What sources of rows with named columns share: which column is what, classes, test part, and the samples made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.data.checks import validate_samples
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.stratify import draw_test_part, keep_sizes
from scar.randomness import generator

Ints = NDArray[np.int64]

MEDIA = ("image", "audio", "video")


@dataclass(frozen=True, kw_only=True)
class ColumnSource(Source):
    """A source whose samples are rows; null means that there is no such column.

    Two modalities make pairs, which need no label.

    Attributes:
        image: column of the images.
        audio: column of the sounds.
        video: column of the videos.
        text: column of the texts.
        captions: columns of several captions per sample, or one column of lists; in place of `text`.
        label: column of the classes: whole numbers or names.
        id: column of unique ids; None numbers the rows.
        groups: columns that `split.group` may name; the first of them also keeps a drawn test part apart.
        class_names: names of the classes 0..K-1; empty takes those of the data.
        test_fraction: share of the samples that forms the test part where none is given.
    """

    helpers: ClassVar[tuple[str, ...]] = (
        *Source.helpers,
        "scar.data.columns",
        "scar.data.media",
        "scar.data.undecoded",
    )

    image: str | None = None
    audio: str | None = None
    video: str | None = None
    text: str | None = "text"
    captions: tuple[str, ...] = ()
    label: str | None = "label"
    id: str | None = None
    groups: tuple[str, ...] = ()
    class_names: tuple[str, ...] = field(default=())
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("captions", "groups", "class_names"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        self._require_share("test_fraction")
        if self.text is not None and self.captions:
            raise ValueError(
                f"dataset.text={self.text} and dataset.captions={list(self.captions)} are both texts; "
                "set dataset.text=null or dataset.captions=[]"
            )
        if not self.modalities:
            raise ValueError(
                "dataset.text, dataset.captions, dataset.image, dataset.audio and dataset.video name no column; "
                "name the one that holds the content"
            )
        if self.label is None and len(self.modalities) < 2:
            raise ValueError(
                "dataset.label is null, which only pairs of two modalities allow; name the column of the classes"
            )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those of the columns that are set; texts come last."""
        media = tuple(each for each in MEDIA if getattr(self, each) is not None)
        return (*media, "text") if self.text is not None or self.captions else media

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        single = [self.image, self.audio, self.video, self.text, self.label, self.id]
        return tuple(dict.fromkeys([*(c for c in single if c is not None), *self.captions, *self.groups]))

    def assemble(
        self,
        payloads: Mapping[str, Sequence[Any]],
        *,
        labels: Sequence[Any] | None,
        known_names: tuple[str, ...] = (),
        splits: NDArray[np.str_] | None,
        ids: NDArray[np.str_],
        groups: Mapping[str, NDArray[np.str_]],
        where: Callable[[int], str],
    ) -> Samples:
        """Make samples of aligned columns: classes, test part and sub-sample.

        Args:
            payloads: one sequence of length N per modality.
            labels: [N] values of the label column, or None for pairs without one.
            known_names: class names that the data bring; `class_names` has precedence.
            splits: [N] given parts, or None to draw a test part.
            ids: [N] ids.
            groups: columns of [N] group names.
            where: what a message calls a row.
        """
        check_unique(ids, where)
        encoded: Ints | None = None
        names: tuple[str, ...] = ()
        if labels is not None:
            encoded, names = encode_classes(labels, self.class_names or known_names, where, column=str(self.label))
        if splits is None:
            group = groups[self.groups[0]] if self.groups else None
            splits = draw_part(encoded, group, len(ids), self.test_fraction, self.seed)
        samples = Samples(
            ids=ids,
            payloads=payloads,
            labels=encoded,
            class_names=names,
            splits=splits,
            groups=groups,
        )
        rows = keep_sizes(encoded, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        return validate_samples(samples if len(rows) == len(ids) else samples.take(rows), name=self.name)


def check_unique(ids: NDArray[np.str_], where: Callable[[int], str]) -> None:
    """Refuse an id that stands for two rows, naming both."""
    distinct, first, counts = np.unique(ids, return_index=True, return_counts=True)
    if len(distinct) < len(ids):
        repeated = distinct[counts > 1][np.argmin(first[counts > 1])]
        rows = np.flatnonzero(ids == repeated)
        raise ValueError(f"{where(int(rows[1]))}: the id {str(repeated)!r} is that of {where(int(rows[0]))} already")


def encode_classes(
    values: Sequence[Any], names: tuple[str, ...], where: Callable[[int], str], *, column: str
) -> tuple[Ints, tuple[str, ...]]:
    """Turn the values of a label column into class indices.

    Whole numbers, also written as text, are indices into `names`; without names, and for any other text, the distinct
    values are the classes, in their order as numbers or letters.

    Returns:
        [N] indices in 0..K-1 and the [K] names.

    Raises:
        ValueError: a label is missing, no whole number and no name, or not among the names; the message says where.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"dataset.class_names holds {next(n for n in names if names.count(n) > 1)!r} more than once")
    codes, distinct = _codes(values, where, column)
    numbers = _as_numbers(distinct, names)
    keys: list[Any] = [str(each) for each in distinct] if numbers is None else list(numbers)
    known: Sequence[Any] = sorted(set(keys))
    if names:
        known = names if numbers is None else range(len(names))
    unknown = next((place for place, key in enumerate(keys) if key not in known), None)
    if unknown is not None:
        allowed = ", ".join(names[:20]) if numbers is None else f"0..{len(names) - 1}"
        row = int(np.flatnonzero(codes == unknown)[0])
        raise ValueError(
            f"{where(row)}, column {column!r}: the label {keys[unknown]!r} is none of the classes {allowed}"
        )
    return np.array([known.index(key) for key in keys], np.int64)[codes], names or tuple(map(str, known))


def _codes(values: Sequence[Any], where: Callable[[int], str], column: str) -> tuple[Ints, list[Any]]:
    """Return [N] places among the distinct values, and these in the order of their appearance."""
    found: dict[Any, int] = {}
    codes = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        if type(value) not in (str, int, bool):
            kind = "missing" if value is None else f"{value!r}, a {type(value).__name__}"
            raise ValueError(
                f"{where(row)}, column {column!r}: the label is {kind}; each sample needs one class, a name or a whole "
                "number"
            )
        codes[row] = found.setdefault(value, len(found))
    return codes, list(found)


def _as_numbers(values: list[Any], names: tuple[str, ...]) -> list[int] | None:
    """Return labels as whole numbers if all of them are, and none is a class name."""
    if any(isinstance(value, bool) or str(value) in names for value in values):
        return None
    try:
        numbers = [int(value) for value in values]
    except ValueError:
        return None
    return numbers if all(str(n) == str(v).strip() for n, v in zip(numbers, values, strict=True)) else None


def draw_part(
    labels: Ints | None, groups: NDArray[np.str_] | None, size: int, fraction: float, seed: int
) -> NDArray[np.str_]:
    """Cut a test part from data that come without one: class-aware, and of whole groups where there are groups.

    Returns:
        [N] ``"train"`` or ``"test"``; it depends on `seed` (of the dataset) alone.
    """
    classes = np.zeros(size, np.int64) if labels is None else labels
    if groups is None:
        return draw_test_part(classes, fraction, seed)
    names, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(classes.max(initial=0)) + 1))
    np.add.at(counts, (group_of, classes), 1.0)
    missing = counts.sum(axis=0) * fraction
    chosen = np.zeros(len(names), bool)
    for group in generator(seed, "test part").permutation(len(names)):
        after = missing - counts[group]
        if after @ after < missing @ missing:
            missing, chosen[group] = after, True
    return np.where(chosen[group_of], TEST, TRAIN)


def parts_of(
    values: Sequence[str], train: tuple[str, ...], test: tuple[str, ...], where: Callable[[int], str], *, column: str
) -> NDArray[np.str_]:
    """Turn the values of a split column into ``"train"`` and ``"test"``.

    Raises:
        ValueError: a value is in neither list; the message says where.
    """
    part = {**dict.fromkeys(train, TRAIN), **dict.fromkeys(test, TEST)}
    for row, value in enumerate(values):
        if value not in part:
            raise ValueError(
                f"{where(row)}, column {column!r}: the split {value!r} is neither in dataset.train_values={list(train)} "
                f"nor in dataset.test_values={list(test)}; add it to one of them"
            )
    return np.array([part[value] for value in values])
