"""Small datasets in the true format of the originals."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scar.data.sources.fashion_mnist import FILES

LICENCE = "  1 This software and database is being provided to you, the LICENSEE, by  \n"


def _write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    with gzip.open(path, "wb") as file:
        file.write(header + array.astype(np.uint8).tobytes())


def _write_fashion(folder: Path, *, train: int = 200, test: int = 60) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = {}
    for name, size in zip(FILES, (train, train, test, test), strict=True):
        arrays[name] = (
            rng.integers(0, 256, (size, 28, 28)) if "images" in name else rng.permutation(np.arange(size) % 10)
        )
        _write_idx(folder / name, arrays[name])
    return arrays


def _write_wordnet(path: Path, synsets: list[tuple[int, str]]) -> None:
    """Write (lexicographer file, gloss) pairs; offsets are positions in the file, as in the original."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = LICENCE
    for number, gloss in synsets:
        content += f"{len(content):08d} {number:02d} n 01 some_word 0 001 @ 00001740 n 0000 | {gloss}  \n"
    path.write_text(content)


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """A data folder that holds a small Fashion-MNIST."""
    _write_fashion(tmp_path / "fashion_mnist")
    return tmp_path


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    """A data folder that holds a small data.noun: 40 animals, 20 plants, 10 shapes, 3 motives."""
    sizes = {5: 40, 20: 20, 25: 10, 16: 3}
    synsets = [
        (number, f'text {i} of file {number}; "an example {i}"') for number, n in sizes.items() for i in range(n)
    ]
    _write_wordnet(tmp_path / "wordnet" / "data.noun", synsets)
    return tmp_path


@pytest.fixture
def write_idx() -> Callable[..., None]:
    return _write_idx


@pytest.fixture
def write_fashion() -> Callable[..., dict[str, np.ndarray]]:
    return _write_fashion


@pytest.fixture
def write_wordnet() -> Callable[..., None]:
    return _write_wordnet
