"""Shards are written by the library webdataset itself, and by hand where they have to be wrong."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scar.data.fetch import FetchError
from scar.data.image_decoding import UnreadableMedia
from scar.data.sources.webdataset import WebDatasetSource
from scar.data.unreadable import drop_unreadable


def encoded(colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 5), (colour, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_shard(path: Path, first: int, size: int, **more: Any) -> None:
    webdataset = pytest.importorskip("webdataset")
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as writer:
        for i in range(first, first + size):
            about = {"caption": f"picture {i}", "all": [f"a {i}", f"b {i}"], "label": ["cat", "dog"][i % 2]}
            members = {"png": encoded(10 * i), "cls": i % 2, "txt": f"text {i}", "json": about, "seg.png": encoded(1)}
            writer.write({"__key__": f"part/{i:04d}", **members, **more})


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    write_shard(tmp_path / "train-000.tar", 0, 8)
    write_shard(tmp_path / "train-001.tar", 8, 8)
    write_shard(tmp_path / "val-000.tar", 16, 6)
    return tmp_path


PARTS = {"train_shards": "train-*.tar", "test_shards": "val-*.tar"}


def test_keys_images_labels_and_parts_follow_the_shards(shards: Path) -> None:
    samples = WebDatasetSource(root=str(shards), **PARTS).load(shards)  # type: ignore[arg-type]
    assert samples.ids[[0, 8, 21]].tolist() == ["part/0000", "part/0008", "part/0021"]
    assert (samples.splits == "test").tolist() == [False] * 16 + [True] * 6
    assert samples.labels is not None
    assert samples.labels[:3].tolist() == [0, 1, 0]
    assert samples.class_names == ("0", "1")
    assert [samples.payloads["image"][i].getpixel((0, 0))[0] for i in (0, 9, 21)] == [0, 90, 210]


def test_nothing_is_written(shards: Path) -> None:
    before = sorted(shards.rglob("*"))
    samples = WebDatasetSource(root=str(shards)).load(shards / "cache")
    assert np.asarray(samples.payloads["image"][3]).shape == (5, 6, 3)
    assert sorted(shards.rglob("*")) == before


def test_json_members_give_captions_labels_and_groups(shards: Path) -> None:
    fields: dict[str, Any] = {"image": "jpg;png", "captions": ("json:all", "txt"), "label": "json:label"}
    source = WebDatasetSource(root=str(shards), **fields)
    assert source.modalities == ("image", "text")
    samples = source.load(shards)
    assert samples.payloads["text"][5] == ("a 5", "b 5", "text 5")
    assert samples.class_names == ("cat", "dog")
    pairs = WebDatasetSource(root=str(shards), text="json:caption", label=None).load(shards)
    assert pairs.labels is None
    assert pairs.payloads["text"][7] == "picture 7"
    grouped = WebDatasetSource(root=str(shards), groups=("txt",)).load(shards)
    assert grouped.groups["txt"][2] == "text 2"


def test_broken_and_huge_images_are_raised_or_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path / "a.tar", 0, 8)
    write_shard(tmp_path / "b.tar", 8, 1, png=encoded(3)[:50])
    buffer = io.BytesIO()
    Image.new("L", (100, 100)).save(buffer, "PNG")
    write_shard(tmp_path / "c.tar", 9, 1, png=buffer.getvalue())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5001)
    samples = WebDatasetSource(root=str(tmp_path)).load(tmp_path)
    with pytest.raises(UnreadableMedia, match=r"b\.tar, member part/0008\.png"):
        samples.payloads["image"][8]
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(UnreadableMedia, match="decompression bomb"):
        samples.payloads["image"][9]
    with pytest.warns(Image.DecompressionBombWarning):
        _, dropped = drop_unreadable(samples, name="w", max_share=0.3)
    assert [each.id for each in dropped] == ["part/0008", "part/0009"]


def add(tar: tarfile.TarFile, name: str, content: bytes = b"x", **about: Any) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content) if not about else 0
    for key, value in about.items():
        setattr(entry, key, value)
    tar.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "about", "message"),
    [
        ("a.png", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, r"member a\.png is a link, a device or sparse"),
        ("a.png", {"type": tarfile.LNKTYPE, "linkname": "0.png"}, r"member a\.png is a link, a device or sparse"),
        ("a.png", {"type": tarfile.CHRTYPE}, r"member a\.png is a link, a device or sparse"),
        ("../a.png", {}, r"member \.\./a\.png: the name leaves the folder"),
        ("/etc/a.png", {}, r"member .*etc/a\.png: the name leaves the folder"),
    ],
)
def test_dangerous_members_are_refused(tmp_path: Path, name: str, about: dict[str, Any], message: str) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "0.png")
        add(tar, name, **about)
    with pytest.raises(ValueError, match=rf"a\.tar, {message}"):
        WebDatasetSource(root=str(tmp_path)).load(tmp_path)


def test_a_truncated_or_compressed_shard_is_named(shards: Path, tmp_path: Path) -> None:
    path = shards / "train-001.tar"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 100])
    with pytest.raises(ValueError, match=r"train-001\.tar(, member .* is cut short| is not a whole tar file)"):
        WebDatasetSource(root=str(shards)).load(shards)
    import gzip

    path.write_bytes(gzip.compress(whole))
    with pytest.raises(ValueError, match=r"train-001\.tar is not a whole tar file: .*must not be compressed"):
        WebDatasetSource(root=str(shards)).load(shards)
    for each in shards.glob("*.tar"):
        each.rename(f"{each}.gz")
    with pytest.raises(FetchError, match=r"holds no shards \*\.tar \(compressed shards have to be unpacked\)"):
        WebDatasetSource(root=str(shards)).files(shards)


@pytest.mark.parametrize(
    ("members", "fields", "message"),
    [
        ([("0.png", b"x")], {}, r"a\.tar: the sample '0' has no cls; it has png"),
        ([("0.cls", b"1")], {}, r"a\.tar: the sample '0' has no jpg;jpeg;png;webp; it has cls"),
        ([("0.png", b"x"), ("0.png", b"y")], {}, r"member 0\.png: the sample '0' has two members png"),
        ([("0.png", b"x"), ("0.cls", b" ")], {}, r"key '0', column 'cls': the label is empty"),
        ([("0.png", b"x"), ("0.json", b"{")], {"label": "json:label"}, r"member 0\.json: "),
        ([("0.png", b"x"), ("0.json", b"{}")], {"label": "json:label"}, r"member 0\.json: there is no value 'label'"),
        (
            [("0.png", b"x"), ("0.cls", b"1"), ("1.png", b"x"), ("1.cls", b"0"), ("0.png", b"x"), ("0.cls", b"1")],
            {},
            "the sample '0' has two members png",
        ),
    ],
)
def test_a_malformed_sample_is_named_with_its_shard(
    tmp_path: Path, members: list[tuple[str, bytes]], fields: dict[str, Any], message: str
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, content in members:
            add(tar, name, content)
    with pytest.raises(ValueError, match=message):
        WebDatasetSource(root=str(tmp_path), **fields).load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"audio": "wav"}, r"unpack them and use dataset=table"),
        ({"id": "txt"}, r"the ids of a shard are its keys"),
        ({"train_shards": "../*.tar"}, r"must be a pattern of \.tar files inside dataset\.root"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WebDatasetSource(**fields)


def test_a_shard_in_both_parts_is_refused(shards: Path) -> None:
    with pytest.raises(ValueError, match=r"both take val-000\.tar"):
        WebDatasetSource(root=str(shards), test_shards="val-*.tar").files(shards)


def write_members(path: Path, names: list[str]) -> None:
    """A shard with pictures, classes of the parity of the last digit of the name, and other files."""
    with tarfile.open(path, "w") as tar:
        for name in names:
            digit = int(next((c for c in reversed(name) if c.isdigit()), "0"))
            kind = name.rpartition(".")[2].lower()
            add(tar, name, encoded(digit) if kind == "png" else str(digit % 2).encode())


@pytest.mark.parametrize(
    ("names", "ids", "note"),
    [
        ([f"{i:03d}.{kind}" for i in range(8) for kind in ("PNG", "Cls")], [f"{i:03d}" for i in range(8)], None),
        ([f"v.1.{i}.{kind}" for i in range(8) for kind in ("png", "cls")], [f"v.1.{i}" for i in range(8)], "last dot"),
        ([f"{i}.{kind}" for kind in ("png", "cls") for i in range(8)], [str(i) for i in range(8)], None),
        (
            ["README.md", *(f"{i}.{kind}" for i in range(8) for kind in ("png", "cls", "json"))],
            [str(i) for i in range(8)],
            "1 other members of the shards left out",
        ),
        ([f"{i}.{kind}" for i in range(8) for kind in ("seg.png", "png", "cls")], [str(i) for i in range(8)], None),
    ],
    ids=["capitals", "dots", "not side by side", "readme", "two pictures"],
)
def test_shards_as_they_are_written(tmp_path: Path, names: list[str], ids: list[str], note: str | None) -> None:
    write_members(tmp_path / "a.tar", names)
    samples = WebDatasetSource(root=str(tmp_path)).load(tmp_path)
    assert samples.ids.tolist() == ids
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1] * 4
    assert len(samples.payloads["image"][3].getbands()) == 3
    assert [each for each in samples.notes if note is None or note not in each] == []
