"""Any folder of images, one subfolder per class: ``train/<class>/…`` and ``test/<class>/…``, or ``<class>/…`` alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from scar.data.checks import validate_samples
from scar.data.fetch import FetchError
from scar.data.listing import listing
from scar.data.media import ImageFiles
from scar.data.paths import inside
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.stratify import draw_test_part, keep_sizes

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"))
"""Files with other endings are left out, and counted in a note."""

_TEST_FOLDERS = ("test", "val", "valid", "validation")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The images of a folder, sorted by name within each class."""

    folder: Path
    names: list[str]
    classes: list[str]
    splits: list[str]
    others: int


@dataclass(frozen=True, kw_only=True)
class ImageFolder(Source):
    """Images by class folder; nothing is fetched. Classes are the folders of the training part, sorted by name.

    Attributes:
        test_folder: that holds the test part beside ``train``; None takes the one there is of test, val, valid and
            validation. Without a folder ``train`` the class folders lie in `root` itself.
        test_fraction: share of the samples that forms the test part where none is given.
        names_files: files in `root` with a line ``<class folder> <name>`` for every class; the first that is there
            is used, and where none is, folders are called by their own names.
    """

    helpers: ClassVar[tuple[str, ...]] = (
        *Source.helpers,
        "scar.data.media",
        "scar.data.undecoded",
        "scar.data.listing",
    )

    name: str = "image_folder"
    test_folder: str | None = None
    test_fraction: float = 0.2
    names_files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "names_files", tuple(self.names_files))
        self._require_share("test_fraction")

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("image",)

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
        folders = sorted({c for c, split in zip(found.classes, found.splits, strict=True) if split == TRAIN})
        index = {name: i for i, name in enumerate(folders)}
        unknown = sorted(set(found.classes) - set(folders))
        if unknown:
            raise ValueError(
                f"{found.folder}: the test part has the class {unknown[0]!r}, which no training image has; its classes "
                "must be folders of the training part"
            )
        labels = np.array([index[each] for each in found.classes], np.int64)
        splits = np.array(found.splits)
        if TEST not in found.splits:
            splits = draw_test_part(labels, self.test_fraction, self.seed)
        rows = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        samples = Samples(
            ids=np.array([found.names[row] for row in rows]),
            payloads={"image": ImageFiles([found.folder / found.names[row] for row in rows])},
            labels=labels[rows],
            class_names=self._class_names(found.folder, folders),
            splits=splits[rows],
            groups={},
            notes=(f"{found.others} files that are not images left out",) if found.others else (),
        )
        return validate_samples(samples, name=self.name)

    def _folder(self, data_dir: Path) -> Path:
        given = Path(self.root).expanduser() if self.root is not None else data_dir / self.name
        if given.is_dir() and any(entry.is_dir() for entry in given.iterdir()):
            return given
        what = "is not a folder" if not given.is_dir() else "holds no class folders"
        raise FetchError(
            f"dataset={self.name}: {given} {what}; point dataset.root at a folder that holds train/<class>/ and "
            "test/<class>/ (or val/<class>/), or <class>/ alone"
        )

    def _scan(self, data_dir: Path) -> _Found:
        folder = self._folder(data_dir)
        parts = [("", TRAIN)]
        if (folder / "train").is_dir():
            parts = [("train", TRAIN), (self._test_folder(folder), TEST)]
        elif self.test_folder is not None:
            raise FileNotFoundError(
                f"dataset.test_folder={self.test_folder} needs a folder train beside it in {folder}"
            )
        names: list[str] = []
        classes: list[str] = []
        splits: list[str] = []
        others = 0
        for part, split in parts:
            for class_folder in _class_folders(folder / part, folder):
                images, rest = _images(folder / part / class_folder, folder)
                if not images:
                    raise ValueError(
                        f"the class folder {folder / part / class_folder} holds no images; remove it or fill it"
                    )
                names.extend(images)
                classes.extend([class_folder] * len(images))
                splits.extend([split] * len(images))
                others += rest
        return _Found(folder=folder, names=names, classes=classes, splits=splits, others=others)

    def _test_folder(self, folder: Path) -> str:
        if self.test_folder is not None:
            if not inside(folder, self.test_folder).is_dir():
                raise FileNotFoundError(f"dataset.test_folder={self.test_folder} is not a folder in {folder}")
            return self.test_folder
        there = [name for name in _TEST_FOLDERS if (folder / name).is_dir()]
        if len(there) == 1:
            return there[0]
        found = f"several of them: {', '.join(there)}" if there else "none of test, val, valid, validation"
        raise FileNotFoundError(
            f"{folder} holds train/ and {found}; name the test part by dataset.test_folder, or point dataset.root at "
            "the class folders to have a test part drawn"
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
            names[key] = name.strip()
        missing = [each for each in folders if each not in names]
        if missing:
            raise ValueError(f"{path} has no name for the class {missing[0]!r} ({len(missing)} such classes)")
        chosen = [names[each] for each in folders]
        # Two ImageNet classes are called "crane" and two "maillot": the folder tells them apart.
        return tuple(n if chosen.count(n) == 1 else f"{n} ({f})" for n, f in zip(chosen, folders, strict=True))


def _class_folders(folder: Path, root: Path) -> list[str]:
    """Return the names of the class folders in a part, refusing a part that holds images but no class folders."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise ValueError(f"{folder} holds no class folders; sort its images into one folder per class")
    for name in names:
        if (folder / name).is_symlink():
            inside(root, (folder / name).relative_to(root).as_posix())
    return names


def _images(folder: Path, root: Path) -> tuple[list[str], int]:
    """Return the images below a class folder as sorted paths relative to the root, and how many other files lie there."""
    found, others = [], 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        relative = Path(place).relative_to(root).as_posix()
        for name in sorted(files):
            if Path(name).suffix.lower() not in SUFFIXES:
                others += not name.startswith(".")
                continue
            found.append(f"{relative}/{name}")
            if (Path(place) / name).is_symlink():
                inside(root, found[-1])
    return found, others
