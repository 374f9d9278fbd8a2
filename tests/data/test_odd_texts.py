"""Characters that no text should hold, and archives under the name of an array: named with their place and the way out."""

import json
from pathlib import Path

import numpy as np
import pytest

from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.table import TableSource


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label\none,a\nt\0wo,b\n", r"a\.csv, line 3 holds a NUL character; .*dataset.encoding=utf-16-le"),
        ("a.jsonl", json.dumps({"text": "lone \ud800", "label": "a"}).encode(), r"a\.jsonl, line 1, column 'text': .*Unicode"),
        ("a.jsonl", json.dumps({"text": "one", "label": "\udfff"}).encode(), r"line 1, column 'label': .*not valid Unicode"),
    ],
)  # fmt: skip
def test_characters_that_are_none_are_refused_with_their_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        TableSource(root=str(tmp_path / name)).load(tmp_path)


def test_an_archive_of_arrays_is_told_to_be_unpacked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"save the arrays of an \.npz as \.npy each"):
        EmbeddingsFile(root=str(tmp_path), file="e.npz")
    np.savez(tmp_path / "e.npz", x=np.eye(4))
    (tmp_path / "e.npz").rename(tmp_path / "embeddings.npy")
    np.save(tmp_path / "labels.npy", np.arange(4) % 2)
    with pytest.raises(ValueError, match=r"embeddings\.npy cannot be read: it is an archive \(\.npz\)"):
        EmbeddingsFile(root=str(tmp_path)).load(tmp_path)
