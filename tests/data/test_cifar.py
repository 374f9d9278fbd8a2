"""The batches are written here as Python 2 wrote the originals: strings are bytes, arrays refer to numpy.core."""

import codecs
import pickle
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from cifar_files import NAMES10, dump, write_cifar10, write_cifar100
from class_folders import digest, write_folders

from scar.data.fetch import FetchError
from scar.data.paths import data_folder
from scar.data.sources import cifar
from scar.data.sources.cifar import Cifar10, Cifar100


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    write_cifar10(tmp_path / "cifar-10-batches-py")
    return tmp_path


def test_the_fixture_has_the_opcodes_of_the_originals(cifar10: Path) -> None:
    content = (cifar10 / "cifar-10-batches-py" / "data_batch_1").read_bytes()
    assert content.startswith(b"\x80\x02}")
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content
    assert b"U\x06labels" in content
    assert b"_codecs" not in content


def test_images_labels_names_and_splits_follow_the_batches(tmp_path: Path) -> None:
    written = write_cifar10(tmp_path / "cifar-10-batches-py")
    samples = Cifar10().load(tmp_path)
    assert len(samples) == 240
    assert samples.ids[[0, 199, 200, 239]].tolist() == ["train-00000", "train-00199", "test-00000", "test-00039"]
    assert samples.class_names == tuple(name.decode() for name in NAMES10)
    np.testing.assert_array_equal(samples.labels[40:80], written["data_batch_2 labels"])  # type: ignore[index]
    image = samples.payloads["image"][200]
    assert image.shape == (32, 32, 3)
    row = written["test_batch"][0]
    assert image[0, 1].tolist() == [row[1], row[1024 + 1], row[2048 + 1]]
    assert image[31, 0, 2] == row[2048 + 31 * 32]


def test_cifar100_takes_the_fine_labels(tmp_path: Path) -> None:
    write_cifar100(tmp_path / "cifar100" / "cifar-100-python")
    samples = Cifar100().load(tmp_path)
    assert samples.class_names[99] == "f99"
    assert samples.labels is not None
    assert samples.labels[:3].tolist() == [0, 1, 2]
    assert samples.labels.max() == 99


def test_a_sub_sample_is_class_aware(cifar10: Path) -> None:
    samples = Cifar10(train_size=50, test_size=20).load(cifar10)
    train = samples.splits == "train"
    assert np.bincount(samples.labels[train]).tolist() == [5] * 10  # type: ignore[index]
    assert np.bincount(samples.labels[~train]).tolist() == [2] * 10  # type: ignore[index]


def write_again(folder: Path, protocol: int, change: Any) -> None:
    """Read what Python 2 wrote and write it as Python 3 does."""
    for path in folder.iterdir():
        content = pickle.loads(path.read_bytes(), encoding="bytes")
        path.write_bytes(pickle.dumps(change(content), protocol=protocol))


def as_text(value: Any) -> Any:
    """Return the same with texts for bytes and arrays for lists of numbers."""
    if isinstance(value, dict):
        return {as_text(key): as_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return np.array(value) if isinstance(value[0], int) else [as_text(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("change", [as_text, lambda content: content], ids=["texts and arrays", "bytes and lists"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_batches_that_python_3_wrote_again_are_the_same(cifar10: Path, protocol: int, change: Any) -> None:
    folder = cifar10 / "cifar-10-batches-py"
    original = Cifar10().load(cifar10)
    write_again(folder, protocol, change)
    assert (b"_codecs" in (folder / "data_batch_1").read_bytes()) == (protocol == 2)
    samples = Cifar10().load(cifar10)
    np.testing.assert_array_equal(samples.payloads["image"], original.payloads["image"])
    np.testing.assert_array_equal(samples.labels, original.labels)
    assert samples.class_names == original.class_names


class Encoded:
    """Calls `codecs.encode`, or another function of the module, when it is unpickled."""

    def __init__(self, *arguments: Any, function: Any = codecs.encode) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (Encoded("text", "utf-8"), "no text, or not as latin1"),
        (Encoded(b"text", "latin1"), "no text, or not as latin1"),
        (Encoded("text"), "missing 1 required positional argument"),
        (Encoded("\u2026", "latin1"), "can't encode character"),
        (Encoded("name", function=codecs.lookup), r"it refers to _codecs\.lookup"),
    ],
    ids=["encoding", "bytes", "no encoding", "no latin1", "another function"],
)
def test_nothing_but_bytes_comes_of_the_codecs(cifar10: Path, payload: Any, message: str) -> None:
    path = cifar10 / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps({b"data": payload, b"labels": [0]}))
    with pytest.raises(ValueError, match=rf"data_batch_3 is damaged: .*{message}"):
        Cifar10().load(cifar10)


class Evil:
    def __reduce__(self) -> Any:
        return (eval, ("__import__('pathlib').Path('pwned').touch()",))


@pytest.mark.parametrize("payload", [Evil(), partial(print, 1), np.array([Evil()], object)], ids=type)
def test_a_pickle_that_would_run_code_is_refused(cifar10: Path, payload: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cifar10)
    path = cifar10 / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps({b"data": payload, b"labels": [0]}))
    with pytest.raises(ValueError, match=r"data_batch_3 is damaged: it refers to .* neither an array nor a container"):
        Cifar10().load(cifar10)
    assert not (cifar10 / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({b"data": np.zeros((4, 3072), np.uint8)}, "it has no labels"),
        ({b"data": np.zeros((4, 3071), np.uint8), b"labels": [0, 1, 2, 3]}, r"uint8 data of shape \(4, 3071\)"),
        ({b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2]}, "for 3 labels"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0.5, 1.5]}, "labels are not whole numbers"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": b"ab"}, "labels are not whole numbers"),
        ([0, 1], "it holds a list, not a dictionary"),
    ],
)
def test_a_batch_of_another_shape_is_named(cifar10: Path, content: Any, message: str) -> None:
    dump(cifar10 / "cifar-10-batches-py" / "data_batch_3", content)
    with pytest.raises(ValueError, match=rf"data_batch_3 is damaged: .*{message}"):
        Cifar10().load(cifar10)


