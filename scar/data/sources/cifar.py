"""CIFAR-10 and CIFAR-100: 60 000 colour images, 32 × 32, from the Python batches or from folders of image files."""

from __future__ import annotations

import hashlib
import socket
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from scar.data.fetch import Origin, from_root, locate, obtain, refetchable
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._class_folders import image_files, read_class_folders
from scar.data.sources._deviations import deviations
from scar.data.sources._image_arrays import image_samples, sub_sample
from scar.data.sources._listing import listing
from scar.data.sources._python_batches import SIDE, read_batch, read_names

_SIZES = {TRAIN: 50_000, TEST: 10_000}
_SECONDS = 20
_CLASSES10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CLASSES100 = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
"""The fine labels, in the order of the release."""


@dataclass(frozen=True)
class _Release:
    """One archive of https://www.cs.toronto.edu/~kriz/cifar.html and the names inside it."""

    archive: str
    md5: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: str
    names: str
    class_names: tuple[str, ...]


_CIFAR10 = _Release(
    archive="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    folder="cifar-10-batches-py",
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels="labels",
    names="label_names",
    class_names=tuple(_CLASSES10.split()),
)
_CIFAR100 = _Release(
    archive="cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    folder="cifar-100-python",
    train=("train",),
    test="test",
    meta="meta",
    labels="fine_labels",
    names="fine_label_names",
    class_names=tuple(_CLASSES100.split()),
)


@dataclass(frozen=True, kw_only=True)
class _Cifar(Source):
    """What both releases share: 50 000 training and 10 000 test images, or class-aware parts of them."""

    release: ClassVar[_Release]

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("image",)

    def located(self, data_dir: Path) -> list[Path]:
        """Return the batches, or the folder of the image files without reading them."""
        folder = self._image_folder(data_dir)
        return [folder] if folder is not None else self._batches(data_dir)

    def files(self, data_dir: Path) -> list[Path]:
        """Return the batches and the class names, or a listing of image files with their checksums.

        What is there is taken: batches, image files, the archive. Else the archive is downloaded.
        """
        folder = self._image_folder(data_dir)
        if folder is not None:
            return [listing(folder, image_files(folder).names, data_dir)]
        return self._batches(data_dir)

    def load(self, data_dir: Path) -> Samples:
        """Read the images as uint8 arrays.

        Those of the batches have ids ``train-00000`` … ``test-09999``, in the order of the batches; image files have
        their paths for ids, such as ``train/cat/0001.png``.
        """
        folder = self._image_folder(data_dir)
        if folder is not None:
            samples = read_class_folders(folder, self.release.class_names, SIDE)
        else:
            *batches, meta = self._batches(data_dir)
            with refetchable(self.root, data_dir):
                class_names = read_names(meta, self.release.names)
                arrays = [read_batch(path, self.release.labels) for path in batches]
            samples = image_samples(arrays, class_names)
        found = {part: int((samples.splits == part).sum()) for part in _SIZES}
        notes = deviations(found, _SIZES, "images")
        return sub_sample(self, replace(samples, notes=(*samples.notes, *notes)))

    @property
    def _names(self) -> list[str]:
        return [*self.release.train, self.release.test, self.release.meta]

    def _layouts(self, data_dir: Path) -> list[Path]:
        """Return the folders that may hold batches or image files; only one of the user's own may be named at will."""
        below = (self.release.folder, f"{self.name}/{self.release.folder}", self.name)
        if self.root is None:
            return [data_dir / layout for layout in below]
        root = Path(self.root).expanduser()
        return [root, *(root / layout for layout in below)]

    def _image_folder(self, data_dir: Path) -> Path | None:
        """Return the folder of image files, unless there are batches."""
        places = self._layouts(data_dir)
        if locate([*places, data_dir] if self.root is None else places, self._names):
            return None
        return next((place for place in places if (place / TRAIN).is_dir()), None)

    def _batches(self, data_dir: Path) -> list[Path]:
        """Return the batches and the class names: a local copy, its archive unpacked, or a download of it."""
        release, names = self.release, self._names
        if self.root is not None and (packed := self._archives(Path(self.root).expanduser())):
            return obtain(data_dir / release.folder, names, packed, dataset=self.name)
        if self.root is not None:
            layouts = (release.folder, f"{self.name}/{release.folder}", self.name)
            return from_root(self.root, layouts, names, instead="train/<class>/ and test/<class>/ of image files")
        local = locate([*self._layouts(data_dir), data_dir], names)
        if local:
            return local
        origins = self._archives(data_dir)
        origins.append(Origin("www.cs.toronto.edu (torchvision's downloader)", lambda to: _download(release, to)))
        return obtain(data_dir / release.folder, names, origins, dataset=self.name)

    def _archives(self, folder: Path) -> list[Origin]:
        """Return the archive of the release, named itself or in a folder without batches, to be unpacked."""
        release = self.release
        if folder.is_file():
            return [_unpacked(folder, release)] if folder.name == release.archive else []
        if locate(
            [folder / layout for layout in ("", release.folder, f"{self.name}/{release.folder}", self.name)],
            self._names,
        ):
            return []
        paths = [folder / release.archive, folder / self.name / release.archive]
        return [_unpacked(path, release) for path in paths if path.is_file()]


@dataclass(frozen=True, kw_only=True)
class Cifar10(_Cifar):
    """CIFAR-10: 10 classes, 5 000 training and 1 000 test images of each."""

    release: ClassVar[_Release] = _CIFAR10

    name: str = "cifar10"


@dataclass(frozen=True, kw_only=True)
class Cifar100(_Cifar):
    """CIFAR-100 with its fine labels: 100 classes, 500 training and 100 test images of each."""

    release: ClassVar[_Release] = _CIFAR100

    name: str = "cifar100"


def _unpacked(archive: Path, release: _Release) -> Origin:
    return Origin(f"the archive {archive}", lambda folder: _unpack(archive, release, folder), local=True)


def _unpack(archive: Path, release: _Release, folder: Path) -> None:
    """Write the files of the release, and no other member of the archive, into a folder."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != release.md5:
        raise OSError(f"its MD5 is {found}, not {release.md5} of the release; it may be cut short")
    with tarfile.open(archive) as tar:
        for name in (*release.train, release.test, release.meta):
            member = tar.extractfile(f"{release.folder}/{name}")
            if member is None:
                raise OSError(f"{name} is not a file in it")
            (folder / name).write_bytes(member.read())


def _download(release: _Release, folder: Path) -> None:
    """Download the archive and check it; a silent network ends it."""
    from torchvision.datasets.utils import download_url

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        download_url(f"https://www.cs.toronto.edu/~kriz/{release.archive}", str(folder), md5=release.md5)
    finally:
        socket.setdefaulttimeout(before)
    _unpack(folder / release.archive, release, folder)
