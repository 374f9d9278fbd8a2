"""Data by an address of fsspec: read as those of a folder are, copied once, and again where they change."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from class_folders import write_folders
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from scar.data import remote
from scar.data.fetch import FetchError
from scar.data.fingerprint import fingerprint
from scar.data.sources.digits import Digits
from scar.data.sources.embeddings_file import EmbeddingsFile
from scar.data.sources.image_folder import ImageFolder
from scar.data.sources.table import TableSource
from scar.data.sources.webdataset import WebDatasetSource


def table_with_images(folder):
    pictures = Digits().load(folder).payloads["image"][:20]
    for row, pixels in enumerate(pictures):
        (folder / "seen").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / "seen" / f"{row}.png")
    lines = [f"seen/{row}.png,{'ab'[row % 2]}" for row in range(20)]
    (folder / "birds.csv").write_text("\n".join(["path,label", *lines]))
    return TableSource(text=None, image="path", file="birds.csv")


def table(folder):
    (folder / "a.csv").write_text("\n".join(["text,label", *(f"t{row},{'ab'[row % 2]}" for row in range(20))]))
    (folder / "large.bin").write_text("not wanted")
    return TableSource()


def image_folder(folder):
    samples = Digits().load(folder).take(np.arange(120))
    write_folders(folder, samples, list("0123456789"))
    return ImageFolder()


def embeddings(folder):
    rng = np.random.default_rng(0)
    np.save(folder / "embeddings.npy", rng.normal(size=(30, 3)).astype(np.float32))
    np.save(folder / "labels.npy", np.arange(30) % 3)
    np.save(folder / "others.npy", np.zeros(3))
    return EmbeddingsFile()


def shards(folder):
    with tarfile.open(folder / "train.tar", "w") as tar:
        for row in range(20):
            for name, content in ((f"{row:03d}.txt", f"text {row}"), (f"{row:03d}.cls", str(row % 2))):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content.encode()))
    return WebDatasetSource(image=None, text="txt")


@pytest.fixture
def system():
    found = MemoryFileSystem()
    found.store.clear()
    found.pseudo_dirs[:] = [""]
    return found


def with_root(source, root):
    return replace(source, root=root)


def equal(one, other):
    assert one.ids.tolist() == other.ids.tolist()
    assert one.splits.tolist() == other.splits.tolist()
    assert one.class_names == other.class_names
    assert np.array_equal(one.labels, other.labels)
    for name, payload in one.payloads.items():
        for row in range(len(one)):
            assert np.array_equal(np.asarray(payload[row]), np.asarray(other.payloads[name][row]))


@pytest.mark.parametrize("make", [table, table_with_images, image_folder, embeddings, shards])
@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_what_is_remote_is_read_as_what_is_here(tmp_path, system, make, protocol):
    here, cache = tmp_path / "here", tmp_path / "cache"
    here.mkdir()
    source = make(here)
    system.put(str(here), "/bucket/data", recursive=True)
    root = "memory://bucket/data" if protocol == "memory" else f"file://{here}"
    plain, far = with_root(source, str(here)), with_root(source, root)
    equal(far.load(cache), plain.load(cache))
    assert fingerprint(far.files(cache)) == fingerprint(plain.files(cache))
    copies = {path.name for path in cache.glob("remote/*/*")}
    assert not copies & {"large.bin", "others.npy"}
    assert bool(copies) == (protocol == "memory")


def test_a_root_may_be_the_table_itself(tmp_path, system):
    source = table(tmp_path)
    system.put(str(tmp_path / "a.csv"), "/bucket/a.csv")
    far = with_root(source, "memory://bucket/a.csv")
    assert far.name == "a"
    assert len(far.load(tmp_path / "cache")) == 20
    here = tmp_path / "birds"
    here.mkdir()
    table_with_images(here)
    system.put(str(here), "/birds", recursive=True)
    pictures = TableSource(text=None, image="path", root="memory://birds/birds.csv").load(tmp_path / "cache")
    assert np.asarray(pictures.payloads["image"][7]).shape[:2] == (8, 8)


def test_only_what_changed_is_copied_and_what_has_gone_goes(tmp_path, system, monkeypatch):
    for name in ("a", "b", "c"):
        system.pipe(f"/bucket/{name}", name.encode())
    copied, get = [], MemoryFileSystem.get_file
    monkeypatch.setattr(
        MemoryFileSystem, "get_file", lambda self, name, *args, **more: (copied.append(name), get(self, name, *args))
    )
    place = remote.copied("memory://bucket", tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["a", "b", "c"]
    assert len(copied) == 3
    assert remote.copied("memory://bucket/", tmp_path) == place
    assert len(copied) == 3
    system.pipe("/bucket/b", b"2")
    system.rm("/bucket/c")
    remote.copied("memory://bucket", tmp_path)
    assert copied[3:] == ["/bucket/b"]
    assert {path.name: path.read_text() for path in place.iterdir()} == {"a": "a", "b": "2"}
    (place / "a").unlink()
    remote.copied("memory://bucket", tmp_path)
    assert (place / "a").read_text() == "a"


def test_a_class_whose_folder_has_gone_is_gone(tmp_path, system):
    source = with_root(image_folder(tmp_path), "memory://bucket")
    for part in ("train", "test"):
        system.put(str(tmp_path / part), f"/bucket/{part}", recursive=True)
    assert len(source.load(tmp_path / "cache").class_names) == 10
    for part in ("train", "test"):
        system.rm(f"/bucket/{part}/9", recursive=True)
    assert source.load(tmp_path / "cache").class_names == tuple("012345678")
    (memo,) = (tmp_path / "cache" / "remote").glob("*.json")
    memo.write_text("{")
    assert source.load(tmp_path / "cache").class_names == tuple("012345678")


def test_without_a_network_the_copy_is_read(tmp_path, system, monkeypatch):
    system.pipe("/bucket/a", b"1")
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    with pytest.raises(FetchError, match="memory://bucket has not been copied, and SCAR_OFFLINE forbids it"):
        remote.copied("memory://bucket", tmp_path)
    monkeypatch.delenv("SCAR_OFFLINE")
    place = remote.copied("memory://bucket", tmp_path)
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    assert remote.copied("memory://bucket", tmp_path) == place
    assert remote.copied("memory://bucket/a", tmp_path) == place / "a"


def test_a_copy_that_stopped_goes_on(tmp_path, system, monkeypatch):
    for name in ("a", "b"):
        system.pipe(f"/bucket/{name}", b"1")
    get = MemoryFileSystem.get_file

    def broken(self, name, *args, **more):
        if name.endswith("b"):
            raise RuntimeError("the line is down")
        return get(self, name, *args)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "get_file", broken)
        with pytest.raises(FetchError, match="memory://bucket cannot be read: RuntimeError: the line is down"):
            remote.copied("memory://bucket", tmp_path)
    place = remote.copied("memory://bucket", tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("root", "error", "message"),
    [
        ("memory://nowhere", FetchError, "memory://nowhere: there is no such file or folder"),
        ("nothing://bucket", ValueError, "Protocol not known: nothing; name a folder of this machine"),
        ("file:///not/there/at/all", FetchError, "not a folder|is not there"),
    ],
)
@pytest.mark.parametrize("source", [TableSource(), ImageFolder(), WebDatasetSource(), EmbeddingsFile()])
def test_a_root_that_is_not_there_is_named(tmp_path, system, root, error, message, source):
    with pytest.raises(error, match=message):
        with_root(source, root).load(tmp_path)


def test_the_package_of_a_protocol_is_named(tmp_path, monkeypatch):
    def missing(root):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.url_to_fs", missing)
    with pytest.raises(ModuleNotFoundError, match=r"s3://bucket is read by the package s3fs.*pip install s3fs"):
        TableSource(root="s3://bucket").load(tmp_path)


def test_a_folder_without_what_is_wanted_is_named(tmp_path, system):
    system.pipe("/bucket/readme.txt", b"1")
    with pytest.raises(FetchError, match="holds 1 files, but none of those that are to be read"):
        WebDatasetSource(root="memory://bucket").load(tmp_path)


def test_names_that_leave_the_copy_are_refused(tmp_path, system, monkeypatch):
    system.pipe("/bucket/a", b"1")
    listed = {"/bucket/../../a": {"name": "/bucket/../../a", "size": 1, "type": "file"}}
    monkeypatch.setattr(MemoryFileSystem, "find", lambda self, path, **more: listed)
    with pytest.raises(ValueError, match="leaves the folder of the dataset"):
        remote.copied("memory://bucket", tmp_path / "deep" / "cache")
    assert not list(Path(tmp_path).rglob("a"))


def test_other_sources_refuse_what_is_remote():
    with pytest.raises(
        ValueError, match=r"dataset.root=s3://bucket is remote, and dataset=digits reads a folder of this"
    ):
        Digits(root="s3://bucket")
