import gzip
from pathlib import Path

import numpy as np
import pytest

from scar.data.sources._idx import read_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + IMAGES.tobytes()


@pytest.mark.parametrize("name", ["images.gz", "images"])
def test_an_idx_file_is_read_gzipped_or_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(CONTENT) if name.endswith("gz") else CONTENT)
    np.testing.assert_array_equal(read_idx(tmp_path / name, dimensions=3), IMAGES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(CONTENT)[:-12], "end-of-stream|ended"),
        (gzip.compress(CONTENT)[:10] + b"\x07" + gzip.compress(CONTENT)[11:], "invalid"),
        (CONTENT, "gzip"),
        (gzip.compress(CONTENT[:-1]), "holds 23"),
        (gzip.compress(CONTENT + b"x"), "holds 25"),
        (gzip.compress(b"\x00\x00\x08\x01" + CONTENT[4:]), "3 dimensions"),
        (gzip.compress(CONTENT[:9]), "3 dimensions"),
        (gzip.compress(b""), "3 dimensions"),
    ],
    ids=["truncated", "corrupt", "not gzip", "short", "long", "other rank", "half a header", "empty"],
)
def test_a_damaged_file_is_named_with_the_cure(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"train-images-idx3-ubyte.gz is damaged: .*({reason}).*; put a whole copy there"
    ):
        read_idx(path, dimensions=3)
