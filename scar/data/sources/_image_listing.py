"""The images below a folder, and how a folder of images is laid out: parts and class folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scar.data.fetch import FetchError
from scar.data.paths import inside

SUFFIXES = frozenset(
    f".{each}"
    for each in [
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "png",
        "webp",
        "avif",
        "heic",
        "heif",
        "bmp",
        "gif",
        "tif",
        "tiff",
        "ppm",
        "pgm",
    ]
)
"""Files with other endings are left out, and counted in a note."""

TRAIN_FOLDERS = ("train", "training")
TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")
"""Parts, in any case of the letters."""

_PARTS = frozenset((*TRAIN_FOLDERS, *TEST_FOLDERS))
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".rar", ".7z")
_FOREIGN = {".cr2": "raw", ".nef": "raw", ".dng": "raw", ".svg": "SVG"}


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images below a folder.

    Attributes:
        names: sorted paths relative to the root.
        others: how many other files lie there, hidden ones excepted.
        hidden: how many hidden files with the suffix of an image lie there, such as ``._0.png``; they are passed over.
        foreign: kinds of images that are not read, with their number.
    """

    names: list[str]
    others: int = 0
    hidden: int = 0
    foreign: dict[str, int]

    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the files that were left out."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.foreign.items()))
        said = [
            f"{self.others} files that are not images left out{f' ({kinds}; convert them to PNG)' if kinds else ''}"
        ]
        said = said if self.others else []
        return (*said, *([f"{self.hidden} hidden files passed over"] if self.hidden else []))


def together(found: Iterable[Images]) -> Images:
    """Return the images of several folders as one."""
    parts = list(found)
    kinds = sorted({kind for part in parts for kind in part.foreign})
    return Images(
        names=[name for part in parts for name in part.names],
        others=sum(part.others for part in parts),
        hidden=sum(part.hidden for part in parts),
        foreign={kind: sum(part.foreign.get(kind, 0) for part in parts) for kind in kinds},
    )


def images_below(folder: Path, root: Path) -> Images:
    """List the images below a folder.

    Raises:
        ValueError: a link leaves the root, an image is no plain file, or a name is no UTF-8.
    """
    found: list[str] = []
    foreign: dict[str, int] = {}
    others = hidden = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        relative = Path(place).relative_to(root).as_posix()
        for name in sorted(files):
            suffix = Path(name).suffix.lower()
            if name.startswith("."):
                hidden += suffix in SUFFIXES or Path(name[1:]).suffix.lower() in SUFFIXES
            elif suffix not in SUFFIXES:
                others += 1
                if suffix in _FOREIGN:
                    foreign[_FOREIGN[suffix]] = foreign.get(_FOREIGN[suffix], 0) + 1
            else:
                found.append(_checked(Path(place), name, f"{relative}/{name}", root))
    return Images(names=found, others=others, hidden=hidden, foreign=foreign)


def _checked(place: Path, name: str, relative: str, root: Path) -> str:
    path = place / name
    refuse_bytes(relative, root)
    if path.is_symlink():
        inside(root, relative)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is a pipe, a socket or a device; only plain files are read")
    return relative


def refuse_bytes(name: str, root: Path) -> None:
    """Refuse the name of a file or folder that is no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the name {os.fsencode(name)!r} in {root} is not UTF-8; rename it (convmv -f latin1 -t utf8 --notest FILE)"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the class folders of a folder lie.

    Attributes:
        train: path of the training part relative to the root; empty: the class folders lie in the root.
        test: of the test part; None where there is none.
        unused: names of other folders and images in the root.
    """

    train: str
    test: str | None
    unused: tuple[str, ...] = ()


def find_layout(root: Path, test_folder: str | None) -> Layout:
    """Find the parts and the class folders, refusing what can be read in two ways.

    Args:
        root: of the dataset; a folder with folders.
        test_folder: that holds the test part; None takes the only one there is.
    """
    there = _folders(root)
    train = [name for name in there if name.casefold() in TRAIN_FOLDERS]
    if len(train) > 1:
        raise ValueError(f"{root} holds {' and '.join(train)}, which all mean the training part; merge them")
    if not train:
        if test_folder is not None:
            raise FileNotFoundError(f"dataset.test_folder={test_folder} needs a folder train beside it in {root}")
        _refuse_parts(root, there)
        return Layout(train="", test=None, unused=_images_of(root))
    test = _test_folder(root, there, test_folder)
    used = {train[0], Path(test).parts[0]}
    return Layout(
        train=train[0], test=test, unused=(*(f"{name}/" for name in there if name not in used), *_images_of(root))
    )


