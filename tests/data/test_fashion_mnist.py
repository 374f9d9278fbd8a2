import gzip
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from scar.data.duplicates import exact_duplicates
from scar.data.paths import data_folder
from scar.data.sources import fashion_mnist
from scar.data.sources.fashion_mnist import FILES, FashionMnist


def test_images_labels_ids_and_splits_follow_the_files(tmp_path: Path, write_fashion: Callable[..., Any]) -> None:
    written = write_fashion(tmp_path / "fashion_mnist")
    samples = FashionMnist().load(tmp_path)
    assert len(samples) == 260
    assert samples.ids[[0, 199, 200, 259]].tolist() == ["train-00000", "train-00199", "test-00000", "test-00059"]
    np.testing.assert_array_equal(samples.labels, np.concatenate([written[FILES[1]], written[FILES[3]]]))
    np.testing.assert_array_equal(samples.payloads["image"][200], written[FILES[2]][0])
    assert (samples.splits == "train").sum() == 200
    assert samples.class_names[9] == "Ankle boot"


def test_a_smaller_training_set_keeps_the_class_mix_and_the_test_part(fashion: Path) -> None:
    whole, part = FashionMnist().load(fashion), FashionMnist(train_size=50).load(fashion)
    train = part.splits == "train"
    assert np.bincount(part.labels[train]).tolist() == [5] * 10
    assert (~train).sum() == 60
    place = {str(name): row for row, name in enumerate(whole.ids)}
    rows = [place[str(name)] for name in part.ids]
    np.testing.assert_array_equal(part.payloads["image"], np.asarray(whole.payloads["image"])[rows])
    np.testing.assert_array_equal(part.labels, whole.labels[rows])


def test_the_draw_depends_on_the_seed_of_the_dataset_alone(fashion: Path) -> None:
    first = FashionMnist(train_size=50).load(fashion).ids
    np.testing.assert_array_equal(first, FashionMnist(train_size=50, test_size=60).load(fashion).ids)
    assert set(first) != set(FashionMnist(train_size=50, seed=1).load(fashion).ids)


@pytest.mark.parametrize("layout", [".", "fashion_mnist", "FashionMNIST/raw"])
def test_root_points_at_a_copy_in_any_usual_layout(
    tmp_path: Path, layout: str, write_fashion: Callable[..., Any]
) -> None:
    write_fashion(tmp_path / "copy" / layout)
    source = FashionMnist(root=str(tmp_path / "copy"))
    assert [path.name for path in source.files(tmp_path / "nowhere")] == list(FILES)


def test_unpacked_files_are_read_too(fashion: Path) -> None:
    expected = FashionMnist().load(fashion)
    for name in FILES:
        path = fashion / "fashion_mnist" / name
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(FashionMnist().load(fashion).payloads["image"], expected.payloads["image"])


def test_a_missing_root_or_file_is_named(tmp_path: Path, write_fashion: Callable[..., Any]) -> None:
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.*nowhere is not a folder"):
        FashionMnist(root=str(tmp_path / "nowhere")).load(tmp_path)
    write_fashion(tmp_path)
    (tmp_path / FILES[3]).unlink()
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.* does not hold .*t10k-labels"):
        FashionMnist(root=str(tmp_path)).load(tmp_path)


def test_a_truncated_archive_is_named(fashion: Path) -> None:
    path = fashion / "fashion_mnist" / FILES[0]
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=rf"{FILES[0]} is damaged"):
        FashionMnist().load(fashion)


def test_images_without_their_labels_are_refused(fashion: Path, write_idx: Callable[..., Any]) -> None:
    write_idx(fashion / "fashion_mnist" / FILES[1], np.zeros(199))
    with pytest.raises(ValueError, match=r"200 images, but .* 199 labels"):
        FashionMnist().load(fashion)


def test_a_label_outside_the_classes_is_refused(fashion: Path, write_idx: Callable[..., Any]) -> None:
    write_idx(fashion / "fashion_mnist" / FILES[3], np.full(60, 10))
    with pytest.raises(ValueError, match=r"fashion_mnist: labels\[200\]=10 lies outside 0\.\.9"):
        FashionMnist().load(fashion)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train_size": 201}, r"dataset\.train_size=201 is more than the 200 train samples"),
        ({"test_size": 61}, r"dataset\.test_size=61 is more than the 60 test samples"),
        ({"train_size": 0}, r"dataset\.train_size=0 must be at least 1"),
        ({"train_size": 12}, "every class needs at least 2 training samples"),
    ],
)
def test_impossible_sizes_are_refused(fashion: Path, fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FashionMnist(**fields).load(fashion)


def test_torchvision_delivers_where_there_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_fashion: Callable[..., Any]
) -> None:
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.utils import calculate_md5

    mirror = tmp_path / "mirror"
    written = write_fashion(mirror)
    handler = partial(SimpleHTTPRequestHandler, directory=str(mirror))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(FashionMNIST, "resources", [(name, calculate_md5(mirror / name)) for name in FILES])
    monkeypatch.setattr(fashion_mnist, "_INSTALLED", tmp_path / "not installed")
    monkeypatch.setattr("scar.data.package_origins.shutil.which", lambda tool: None)
    samples = FashionMnist().load(tmp_path / "cache")
    np.testing.assert_array_equal(samples.payloads["image"][0], written[FILES[0]][0])
    server.shutdown()
    server.server_close()
    assert len(FashionMnist().load(tmp_path / "cache")) == 260
    assert sorted(p.name for p in (tmp_path / "cache/fashion_mnist").iterdir() if p.name[0] != ".") == sorted(FILES)


@pytest.mark.slow
def test_the_real_data_have_the_published_counts() -> None:
    if not (data_folder() / "fashion_mnist" / FILES[0]).is_file():
        pytest.skip("Fashion-MNIST is not in the cache; `make data` fetches it")
    samples = FashionMnist().load(data_folder())
    train = samples.splits == "train"
    assert np.bincount(samples.labels[train]).tolist() == [6000] * 10
    assert np.bincount(samples.labels[~train]).tolist() == [1000] * 10
    assert np.asarray(samples.payloads["image"]).shape == (70000, 28, 28)
    assert samples.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert not exact_duplicates(samples).groups
