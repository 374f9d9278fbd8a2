"""Arrays with a value per sample: small ones in memory, large ones in files that are mapped.

The kernel reads pages of a mapped file when they are asked for and drops them where memory is wanted, so that such an array
takes no memory that the process could run out of.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from scar.common.types import Ints
from scar.common.vectors import chunks

LARGE = 1 << 24
"""Bytes of an array from which it is mapped."""
_ROWS = 1 << 16
_BLOCK = 1 << 22
# Bytes that are worked on at once.


def room(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array to be filled: in memory or, if it is large, in a temporary file that goes with it.

    Raises:
        OSError: the folder of temporary files has no room; it is chosen by the variable ``TMPDIR``.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < max(LARGE, 1):
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):  # a sparse file would end the process once the disk is full
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
        except OSError as error:
            code = error.errno or errno.ENOSPC
            raise OSError(
                code,
                f"{os.strerror(code)}: {size >> 20} MiB of temporary files; make room, or set TMPDIR",
                tempfile.gettempdir(),
            ) from error


def full(length: int, value: str) -> NDArray[np.str_]:
    """Return [N] one text again and again."""
    array = room(length, np.array(value).dtype)
    array[:] = value
    return array


def numbered(length: int) -> NDArray[np.str_]:
    """Return [N] the numbers from 0 as texts."""
    texts = room(length, f"U{len(str(max(length - 1, 0)))}")
    for part in chunks(length, _ROWS):
        texts[part] = np.arange(part.start, part.stop).astype(texts.dtype)
    return texts


def taken(array: NDArray[Any], rows: Ints) -> NDArray[Any]:
    """Return some rows of an array."""
    if array.itemsize * len(rows) * int(np.prod(array.shape[1:])) < LARGE:
        return array[rows]
    found = room((len(rows), *array.shape[1:]), array.dtype)
    for part in chunks(len(rows), _ROWS):
        found[part] = array[rows[part]]
    return found


def read_array(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file; a large one is mapped and cannot be written to."""
    return np.asarray(np.load(path, mmap_mode="r" if path.stat().st_size >= LARGE else None, allow_pickle=False))


def joined(texts: NDArray[np.str_], separator: str) -> Iterator[bytes]:
    """Yield, piece by piece, the texts [N] in UTF-8 with a separator between them."""
    for part in chunks(len(texts), _ROWS):
        piece = separator.join(texts[part].tolist())
        yield (separator + piece if part.start else piece).encode()


class Listed(Sequence[Any]):
    """The values of an array [N] as those of a list, which is never there as a whole."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: Any) -> Any:
        return self._array[index].tolist()

    def __iter__(self) -> Iterator[Any]:
        for part in chunks(len(self._array), _ROWS):
            yield from self._array[part].tolist()


def repeated(values: NDArray[np.uint64]) -> Ints:
    """Return, sorted, the rows of [N] numbers that stand there more than once."""
    ordered = np.sort(values)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return np.zeros(0, np.int64)
    found = [part.start + np.flatnonzero(np.isin(values[part], twice)) for part in chunks(len(values), _ROWS)]
    return np.concatenate(found)


def repeated_texts(texts: NDArray[np.str_]) -> Ints:
    """Return, sorted, the rows of [N] texts that stand there more than once.

    Hashes of 64 bits tell which texts may be the same, and only these are compared.
    """
    rows = repeated(text_hashes(texts))
    distinct, counts = np.unique(texts[rows], return_counts=True)
    return rows[np.isin(texts[rows], distinct[counts > 1])]


def text_hashes(texts: NDArray[np.str_]) -> NDArray[np.uint64]:
    """Return [N] a number for every text, the same for equal texts of arrays of any width."""
    texts = np.asarray(texts, np.str_)
    width = max(1, texts.dtype.itemsize // 4)
    factors = np.random.default_rng(0).integers(0, 1 << 64, width, np.uint64) | np.uint64(1)
    hashes = np.zeros(len(texts), np.uint64)
    for part in chunks(len(texts), max(1, _BLOCK // (8 * width))):
        codes = np.ascontiguousarray(texts[part]).view(np.uint32).reshape(-1, width)
        hashes[part] = codes.astype(np.uint64) @ factors
    return hashes


def places(texts: NDArray[np.str_], wanted: NDArray[np.str_]) -> Ints:
    """Return the rows of [N] distinct texts that hold one of those wanted, as `numpy.isin` would find them."""
    sought, found = np.sort(text_hashes(wanted)), []
    for part in chunks(len(texts), _ROWS):
        found.append(part.start + np.flatnonzero(np.isin(text_hashes(texts[part]), sought)))
    rows = np.concatenate([np.zeros(0, np.int64), *found])
    if len(rows) != len(wanted) or any(
        not np.array_equal(texts[rows[part]], wanted[part]) for part in chunks(len(rows), _ROWS)
    ):
        return np.flatnonzero(np.isin(texts, wanted))
    return rows