def _test_folder(root: Path, there: list[str], given: str | None) -> str:
    if given is not None:
        if not inside(root, given).is_dir():
            raise FileNotFoundError(f"dataset.test_folder={given} is not a folder in {root}")
        return given
    found = [name for name in there if name.casefold() in TEST_FOLDERS]
    if len(found) == 1:
        return found[0]
    seen = f"several of them: {', '.join(found)}" if found else f"none of {', '.join(TEST_FOLDERS)}"
    raise FileNotFoundError(
        f"{root} holds train/ and {seen}; name the test part by dataset.test_folder, or point dataset.root at "
        "the class folders to have a test part drawn"
    )


def _refuse_parts(root: Path, there: list[str]) -> None:
    """Refuse folders that look like parts, or that wrap the class folders."""
    parts = [name for name in there if name.casefold() in _PARTS and _folders(root / name)]
    if parts:
        raise ValueError(
            f"{root} holds {', '.join(parts)}, which look like parts, but no train; call the training part train/, or "
            f"point dataset.root at {root / parts[0]} to have a test part drawn"
        )
    for name in there:
        inner = _folders(root / name)
        split = [each for each in inner if each.casefold() in _PARTS]
        if split and (len(there) == 1 or len(split) == len(inner)):
            cure = (
                f"point dataset.root at {root / name}"
                if len(there) == 1
                else f"put the images at {split[0]}/{name}/ (parts above classes), or rename the folders if they are no parts"
            )
            raise ValueError(f"{root / name} holds {', '.join(split)}, which look like parts of the data; {cure}")
    if len(there) == 1 and len(inner := _folders(root / there[0])) > 1:
        raise ValueError(
            f"{root} holds the single class folder {there[0]!r}, which holds {', '.join(inner[:5])}; if these are the "
            f"classes, point dataset.root at {root / there[0]}"
        )


def class_folders(folder: Path, root: Path) -> list[str]:
    """Return the names of the class folders in a part, refusing a part that holds images but no class folders."""
    names = _folders(folder)
    if not names:
        raise ValueError(f"{folder} holds no class folders; sort its images into one folder per class")
    for name in names:
        refuse_bytes(name, folder)
        if (folder / name).is_symlink():
            inside(root, (folder / name).relative_to(root).as_posix())
    return names


def refuse_without_folders(given: Path, name: str) -> None:
    """Say what is wrong with a place that holds no class folders."""
    advice = "point dataset.root at a folder that holds train/<class>/ and test/<class>/ (or val/<class>/), or <class>/ alone"
    if given.is_file() and given.suffix.lower() in _ARCHIVES:
        raise FetchError(f"dataset={name}: {given} is an archive; unpack it, and {advice}")
    if not given.is_dir():
        raise FetchError(f"dataset={name}: {given} is not a folder; {advice}")
    if _folders(given):
        return
    files = sorted(entry.name for entry in os.scandir(given) if entry.is_file())
    packed = [each for each in files if Path(each).suffix.lower() in _ARCHIVES]
    tables = [each for each in files if Path(each).suffix.lower() in (".csv", ".tsv", ".jsonl", ".parquet")]
    if packed:
        advice = f"unpack {packed[0]} there"
    elif tables and _images_of(given):
        advice = (
            f"read {tables[0]} by dataset=table dataset.root={given} dataset.file={tables[0]} dataset.text=null "
            "dataset.image=COLUMN dataset.label=COLUMN"
        )
    raise FetchError(f"dataset={name}: {given} holds no class folders; {advice}")


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _images_of(folder: Path) -> tuple[str, ...]:
    """Return the names of the images in a folder itself."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return tuple(name for name in names if Path(name).suffix.lower() in SUFFIXES)


def loose_images(folder: Path) -> int:
    """Return how many images of a part lie in no class folder."""
    return len(_images_of(folder))
