"""The IDX format of the MNIST family: big-endian header, then unsigned bytes."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scar.data.fetch import DamagedFile


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes from an IDX file, gzipped or not.

    Args:
        path: the file.
        dimensions: 1 for labels, 3 for images.

    Raises:
        DamagedFile: the file is truncated, damaged, or of another format.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedFile(path, str(error)) from error
    header = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < header:
        raise DamagedFile(path, f"it does not begin as an IDX file of {dimensions} dimensions")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    if len(content) != header + shape.prod():
        raise DamagedFile(path, f"its header says {tuple(shape.tolist())} bytes, but it holds {len(content) - header}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
