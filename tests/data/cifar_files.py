"""Batches as Python 2 wrote the originals: strings are bytes, arrays refer to numpy.core."""

import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

NAMES10 = [b"airplane", b"automobile", b"bird", b"cat", b"deer", b"dog", b"frog", b"horse", b"ship", b"truck"]


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with the string opcodes of Python 2."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: Any) -> None:
        content = value.encode() if isinstance(value, str) else value
        if len(content) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(content)]) + content)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[bytes] = save_string
    dispatch[str] = save_string

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or obj.__name__}\n".encode())
        self.memoize(obj)


def dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Python2Pickler(file, protocol=2).dump(content)


def write_cifar10(folder: Path, size: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    written = {}
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        written[name] = rng.integers(0, 256, (size, 3072), dtype=np.uint8)
        labels = [int(label) for label in rng.permutation(np.arange(size) % 10)]
        files = [b"%d.png" % i for i in range(size)]
        about = {b"batch_label": b"batch", b"labels": labels, b"data": written[name], b"filenames": files}
        dump(folder / name, about)
        written[f"{name} labels"] = np.array(labels)
    dump(folder / "batches.meta", {b"num_cases_per_batch": size, b"label_names": NAMES10, b"num_vis": 3072})
    return written


def write_cifar100(folder: Path, train: int = 300, test: int = 100) -> None:
    rng = np.random.default_rng(1)
    for name, size in (("train", train), ("test", test)):
        fine = [i % 100 for i in range(size)]
        data = rng.integers(0, 256, (size, 3072), dtype=np.uint8)
        dump(folder / name, {b"fine_labels": fine, b"coarse_labels": [f // 5 for f in fine], b"data": data})
    dump(folder / "meta", {b"fine_label_names": [b"f%d" % i for i in range(100)], b"coarse_label_names": [b"c"]})