def test_a_truncated_batch_is_named(cifar10: Path) -> None:
    path = cifar10 / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"test_batch is damaged"):
        Cifar10().load(cifar10)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The release as a tar file in a folder of its own, with a member that climbs out."""
    write_cifar10(tmp_path / "made" / "cifar-10-batches-py")
    path = tmp_path / "mirror" / "cifar-10-python.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "made" / "cifar-10-batches-py", "cifar-10-batches-py")
        tar.add(tmp_path / "made" / "cifar-10-batches-py" / "batches.meta", "../escaped")
    import hashlib

    digest = hashlib.md5(path.read_bytes()).hexdigest()
    release = cifar._Release(**{**vars(cifar._CIFAR10), "md5": digest})
    monkeypatch.setattr(Cifar10, "release", release)
    return path


@pytest.mark.parametrize("named", [True, False])
def test_an_archive_that_dataset_root_points_at_is_unpacked_without_a_network(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    root = archive if named else archive.parent
    paths = Cifar10(root=str(root)).files(tmp_path / "cache")
    assert [path.parent for path in paths] == [tmp_path / "cache" / "cifar-10-batches-py"] * len(paths)


def test_an_archive_that_is_there_is_unpacked_and_nothing_else_written(tmp_path: Path, archive: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    archive.rename(data / archive.name)
    assert len(Cifar10().load(data)) == 240
    assert not list(tmp_path.rglob("escaped"))


def test_a_missing_release_is_downloaded_once_and_checked(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(archive.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    from torchvision.datasets import utils

    real = utils.download_url

    def local(url: str, root: str, md5: str) -> None:
        assert url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
        real(f"http://127.0.0.1:{server.server_port}/{archive.name}", root, md5=md5)

    monkeypatch.setattr(utils, "download_url", local)
    assert len(Cifar10().load(tmp_path / "cache")) == 240
    server.shutdown()
    server.server_close()
    assert len(Cifar10().load(tmp_path / "cache")) == 240


def test_without_data_or_permission_to_fetch_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"(?s)cifar10: data_batch_1.*SCAR_OFFLINE is set\n.*dataset\.root"):
        Cifar10().files(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.* does not hold"):
        Cifar10(root=str(tmp_path)).files(tmp_path)


def test_a_copy_says_in_which_way_it_is_not_the_release(cifar10: Path) -> None:
    assert Cifar10(train_size=50).load(cifar10).notes == (
        "the copy deviates from the release: 200 training images, not 50000, 40 test images, not 10000",
    )


@pytest.mark.slow
def test_the_real_data_have_the_published_counts_and_are_the_same_as_files(tmp_path: Path) -> None:
    try:
        source = Cifar10(root=str(data_folder()))
        samples = source.load(tmp_path)
    except FileNotFoundError:
        pytest.skip("CIFAR-10 is not in the folder of fetched data; put a copy there, or name its folder by SCAR_DATA")
    assert samples.labels is not None
    assert samples.class_names == tuple(name.decode() for name in NAMES10)
    assert samples.notes == ()
    for part, size in (("train", 5000), ("test", 1000)):
        assert np.bincount(samples.labels[samples.splits == part]).tolist() == [size] * 10
    few = Cifar10(root=source.root, train_size=100, test_size=50).load(tmp_path)
    write_folders(tmp_path / "files", few, list(few.class_names))
    again = Cifar10(root=str(tmp_path / "files")).load(tmp_path)
    assert {digest(again, row) for row in range(150)} == {digest(few, row) for row in range(150)}
