"""Any folder of images, one subfolder per class: ``train/<class>/…`` and ``test/<class>/…``, or ``<class>/…`` alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from scar.data.image_decoding import check_depth
from scar.data.labels import LabelRules, encode_classes, label_rules
from scar.data.media import ImageFiles
from scar.data.names import clean_name
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._columns import finish
from scar.data.sources._image_listing import (
    Images,
    Layout,
    class_folders,
    find_layout,
    images_below,
    loose_images,
    refuse_without_folders,
    together,
)
from scar.data.sources._listing import listing


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The images of a folder, sorted by name within each class.

    Attributes:
        folder: of the dataset.
        names: [N] paths relative to it.
        classes: [N] class folders.
        splits: [N] parts.
        notes: what was left out.
        empty: class folders without images.
    """

    folder: Path
    names: list[str]
    classes: list[str]
    splits: list[str]
    notes: tuple[str, ...]
    empty: list[str]


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Source):
    """Images by class folder; nothing is fetched. Classes are the folders of the training part, sorted by name.

    Attributes:
        test_folder: that holds the test part beside ``train`` (or training); None takes the one there is of test,
            testing, val, valid and validation, in any case of the letters. Without a folder ``train`` the class folders
            lie in `root` itself.
        test_fraction: share of the samples that forms the test part where none is given.
        names_files: files in `root` with a line ``<class folder> <name>`` for every class; the first that is there
            is used, and where none is, folders are called by their own names.
        labels: what the names of the class folders mean.
        depth: values (low, high) that become 0 and 255 in images of more than 8 bits; None refuses such images.
    """

    remote: ClassVar[bool] = True

    name: str = "image_folder"
    test_folder: str | None = None
    test_fraction: float = 0.2
    names_files: tuple[str, ...] = ()
    labels: LabelRules = field(default_factory=LabelRules)
    depth: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "names_files", tuple(self.names_files))
        object.__setattr__(self, "labels", label_rules(self.labels))
        if self.labels.several:
            raise ValueError(
                "dataset.labels.several=true: an image lies in one class folder; list the labels in a table"
            )
        object.__setattr__(self, "depth", check_depth(self.depth))
        self._require_share("test_fraction")

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("image",)

    @property
    def pools_unlabelled(self) -> bool:
        """Whether `labels` says so."""
        return self.labels.on_unlabelled == "pool"

    def located(self, data_dir: Path) -> list[Path]:
        """Return the folder, if it is there, without reading the images."""
        return [self._folder(data_dir)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return a listing of all images with their checksums, and the file of the class names."""
        found = self._scan(data_dir)
        names_file = self._names_file(found.folder)
        return [listing(found.folder, found.names, data_dir), *([names_file] if names_file else [])]

    def load(self, data_dir: Path) -> Samples:
        """List the images, which are decoded when they are asked for; ids are paths relative to the folder."""
        found = self._scan(data_dir)
        classes = encode_classes(
            found.classes,
            (),
            lambda row: f"{found.folder / found.names[row]}: the class folder",
            rules=self.labels,
            letters=True,
        )
        if self.labels.on_empty == "keep":
            classes = classes.including(found.empty, self.labels)
        samples = finish(
            self,
            {"image": ImageFiles([found.folder / name for name in found.names], check_depth(self.depth))},
            classes,
            rules=self.labels,
            splits=np.array(found.splits) if TEST in found.splits else None,
            ids=np.array(found.names),
            groups={},
            fraction=self.test_fraction,
            notes=found.notes,
        )
        names = self._class_names(found.folder, list(samples.class_names))
        called = dict(zip(samples.class_names, names, strict=True))
        return replace(samples, class_names=names, absent=tuple(called[each] for each in samples.absent))

    def _folder(self, data_dir: Path) -> Path:
        given = self.local_root(data_dir)
        refuse_without_folders(given, self.name)
        return given

    def _scan(self, data_dir: Path) -> _Found:
        folder = self._folder(data_dir)
        layout = find_layout(folder, self.test_folder)
        parts = [(layout.train, TRAIN), *([(layout.test, TEST)] if layout.test is not None else [])]
        found: list[tuple[Images, str, str]] = []
        empty: list[str] = []
        loose = 0
        for part, split in parts:
            loose += loose_images(folder / part) if part else 0
            for class_folder in class_folders(folder / part, folder):
                images = images_below(folder / part / class_folder, folder)
                if not images.names:
                    if self.labels.on_empty is None:
                        raise ValueError(
                            f"the class folder {folder / part / class_folder} holds no images; put those of its class there, "
                            "point dataset.root at folders that hold some, or use dataset.labels.on_empty=keep, which makes it "
                            "a class that a plan should fill, or skip, which leaves it out"
                        )
                    empty.append(class_folder)
                found.append((images, class_folder, split))
        whole = together(images for images, _, _ in found)
        return _Found(
            folder=folder,
            names=whole.names,
            classes=[name for images, name, _ in found for _ in images.names],
            splits=[split for images, _, split in found for _ in images.names],
            notes=(*whole.notes(), *_left_out(folder, layout, loose)),
            empty=empty,
        )

    def _names_file(self, folder: Path) -> Path | None:
        return next((folder / name for name in self.names_files if (folder / name).is_file()), None)

    def _class_names(self, folder: Path, folders: list[str]) -> tuple[str, ...]:
        path = self._names_file(folder)
        if path is None:
            return tuple(folders)
        names: dict[str, str] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            key, _, name = line.strip().partition(" ")
            if line.strip() and (not name.strip() or key in names):
                raise ValueError(f"{path}, line {number}: expected a class folder, a space and its name, once for each")
            names[clean_name(key)] = name.strip()
        missing = [each for each in folders if each not in names]
        if missing:
            raise ValueError(f"{path} has no name for the class {missing[0]!r} ({len(missing)} such classes)")
        chosen = [names[each] for each in folders]
        # Two ImageNet classes are called "crane" and two "maillot": the folder tells them apart.
        return tuple(n if chosen.count(n) == 1 else f"{n} ({f})" for n, f in zip(chosen, folders, strict=True))


def _left_out(folder: Path, layout: Layout, loose: int) -> list[str]:
    """Say which images beside the class folders are not used."""
    said = []
    for name in layout.unused:
        count = len(images_below(folder / name, folder).names) if name.endswith("/") else 0
        if count:
            said.append(f"{count} images in {name} left out: the parts are {layout.train}/ and {layout.test}/")
    loose += sum(not name.endswith("/") for name in layout.unused)
    return [*said, f"{loose} images that lie in no class folder left out"] if loose else said
