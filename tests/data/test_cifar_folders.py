"""The releases written out as image files, one folder per class."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cifar_files import NAMES10, write_cifar10, write_cifar100
from class_folders import digest, write_folders
from PIL import Image

from scar.data.image_decoding import UnreadableMedia
from scar.data.samples import Samples
from scar.data.sources.cifar import Cifar10, Cifar100
from scar.data.unreadable import drop_unreadable
from scar.testing import check_dataset

NAMES = [name.decode() for name in NAMES10]


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    folder = tmp_path_factory.mktemp("batches")
    write_cifar10(folder / "cifar-10-batches-py", 20)
    return Cifar10().load(folder)


@pytest.fixture
def tree(tmp_path: Path, batches: Samples) -> Path:
    """A folder of PNG files with the official names."""
    write_folders(tmp_path / "tree", batches, NAMES)
    return tmp_path / "tree"


@pytest.mark.parametrize("called", [NAMES, [str(k) for k in range(10)], [f"{k:02d}" for k in range(10)]], ids=str)
@pytest.mark.parametrize("below", ["", "cifar10"])
def test_files_give_the_classes_and_pixels_of_the_batches(
    tmp_path: Path, batches: Samples, called: list[str], below: str
) -> None:
    write_folders(tmp_path / "tree" / below, batches, called)
    samples = check_dataset(Cifar10(root=str(tmp_path / "tree")), tmp_path / "data")
    assert samples.class_names == batches.class_names
    assert {digest(samples, row) for row in range(120)} == {digest(batches, row) for row in range(120)}
    assert samples.ids[0].startswith(f"train/{called[0]}/")
    assert samples.ids[-1].startswith(f"test/{called[9]}/")
    assert samples.payloads["image"][0].shape == (32, 32, 3)
    assert samples.payloads["image"][0].dtype == np.uint8
    assert samples.notes == (
        "the copy deviates from the release: 100 training images, not 50000, 20 test images, not 10000",
    )


def test_the_data_folder_may_hold_the_files_and_batches_go_first(tmp_path: Path, batches: Samples) -> None:
    write_folders(tmp_path / "cifar10", batches, NAMES)
    source = Cifar10()
    assert source.located(tmp_path) == [tmp_path / "cifar10"]
    assert source.load(tmp_path).ids[0].startswith("train/airplane/")
    write_cifar10(tmp_path / "cifar-10-batches-py", 20)
    assert source.load(tmp_path).ids[0] == "train-00000"


def test_jpeg_files_are_read_and_a_change_of_a_file_shows(tmp_path: Path, batches: Samples) -> None:
    write_folders(tmp_path / "tree", batches, NAMES, suffix="jpeg")
    source = Cifar10(root=str(tmp_path / "tree"), train_size=20, test_size=10)
    samples = source.load(tmp_path)
    assert np.bincount(samples.labels).tolist() == [3] * 10  # type: ignore[arg-type]
    before = source.files(tmp_path / "data")
    path = tmp_path / "tree" / samples.ids[0]
    path.write_bytes(path.read_bytes() + b"more")
    assert source.files(tmp_path / "data") != before


def test_the_fine_classes_of_cifar100_may_lie_below_coarse_ones(tmp_path: Path) -> None:
    write_cifar100(tmp_path / "batches", 200, 100)
    batches = Cifar100(root=str(tmp_path / "batches")).load(tmp_path)
    names = list(Cifar100.release.class_names)
    assert names == sorted(set(names))
    assert len(names) == 100
    write_folders(tmp_path / "tree", batches, [f"coarse{k % 20}/{name}" for k, name in enumerate(names)])
    samples = Cifar100(root=str(tmp_path / "tree")).load(tmp_path)
    assert samples.class_names == tuple(names)
    assert {digest(samples, row) for row in range(300)} == {digest(batches, row) for row in range(300)}


def rename(tree: Path) -> None:
    (tree / "train" / "truck").rename(tree / "train" / "lorry")


def empty(tree: Path) -> None:
    for path in (tree / "test" / "ship").iterdir():
        path.unlink()


def no_test(tree: Path) -> None:
    (tree / "test").rename(tree / "val")


def outside(tree: Path) -> None:
    next((tree / "train" / "cat").iterdir()).rename(tree / "train" / "loose.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rename, r"tree/train/lorry: the folder 'lorry' is none of the 10 classes; class folders are called airplane, .*image_folder"),
        (empty, r"tree/test holds no image of the class 'ship' \(folder ship\); 1 of 10 classes are missing\. Put their"),
        (no_test, r"tree holds train/ but no test/; put the test images at test/<class>/ there, or read .*tree/train by"),
        (outside, r"tree/train/loose\.png lies in no class folder; put it at train/<class>/loose\.png"),
    ],
)  # fmt: skip
def test_a_tree_that_is_not_the_release_is_named_with_the_way_out(tree: Path, spoil: Any, message: str) -> None:
    spoil(tree)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Cifar10(root=str(tree)).load(tree.parent)


def test_a_folder_with_neither_is_told_both_layouts(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not hold data_batch_1.*, nor train/<class>/ and test/<class>/"):
        Cifar10(root=str(tmp_path)).files(tmp_path)


def test_an_image_of_another_size_or_a_broken_one_is_named_and_may_be_skipped(tree: Path) -> None:
    large, broken = sorted((tree / "train" / "dog").iterdir())[:2]
    Image.new("RGB", (33, 32)).save(large)
    broken.write_bytes(broken.read_bytes()[:60])
    (tree / "train" / "dog" / "list.txt").write_text("files")
    samples = Cifar10(root=str(tree), on_error="skip").load(tree.parent)
    assert samples.notes[0] == "1 files that are not images left out"
    rows = {
        name: list(samples.ids).index(path.relative_to(tree).as_posix()) for name, path in (("l", large), ("b", broken))
    }
    with pytest.raises(UnreadableMedia, match=rf"{large.name}: 33 × 32 pixels, where the release has 32 × 32; put an"):
        samples.payloads["image"][rows["l"]]
    with pytest.raises(UnreadableMedia, match=broken.name):
        samples.payloads["image"][rows["b"]]
    kept, dropped = drop_unreadable(samples, name="cifar10", max_share=0.1)
    assert len(kept) == 118
    assert [each.id for each in dropped] == [samples.ids[rows["l"]], samples.ids[rows["b"]]]
