"""CIFAR-10 and CIFAR-100: 60 000 colour images, 32 × 32, from the original Python batches."""

from __future__ import annotations

import hashlib
import pickle
import socket
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scar.data.checks import validate_samples
from scar.data.fetch import Origin, from_root, locate, obtain
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.stratify import keep_sizes

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_SECONDS = 20


@dataclass(frozen=True)
class _Release:
    """One archive of https://www.cs.toronto.edu/~kriz/cifar.html and the names inside it."""

    archive: str
    md5: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: bytes
    names: bytes


_CIFAR10 = _Release(
    archive="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    folder="cifar-10-batches-py",
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels=b"labels",
    names=b"label_names",
)
_CIFAR100 = _Release(
    archive="cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    folder="cifar-100-python",
    train=("train",),
    test="test",
    meta="meta",
    labels=b"fine_labels",
    names=b"fine_label_names",
)


@dataclass(frozen=True, kw_only=True)
class _Cifar(Source):
    """What both releases share: 50 000 training and 10 000 test images, or class-aware parts of them."""

    release: ClassVar[_Release]

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("image",)

    def files(self, data_dir: Path) -> list[Path]:
        """Return the batches and the class names: a local copy, its archive unpacked, or a download of it."""
        release = self.release
        names = [*release.train, release.test, release.meta]
        layouts = (release.folder, f"{self.name}/{release.folder}", self.name)
        if self.root is not None:
            return from_root(self.root, layouts, names)
        local = locate([*(data_dir / layout for layout in layouts), data_dir], names)
        if local:
            return local
        archives = [data_dir / release.archive, data_dir / self.name / release.archive]
        origins = [_unpacked(path, release) for path in archives if path.is_file()]
        origins.append(Origin("www.cs.toronto.edu (torchvision's downloader)", lambda to: _download(release, to)))
        return obtain(data_dir / release.folder, names, origins, dataset=self.name)

    def load(self, data_dir: Path) -> Samples:
        """Read the images as a uint8 array; ids are ``train-00000`` … ``test-09999``, in the order of the batches."""
        *batches, meta = self.files(data_dir)
        class_names = read_names(meta, self.release.names)
        parts = [read_batch(path, self.release.labels) for path in batches]
        sizes = [sum(len(labels) for _, labels in parts[:-1]), len(parts[-1][1])]
        images: Any = np.concatenate([images for images, _ in parts])
        labels = np.concatenate([labels for _, labels in parts])
        splits = np.repeat([TRAIN, TEST], sizes)
        places = np.concatenate([np.arange(size) for size in sizes])
        rows = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
        samples = Samples(
            ids=np.array([f"{splits[row]}-{places[row]:05d}" for row in rows]),
            payloads={"image": images if len(rows) == len(images) else images[rows]},
            labels=labels[rows],
            class_names=class_names,
            splits=splits[rows],
            groups={},
        )
        return validate_samples(samples, name=self.name)


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


def read_batch(path: Path, labels_key: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one batch.

    Returns:
        [N, 32, 32, 3] images and [N] labels.

    Raises:
        ValueError: the file is damaged, of another format, or asks for anything but arrays.
    """
    content = _unpickle(path, (b"data", labels_key))
    data = content[b"data"]
    labels = np.asarray(content[labels_key])
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), _PIXELS):
        raise _damaged(
            path,
            f"it holds {getattr(data, 'dtype', type(data).__name__)} data of shape {np.shape(data)} "
            f"for {len(labels)} labels, not uint8 [N, {_PIXELS}]",
        )
    if labels.ndim != 1 or labels.dtype.kind != "i":
        raise _damaged(path, f"its {labels_key.decode()} are not whole numbers")
    images = data.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int64)


def read_names(path: Path, key: bytes) -> tuple[str, ...]:
    """Read the class names from the file of the release that describes it."""
    names: Any = _unpickle(path, (key,))[key]
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise _damaged(path, f"its {key.decode()} are not names")
    return tuple(name.decode() for name in names)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and plain containers; anything else could run code and is refused."""

    allowed: ClassVar[dict[tuple[str, str], Any]] = {
        **{
            (module, "_reconstruct"): np._core.multiarray._reconstruct  # type: ignore[attr-defined]
            for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        },
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle of an array refers to."""
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which is neither an array nor a container")
        return self.allowed[module, name]


def _unpickle(path: Path, keys: Sequence[bytes]) -> dict[bytes, Any]:
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise _damaged(path, str(error) or type(error).__name__) from error
    missing = [key.decode() for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise _damaged(path, f"it has no {' and no '.join(missing)}; is it a batch of another release?")
    return content  # type: ignore[no-any-return]


def _damaged(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is damaged: {reason}; delete it and run again to fetch it anew, or put a whole copy there"
    )


def _unpacked(archive: Path, release: _Release) -> Origin:
    return Origin(f"the archive {archive}", lambda folder: _unpack(archive, release, folder))


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
