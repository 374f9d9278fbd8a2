"""Fashion-MNIST: 70 000 grey images of clothes, 28 × 28, in 10 classes."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.data.fetch import Origin, from_root, locate, obtain, refetchable
from scar.data.package_origins import debian_package
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources._idx import read_idx
from scar.data.sources._image_arrays import image_samples, sub_sample

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_LAYOUTS = ("fashion_mnist", "FashionMNIST/raw", "fashion-mnist")
_INSTALLED = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, kw_only=True)
class FashionMnist(Source):
    """The 60 000 training and 10 000 test images, or class-aware parts of them."""

    name: str = "fashion_mnist"

    @property
    def modalities(self) -> tuple[str, ...]:
        """One payload per sample."""
        return ("image",)

    def files(self, data_dir: Path) -> list[Path]:
        """Return the four IDX files: a local copy, else the Debian package, else torchvision's mirrors."""
        if self.root is not None:
            return from_root(self.root, _LAYOUTS, FILES)
        local = locate([*(data_dir / layout for layout in _LAYOUTS), data_dir, _INSTALLED], FILES)
        origins = [
            debian_package("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
            Origin("torchvision.datasets.FashionMNIST", _from_torchvision),
        ]
        return local or obtain(data_dir / "fashion_mnist", FILES, origins, dataset=self.name)

    def load(self, data_dir: Path) -> Samples:
        """Read the images as a uint8 array; ids are ``train-00000`` … ``test-09999``, in file order."""
        paths = self.files(data_dir)
        with refetchable(self.root, data_dir):
            parts = [_read_part(*paths[:2]), _read_part(*paths[2:])]
        return sub_sample(self, image_samples(parts, CLASS_NAMES))


def _read_part(image_file: Path, label_file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = read_idx(image_file, dimensions=3), read_idx(label_file, dimensions=1)
    if len(images) != len(labels):
        raise ValueError(f"{image_file} holds {len(images)} images, but {label_file} {len(labels)} labels")
    return images, labels.astype(np.int64)


def _from_torchvision(folder: Path) -> None:
    """Download with torchvision, which knows the mirrors and the checksums; a silent network ends it."""
    from torchvision.datasets import FashionMNIST

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)
    try:
        FashionMNIST(str(folder), train=True, download=True)
    finally:
        socket.setdefaulttimeout(before)
    for name in FILES:
        (folder / "FashionMNIST" / "raw" / name).replace(folder / name)
