"""Fashion-MNIST: 70 000 grey images of clothes, 28 × 28, in 10 classes."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from scar.data.checks import validate_samples
from scar.data.fetch import Origin, debian_package, from_root, locate, obtain
from scar.data.idx import read_idx
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.stratify import keep_sizes

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
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

    helpers: ClassVar[tuple[str, ...]] = (*Source.helpers, "scar.data.idx")

    name: str = "fashion_mnist"

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
        parts = [(TRAIN, *paths[:2]), (TEST, *paths[2:])]
        images = [read_idx(images, dimensions=3) for _, images, _ in parts]
        labels = [read_idx(labels, dimensions=1) for _, _, labels in parts]
        for (_, image_file, label_file), x, y in zip(parts, images, labels, strict=True):
            if len(x) != len(y):
                raise ValueError(f"{image_file} holds {len(x)} images, but {label_file} {len(y)} labels")
        every_label = np.concatenate(labels).astype(np.int64)
        splits = np.concatenate(
            [np.full(len(y), part) for (part, _, _), y in zip(parts, labels, strict=True)]
        )
        ids = np.concatenate(
            [
                [f"{part}-{i:05d}" for i in range(len(y))]
                for (part, _, _), y in zip(parts, labels, strict=True)
            ]
        )
        rows = keep_sizes(
            every_label, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed
        )
        samples = Samples(
            ids=ids[rows],
            payloads={"image": np.concatenate(images)[rows]},  # type: ignore[dict-item]
            labels=every_label[rows],
            class_names=CLASS_NAMES,
            splits=splits[rows],
            groups={},
        )
        return validate_samples(samples, name=self.name)


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
