"""What sources of rows with named columns share: which column is what, classes, test part, and the samples made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.mapped import full, repeated_texts
from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.checks import first_few, validate_samples
from scar.data.image_decoding import Depth, check_depth
from scar.data.label_sets import HINT, read_labels, unlabelled
from scar.data.labels import Classes, LabelRules, label_rules
from scar.data.samples import POOL, TEST, TRAIN, UNLABELLED, Samples
from scar.data.source import Source
from scar.data.stratify import draw_group_share, draw_test_part, keep_sizes

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
        labels: what the values of `label` mean.
        depth: values (low, high) that become 0 and 255 in images of more than 8 bits; None refuses such images.
        test_fraction: share of the samples that forms the test part where none is given.
    """

    image: str | None = None
    audio: str | None = None
    video: str | None = None
    text: str | None = "text"
    captions: tuple[str, ...] = ()
    label: str | None = "label"
    id: str | None = None
    groups: tuple[str, ...] = ()
    class_names: tuple[str, ...] = field(default=())
    labels: LabelRules = field(default_factory=LabelRules)
    depth: tuple[float, ...] | None = None
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in ("captions", "groups", "class_names"):
            object.__setattr__(self, each, tuple(getattr(self, each)))
        object.__setattr__(self, "labels", label_rules(self.labels))
        object.__setattr__(self, "depth", check_depth(self.depth))
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
    def several_labels(self) -> bool:
        """Whether `labels` says so."""
        return self.labels.several

    @property
    def pools_unlabelled(self) -> bool:
        """Whether `labels` says so."""
        return self.labels.on_unlabelled == "pool"

    @property
    def window(self) -> Depth | None:
        """`depth` as a pair."""
        return check_depth(self.depth)

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
        items: Sequence[str] | None = None,
        notes: Sequence[str] = (),
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
            items: [N] what each row is about, where several rows may be about the same: an image with several captions.
            notes: what a reader should know of the rows.
        """
        check_unique(ids, where)
        found = None
        if items is not None and not groups and splits is None and len(set(items)) < len(items):
            splits = draw_part(None, np.array(items), len(items), self.test_fraction, self.seed)
            notes = [*notes, f"{len(items)} rows are about {len(set(items))} items, which the test part keeps whole"]
        if labels is not None:
            found = read_labels(
                labels,
                self.class_names or known_names,
                lambda row: f"{where(row)}, column {str(self.label)!r}: the label",
                self.labels,
            )
        return finish(
            self,
            payloads,
            found,
            rules=self.labels,
            splits=splits,
            ids=ids,
            groups=groups,
            fraction=self.test_fraction,
            notes=notes,
        )


def finish(
    source: Source,
    payloads: Mapping[str, Sequence[Any]],
    classes: Classes | None,
    *,
    rules: LabelRules,
    splits: NDArray[np.str_] | None,
    ids: NDArray[np.str_],
    groups: Mapping[str, NDArray[np.str_]],
    fraction: float,
    notes: Sequence[str] = (),
) -> Samples:
    """Make samples of aligned rows: those with a label, a test part where none is given, the sub-sample, all checked.

    Args:
        source: whose sizes and seed count.
        payloads: one sequence of length N per modality.
        classes: of the N rows; None for pairs without labels.
        rules: which of them are left out, or form the pool.
        splits: [N] given parts, or None to draw a test part.
        ids: [N] ids.
        groups: columns of [N] group names; the first keeps a drawn test part apart.
        fraction: share of the samples that forms a drawn test part.
        notes: what a reader should know of the rows.
    """
    samples = Samples(
        ids=ids,
        payloads=payloads,
        labels=None if classes is None else classes.labels,
        class_names=() if classes is None else classes.names,
        splits=full(len(ids), TRAIN) if splits is None else splits,
        groups=groups,
        notes=(*notes, *(() if classes is None else classes.notes)),
    )
    if samples.labels is not None and (missing := unlabelled(samples.labels)).any():
        if rules.on_unlabelled == "pool":
            samples = replace(samples, splits=np.where(missing, POOL, samples.splits))
        else:
            samples = samples.take(np.flatnonzero(~missing))
    try:
        return _divided(source, samples, rules, given=splits is not None, fraction=fraction)
    except ValueError as error:
        hint = next((note for note in samples.notes if note.startswith(HINT)), None)
        if hint is None:
            raise
        raise ValueError(f"{error}; {hint}") from error


def _divided(source: Source, samples: Samples, rules: LabelRules, *, given: bool, fraction: float) -> Samples:
    """Return the samples with their parts and sub-sample, checked."""
    samples = _settle_empty(samples, rules)
    samples = _with_test_part(samples, fraction, source.seed) if not given else _settle_test_only(samples, rules)
    rows = keep_sizes(
        samples.labels, samples.splits, train_size=source.train_size, test_size=source.test_size, seed=source.seed
    )
    return validate_samples(samples if len(rows) == len(samples) else samples.take(rows), name=source.name)


def _with_test_part(samples: Samples, fraction: float, seed: int) -> Samples:
    """Draw a test part from the samples that have a label."""
    rows = np.flatnonzero(samples.splits != POOL)
    known = samples if len(rows) == len(samples) else samples.take(rows)
    drawn = draw_part(known.labels, next(iter(known.groups.values()), None), len(rows), fraction, seed)
    if known is samples:
        return replace(samples, splits=drawn)
    parts = samples.splits.copy()
    parts[rows] = drawn
    return replace(samples, splits=parts)


def _settle_empty(samples: Samples, rules: LabelRules) -> Samples:
    """Refuse, leave out or keep classes without any row."""
    if samples.labels is None or samples.labels.ndim == 2:
        return samples
    sizes = np.bincount(samples.labels[samples.labels >= 0], minlength=len(samples.class_names))
    empty = np.flatnonzero(sizes == 0)
    names = [samples.class_names[k] for k in empty]
    if not names:
        return samples
    if rules.on_empty is None:
        raise ValueError(
            f"the class {names[0]!r} has no sample ({len(names)} such classes); dataset.labels.on_empty=keep makes it a class "
            "that a plan should fill, skip leaves it out"
        )
    return _settle(samples, empty, rules.on_empty, f"{len(names)} classes without samples left out")


def _settle_test_only(samples: Samples, rules: LabelRules) -> Samples:
    """Refuse, leave out or keep classes that the training part lacks."""
    if samples.labels is None or samples.labels.ndim == 2:
        return samples
    sizes = np.bincount(samples.labels[samples.splits == TRAIN], minlength=len(samples.class_names))
    lost = np.setdiff1d(samples.labels[samples.splits == TEST], np.flatnonzero(sizes))
    names = [samples.class_names[k] for k in lost]
    if not names:
        return samples
    rows = int(np.isin(samples.labels, lost).sum())
    if rules.on_test_only == "raise":
        raise ValueError(
            f"the test part has the class {names[0]!r}, which no training sample has ({len(names)} such classes, {rows} samples); "
            "dataset.labels.on_test_only=skip leaves such samples out, keep makes it a class that a plan should fill"
        )
    left_out = f"{rows} test rows of classes without training rows left out"
    return _settle(samples, lost, rules.on_test_only, left_out)


def _settle(samples: Samples, classes: NDArray[np.integer[Any]], how: str, left_out: str) -> Samples:
    """Keep or skip classes, as `LabelRules` says, with a note that names them."""
    names = [samples.class_names[k] for k in classes]
    if how == "keep":
        return replace(samples, absent=(*samples.absent, *names), notes=(*samples.notes, _kept_note(names)))
    return _without_classes(samples, classes, f"{left_out}: {first_few(names)}")


def _kept_note(names: Sequence[str]) -> str:
    return f"{len(names)} classes have no training sample and are kept: {first_few(names)}"


def _without_classes(samples: Samples, lost: NDArray[np.integer[Any]], note: str) -> Samples:
    """Leave out some classes and their rows."""
    kept = samples.take(np.flatnonzero(~np.isin(samples.labels, lost)))  # type: ignore[arg-type]
    stays = ~np.isin(np.arange(len(samples.class_names)), lost)
    order = np.cumsum(stays) - 1
    assert kept.labels is not None
    return replace(
        kept,
        labels=np.where(kept.splits == POOL, UNLABELLED, order[kept.labels]).astype(np.int64),
        class_names=tuple(name for name, stay in zip(samples.class_names, stays, strict=True) if stay),
        notes=(*samples.notes, note),
    )


def check_unique(ids: NDArray[np.str_], where: Callable[[int], str]) -> None:
    """Refuse an id that stands for two rows, naming both."""
    rows = repeated_texts(ids)
    if len(rows):
        repeated = ids[rows[0]]
        rows = rows[ids[rows] == repeated]
        raise ValueError(f"{where(int(rows[1]))}: the id {str(repeated)!r} is that of {where(int(rows[0]))} already")


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
    return np.where(draw_group_share(classes, groups, fraction, generator(seed, "test part")), TEST, TRAIN)


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
